"""One person's voice out of transcripts of many speakers (press conferences, debates, acts).

python -m train prepare conference SOURCE --speaker "NAME" --out DIR [--alias LABEL] [--field FIELD]
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from space.prompts import RAG, SPEECH, join_topics
from train.audit import Audit, shorten
from train.corpus import Corpus, Document
from train.dates import find_date
from train.errors import BadOption, SpeakerNeeded, SpeakerNotFound
from train.keyphrases import Keyphrases
from train.packed import Packed
from train.processes import Processes
from train.question_repair import find_span
from train.recipes import Example
from train.recipes.speech import add_stage_directions, clean_paragraphs
from train.speakers import Match, Speaker
from train.split import words
from train.transcripts import UNKNOWN, Transcript, Turn, parse
from train.units import Size, pack

VERSION = 2
TEMPLATES = {"speech": SPEECH, "rag": RAG}
TOPICS = 3
SHORT_TURN = 8  # words under which a turn is a reply to an interruption ("Sí, adelante.")
_LABELS_IN_ERROR = 12
_SAMPLE = 120  # characters
_SUBJECT = re.compile(r"\bsobre ((?:el|la|los|las) .*\w)", re.IGNORECASE)
_TITLE_PREFIX = re.compile(r"^(?:versi[oó]n estenogr[aá]fica\s*[.:|–-]*\s*(?:de (?:la|el) )?)", re.I)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--speaker", help="the person whose turns are kept; needed when the transcripts have labels"
    )
    parser.add_argument(
        "--alias",
        action="append",
        default=[],
        help="a further label of that person, as it is written (repeatable)",
    )
    parser.add_argument(
        "--unlabelled",
        choices=["title", "keep"],
        default="title",
        help="texts without any label: only those whose title says that the person speaks, or all",
    )
    parser.add_argument("--field", default="gobierno y política", help="the field in the prompts")
    parser.add_argument("--min-words", type=int, default=150, help="least words of an example's speech")
    parser.add_argument("--max-words", type=int, default=450, help="most words of an example's speech")
    add_stage_directions(parser)


@dataclass(frozen=True)
class _Reading:
    """A transcript as read, without its document's text: `turns`, `words` and a sample are of each label in it."""

    document: Document
    header: list[str]
    said: Packed[Turn]
    labelled: bool
    turns: Counter[str]
    words: Counter[str]
    samples: dict[str, str]


@dataclass
class _Labels:
    """Turns, words and documents of each label over the whole corpus."""

    turns: Counter[str] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)
    documents: Counter[str] = field(default_factory=Counter)
    samples: dict[str, str] = field(default_factory=dict)

    def add(self, reading: _Reading) -> None:
        self.turns.update(reading.turns)
        self.words.update(reading.words)
        self.documents.update(dict.fromkeys(reading.turns, 1))
        for label, sample in reading.samples.items():
            self.samples.setdefault(label, sample)

    def most(self) -> str:
        ranked = [label for label, _ in self.words.most_common() if label != UNKNOWN]
        return "; ".join(f"{label} ({self.words[label]} words)" for label in ranked[:_LABELS_IN_ERROR])


def documents(corpus: Corpus, args: argparse.Namespace) -> list[Document]:
    """The wanted person's text of each transcript, a section per turn.

    Raises BadOption, SpeakerNeeded, SpeakerNotFound and AmbiguousSpeaker.
    """
    if not 20 <= args.min_words <= args.max_words / 2:
        raise BadOption(
            option="--min-words",
            value=args.min_words,
            reason="give 20 or more, and at most half of --max-words",
        )
    processes = Processes(args.processes)
    labels = _Labels()
    readings: list[_Reading] = []
    for reading in processes.map(_read, corpus, corpus.audit):
        labels.add(reading)
        readings.append(reading)
    labelled = any(reading.labelled for reading in readings)
    if labelled and not args.speaker:
        raise SpeakerNeeded(path=corpus.source, labels=labels.most())
    speaker = Speaker(args.speaker, args.alias) if args.speaker else None
    matches = speaker.choose(list(labels.turns)) if speaker else {}
    if labelled and not any(match.accepted for match in matches.values()):
        raise SpeakerNotFound(speaker=args.speaker, path=corpus.source, labels=labels.most())
    corpus.audit.tables["labels"] = _table(labels, matches)
    accepted = frozenset(label for label, match in matches.items() if match.accepted)
    voice = partial(_voice, speaker=speaker, accepted=accepted, args=args)
    return [document for document in processes.map(voice, readings, corpus.audit) if document]


def examples(documents: list[Document], args: argparse.Namespace, audit: Audit) -> Iterator[Example]:
    """Units of `--min-words` to `--max-words`, each the answer to the SPEECH prompt with topics derived from it, the first of which
    is the subject that the title names («... sobre el agua») where the unit speaks of it."""
    processes = Processes(args.processes)
    packing = partial(_units, size=Size(args.min_words, args.max_words))
    units = list(processes.map(packing, documents, audit))
    phrases = Keyphrases(
        (text for texts in units for text in texts), exclude=[args.speaker or ""], processes=processes
    )
    topics = iter(phrases.topics(TOPICS))
    for document, texts in zip(documents, units, strict=True):
        for number, text in enumerate(texts, 1):
            own = with_subject(document.title, text, next(topics))
            if not own:
                audit.dropped("units: no topics could be derived", text)
                continue
            values = {"field": args.field, "topics": join_topics(own)}
            marks = ["topics", "field"]
            yield Example(SPEECH, values, text, document, marks, number, len(texts), topics=own)


