"""Talks with title, speaker, field and topics (as TED's), one example per talk or per part of a long one.

python -m train prepare speech SOURCE --out DIR [--max-words 600] [--field FIELD]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial

from space.prompts import RAG, SPEECH, join_topics
from train.audit import Audit
from train.clean import paragraphs, without_directions
from train.corpus import Corpus, Document
from train.errors import BadOption
from train.keyphrases import Keyphrases
from train.packed import Packed
from train.processes import Processes
from train.recipes import Example
from train.units import balanced

VERSION = 2
TEMPLATES = {"speech": SPEECH, "rag": RAG}
TOPICS = 4
MIN_WORDS = 40  # a shorter text is an announcement, not a talk


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--max-words", type=int, default=600, help="words of an example's speech; longer talks get parts"
    )
    parser.add_argument(
        "--field", default=None, help="field of the talks that name none (else their first topic)"
    )
    add_stage_directions(parser)


def add_stage_directions(parser: argparse.ArgumentParser) -> None:
    """The option that both recipes have."""
    parser.add_argument(
        "--stage-directions", choices=["drop", "keep"], default="drop", help="(Aplausos), (Risas), [Música]"
    )


def documents(corpus: Corpus, args: argparse.Namespace) -> list[Document]:
    """The cleaned talks of the corpus. Raises BadOption."""
    if args.max_words < MIN_WORDS:
        raise BadOption(option="--max-words", value=args.max_words, reason=f"give at least {MIN_WORDS}")
    cleaning = partial(_cleaned, directions=args.stage_directions)
    return [d for d in Processes(args.processes).map(cleaning, corpus, corpus.audit) if d]


def _cleaned(document: Document, audit: Audit, *, directions: str) -> Document | None:
    """The document with its text in paragraphs, if it is long enough for a talk."""
    section = clean_paragraphs(document.raw, document.id, directions, audit)
    document.raw, document.sections = "", Packed([section])
    if sum(len(paragraph.split()) for paragraph in section) >= MIN_WORDS:
        return document
    audit.dropped(f"documents: under {MIN_WORDS} words", f"{document.id}: {document.text}")
    return None


def clean_paragraphs(text: str, name: str, directions: str, audit: Audit) -> list[str]:
    """The paragraphs of a text, stage directions dropped unless `directions` is "keep"."""
    found = paragraphs(text, audit, name)
    return found if directions == "keep" else [left for p in found if (left := without_directions(p, audit))]


def examples(documents: list[Document], args: argparse.Namespace, audit: Audit) -> Iterator[Example]:
    """One example per part: the SPEECH prompt with field and topics (derived where missing), answered by the part."""
    names = {document.speaker for document in documents if document.speaker}
    missing = any(not document.topics for document in documents)
    derived = (
        Keyphrases((d.text for d in documents), names, Processes(args.processes)).topics(TOPICS)
        if missing
        else [[]] * len(documents)
    )
    for document, phrases in zip(documents, derived, strict=True):
        yield from _examples(document, document.topics or phrases, args, audit)


def _examples(document: Document, topics: list[str], args: argparse.Namespace, audit: Audit) -> list[Example]:
    if not topics:
        audit.dropped("documents: no topics given and none could be derived", document.id)
        return []
    marks = [] if document.topics else ["topics"]
    marks += [] if document.field or args.field else ["field"]
    parts = balanced(document.paragraphs, args.max_words, audit)
    field = document.field or args.field or topics[0]
    result = []
    for number, part in enumerate(parts, 1):
        place = f" (continuación, parte {number} de {len(parts)})" if number > 1 else ""
        values = {"field": field, "topics": join_topics(topics) + place}
        result.append(Example(SPEECH, values, part, document, marks, number, len(parts), topics=topics))
    return result
