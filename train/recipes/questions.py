"""Questions about a text, with their answers, from sets in SQuAD format or readings.

python -m train prepare questions SOURCE --out DIR [--types short,truefalse] [--max-questions 5] [--only biographies]
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass

from index.passages import sentences
from space.prompts import (
    QUESTIONS,
    QUESTIONS_FEW_SHOT,
    QUESTIONS_SYSTEM,
    QUESTIONS_ZERO_SHOT,
    question_request,
)
from space.question_list import ShortAnswer, Statement, format_questions
from train.articles import Anchored, ReadingDocument, read_documents
from train.audit import Audit
from train.biography import is_biography
from train.corpus import Corpus, Document
from train.errors import BadOption
from train.recipes import Example
from train.statements import Change, Fact, Place, Values, inner_names, why_not_alone
from train.units import balanced

VERSION = 2
TEMPLATES = {
    "questions": QUESTIONS,
    "questions_zero_shot": QUESTIONS_ZERO_SHOT,
    "questions_few_shot": QUESTIONS_FEW_SHOT,
    "questions_system": QUESTIONS_SYSTEM,
}
TYPES = ("short", "truefalse")
MAX_WORDS = 350  # of a text: with its questions it fits in 1,000 tokens


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--types", default=",".join(TYPES), help="short, truefalse or both (short,truefalse)")
    parser.add_argument(
        "--max-questions",
        type=int,
        default=5,
        help="most questions of one conversation, which has 1 to this many",
    )
    parser.add_argument("--only", choices=["biographies"], help="only articles about a person's life")


def documents(corpus: Corpus, args: argparse.Namespace) -> list[Document]:
    """The articles, see train/articles.py. Raises BadOption, NothingToRead and BadFile."""
    _types(args)
    if args.max_questions < 1:
        raise BadOption(option="--max-questions", value=args.max_questions, reason="give 1 or more")
    kept: list[Document] = []
    for document in read_documents(corpus):
        if args.only and not is_biography(document.paragraphs):
            corpus.audit.dropped("documents: no biography (--only biographies)", document.title)
        else:
            kept.append(document)
    return kept


def examples(documents: list[Document], args: argparse.Namespace, audit: Audit) -> list[Example]:
    """The items of each text and type in lists of 1 to `--max-questions`, each list an example: visitors ask for any number."""
    types = _types(args)
    texts = [text for document in documents for text in _texts(document, audit)]
    lists: list[tuple[_Text, list[Anchored]]] = []
    if "short" in types:
        lists += [(text, [a for a in text.anchored if isinstance(a.item, ShortAnswer)]) for text in texts]
    if "truefalse" in types:
        lists += [(text, [a for a in text.anchored if isinstance(a.item, Statement)]) for text in texts]
        lists += _derived(texts, random.Random(args.seed), audit)
    used = {id(text) for text, anchored in lists if anchored}
    for text in texts:
        audit.dropped("texts without a usable question", text.text, int(id(text) not in used))
    result = []
    rng = random.Random(args.seed)
    for text, anchored in lists:
        for chunk in _chunks(anchored, args.max_questions, rng):
            result.append(_example(text, chunk))
            for one in chunk:
                audit.kept(_name(one))
    return result


@dataclass(frozen=True)
class _Text:
    """A context, or a part of a long one, what is asked about it in its order, and the names of its document."""

    document: ReadingDocument
    text: str
    anchored: list[Anchored]
    names: frozenset[str]
    part: int
    parts: int


def _types(args: argparse.Namespace) -> list[str]:
    types = [name.strip() for name in args.types.split(",")]
    if not types or not set(types) <= set(TYPES):
        raise BadOption(
            option="--types", value=args.types, reason=f"give {' or '.join(TYPES)} or both with a comma"
        )
    return types


def _texts(document: Document, audit: Audit) -> list[_Text]:
    """The contexts of a document, long ones in parts, each with what its sentences decide."""
    assert isinstance(document, ReadingDocument)
    left = list(document.anchored)
    names = inner_names(document.text)
    result = []
    for section in document.sections:
        parts = balanced(section, MAX_WORDS, audit)
        for number, text in enumerate(parts, 1):
            mine = [a for a in left if a.evidence in text]
            left = [a for a in left if a.evidence not in text]
            mine.sort(key=lambda a: text.index(a.evidence))
            result.append(_Text(document, text, mine, names, number, len(parts)))
    for anchored in left:
        audit.dropped("questions: their sentence was cut or dropped", anchored.evidence)
    return result


def _derived(texts: Sequence[_Text], rng: random.Random, audit: Audit) -> list[tuple[_Text, list[Anchored]]]:
    """Statements out of sentences, for the texts that come with none: as many true as false."""
    bare = [text for text in texts if not any(isinstance(a.item, Statement) for a in text.anchored)]
    values = Values(fact for text in bare for fact in _facts(text) if fact.answer)
    changes = [_changes(text, values, rng, audit) for text in bare]
    total = sum(map(len, changes))
    truths = [True] * (total - total // 2) + [False] * (total // 2)
    rng.shuffle(truths)
    result = []
    for text, found in zip(bare, changes, strict=True):
        statements = [
            Statement(sentence, True) if truths.pop() else change.apply(sentence)
            for sentence, change in found.items()
        ]
        result.append((text, [Anchored(s, e) for s, e in zip(statements, found, strict=True)]))
    return result


def _facts(text: _Text) -> list[Fact]:
    """The sentences of a text in order, each with what is asked about it, if anything."""
    place = Place(text.text, text.document.id, text.document.title)
    asked: dict[str, list[Fact]] = {}
    for anchored in text.anchored:
        if isinstance(item := anchored.item, ShortAnswer):
            fact = Fact(anchored.evidence, place, item.question, item.answer)
            asked.setdefault(anchored.evidence, []).append(fact)
    found = [s.strip() for paragraph in text.text.split("\n\n") for s in sentences(paragraph)]
    return [fact for sentence in found for fact in [*asked.get(sentence, []), Fact(sentence, place)]]


def _changes(text: _Text, values: Values, rng: random.Random, audit: Audit) -> dict[str, Change]:
    """By sentence, in order, the change that makes it false; the sentences that cannot be used are counted."""
    changes: dict[str, Change] = {}
    reasons: dict[str, str] = {}
    for fact in _facts(text):
        if fact.sentence in changes:
            continue
        reason = why_not_alone(fact.sentence, text.names)
        change = None if reason else values.change(fact, rng)
        if change:
            changes[fact.sentence] = change
        else:
            reasons[fact.sentence] = reason or "no value that can be replaced"
    for sentence, reason in reasons.items():
        if sentence not in changes:
            audit.dropped(f"sentences not made statements: {reason}", sentence)
    return changes


def _chunks(anchored: list[Anchored], most: int, rng: random.Random) -> list[list[Anchored]]:
    """The items in lists of 1 to `most`, every length as likely, each list from all over the text and in its order."""
    left = list(range(len(anchored)))
    rng.shuffle(left)
    result = []
    while left:
        number = rng.randint(1, min(most, len(left)))
        result.append([anchored[n] for n in sorted(left[:number])])
        left = left[number:]
    return result


def _example(text: _Text, chunk: list[Anchored]) -> Example:
    kind = "short" if isinstance(chunk[0].item, ShortAnswer) else "truefalse"
    values = {"text": text.text, "request": question_request(kind, len(chunk), text.document.level)}
    answer = format_questions(anchored.item for anchored in chunk)
    return Example(QUESTIONS, values, answer, text.document, [], text.part, text.parts)


def _name(anchored: Anchored) -> str:
    if isinstance(anchored.item, ShortAnswer):
        return "questions with a short answer"
    return f"statements: {'true' if anchored.item.true else 'false'}"