def with_subject(title: str, text: str, topics: list[str]) -> list[str]:
    """At most TOPICS `topics`: the subject of `title` first, where `text` names it, then those that share no word with it."""
    found = _SUBJECT.search(title)
    if not found or not find_span(text, found[1].split(maxsplit=1)[1], ignore_case=True):
        return topics
    own = set(words(found[1]))
    return [found[1], *(topic for topic in topics if not own & set(words(topic)))][:TOPICS]


def _read(document: Document, _: Audit) -> _Reading:
    """The turns of a transcript; its title and date from its header."""
    transcript = parse(document.raw)
    document.raw = ""
    _describe(document, transcript)
    turns, said = Counter[str](), Counter[str]()
    samples: dict[str, str] = {}
    for turn in transcript.turns:
        turns[turn.label] += 1
        said[turn.label] += len(turn.text.split())
        samples.setdefault(turn.label, shorten(turn.text[: 2 * _SAMPLE], _SAMPLE))
    return _Reading(
        document, transcript.header, Packed(transcript.turns), transcript.labelled, turns, said, samples
    )


def _voice(
    reading: _Reading,
    audit: Audit,
    *,
    speaker: Speaker | None,
    accepted: frozenset[str],
    args: argparse.Namespace,
) -> Document | None:
    """The document with what the person says in it, if that is anything."""
    document = reading.document
    document.speaker = args.speaker or document.speaker
    by_title = not reading.labelled and args.unlabelled == "title"
    if speaker and by_title and not _titled(document, speaker, audit):
        return None
    document.sections = Packed(_sections(reading, accepted, args.stage_directions, audit))
    return document if document.sections else None


def _units(document: Document, audit: Audit, *, size: Size) -> Packed[str]:
    """The document's text in units."""
    units = pack(document.sections, size, audit)
    if not units:
        audit.dropped(
            f"documents: under {size.low} words of complete sentences", f"{document.id}: {document.text}"
        )
    return Packed(units)


def _describe(document: Document, transcript: Transcript) -> None:
    """Title and date from the transcript's header, where it has one."""
    if not transcript.header:
        return
    title = _TITLE_PREFIX.sub("", transcript.header[0]).strip()
    document.title = title[:1].upper() + title[1:] if title else document.title
    dates = [date for line in transcript.header[1:] if (date := find_date(line))]
    document.date = dates[0] if dates else document.date or find_date(transcript.header[0])


def _titled(document: Document, speaker: Speaker, audit: Audit) -> bool:
    """Whether the title or the file name says that the text is the person's."""
    shown = f"{document.id}: {document.title}"
    if speaker.is_named_as_author(document.title) or speaker.is_named_as_author(
        document.source.rsplit("/", 1)[-1]
    ):
        audit.kept("documents without labels, by their title", shown)
        return True
    audit.dropped(
        "documents without labels whose title does not say that the person speaks (--unlabelled keep takes them)",
        shown,
    )
    return False


def _sections(reading: _Reading, accepted: frozenset[str], directions: str, audit: Audit) -> list[list[str]]:
    document = reading.document
    header = set(words(" ".join([document.title, *reading.header])))
    sections = []
    turns = 0
    for turn in reading.said:
        if reading.labelled and turn.label not in accepted:
            audit.dropped(
                "turns without a label" if turn.label == UNKNOWN else "turns of others",
                f"{turn.label}: {turn.text}",
            )
            continue
        turns += 1
        paragraphs = [
            p
            for p in clean_paragraphs(turn.text, document.id, directions, audit)
            if not _repeats(p, header, audit)
        ]
        length = sum(len(p.split()) for p in paragraphs)
        if reading.labelled and length < SHORT_TURN:
            audit.dropped(f"turns of the person under {SHORT_TURN} words", turn.text)
        elif paragraphs:
            sections.append(paragraphs)
    if reading.labelled:
        audit.kept("turns of the person", "", sum(map(bool, sections)))
    if not sections:
        reason = (
            "documents in which the person does not speak"
            if not turns
            else "documents with only short turns of the person"
        )
        audit.dropped(reason, f"{document.id}: {document.title}")
    return sections


def _repeats(paragraph: str, header: set[str], audit: Audit) -> bool:
    """Whether the paragraph only says again what the header said (publisher and date over the text)."""
    repeated = len(paragraph.split()) <= 30 and bool(header) and set(words(paragraph)) <= header
    if repeated:
        audit.dropped("lines: the header once more", paragraph)
    return repeated


def _table(labels: _Labels, matches: dict[str, Match]) -> list[dict[str, object]]:
    """One row a label: the accepted first, then the similar, then the rest by words."""
    order = {"exact": 0, "variant": 0, "similar": 1, "other": 2}
    rows = [
        {
            "label": label,
            "match": matches[label].kind if label in matches else "all",
            "turns": labels.turns[label],
            "words": labels.words[label],
            "documents": labels.documents[label],
            "sample": labels.samples[label],
        }
        for label in labels.turns
    ]
    return sorted(
        rows, key=lambda row: (order.get(str(row["match"]), 3), -int(str(row["words"])), str(row["label"]))
    )
