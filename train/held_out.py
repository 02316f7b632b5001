"""The held-out conversations of a prepared folder, kept apart from what training has seen; used by `python -m train evaluate`.

What is assured, and measured again here: no document of validation or test is one of train; a document half of whose 8-word
spans stand in the training texts is left out as a near-duplicate; passages for a prompt are never of a held-out document (so
never of the one under test, nor of its near-duplicates, which `prepare` keeps in one split), nor share 12 words in a row with it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.search import Hit
from space.bundle import Bundle, Generator
from space.inputs import clean_topics
from space.persona import lineage_of
from space.prompts import Message
from space.settings import Settings
from space.studio import Studio
from train.chat_examples import GROUNDED, answer_places
from train.errors import BundlePartInvalid, NothingToEvaluate
from train.lineage import read_prepared
from train.split import THRESHOLD, words

SPLITS = ("validation", "test")
SPAN = 8  # words of a span that is looked for in the training texts
COPIED = 12  # words in a row that a passage may not share with the document under test
MAX_CHARS = 100_000  # of topics, which here no visitor wrote


@dataclass(frozen=True)
class Held:
    """A document held out: its conversations, and the share of its answers' spans of SPAN words that training texts hold."""

    id: str
    split: str
    conversations: list[dict[str, Any]]
    seen: float = 0.0

    @property
    def text(self) -> str:
        return "\n\n".join(answer for _, answer in answers(self.conversations))


@dataclass(frozen=True)
class HeldOut:
    """The documents of one prepared folder that are measured; `left_out` were near-duplicates of training texts, `hidden` are
    the ids of all that were held out."""

    documents: list[Held]
    recipe: str
    sha256: str
    left_out: int
    hidden: frozenset[str]

    def to_json(self) -> dict[str, Any]:
        """How the documents were kept apart, in figures."""
        seen = [document.seen for document in self.documents]
        return {
            "recipe": self.recipe,
            "sha256": self.sha256,
            "documents": len(self.documents),
            "of_validation": sum(document.split == "validation" for document in self.documents),
            "near_duplicates_left_out": self.left_out,
            "spans_seen": {"words": SPAN, "mean": sum(seen) / len(seen), "most": max(seen)},
        }


def answers(conversations: Iterable[dict[str, Any]]) -> Iterator[tuple[list[Message], str]]:
    """Each answer that `python -m train sft` learns from in such conversations, with all that was said before it."""
    for row in conversations:
        for place in answer_places(row):
            yield row["messages"][:place], row["messages"][place]["content"]


def read_held_out(folder: Path, limit: int | None = None) -> HeldOut:
    """The first `limit` documents (all) of validation and test. Raises BundlePartInvalid, NothingToEvaluate."""
    manifest = read_prepared(folder)
    rows: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for split in SPLITS:
        for row in _rows(folder / f"{split}.jsonl"):
            rows[row["document"], split].append(row)
    trained = {row["document"] for row in _rows(folder / "train.jsonl")}
    if shared := trained & {document for document, _ in rows}:
        reason = f"{len(shared)} held-out documents are in train.jsonl too, such as {min(shared)}"
        raise BundlePartInvalid(path=folder, reason=reason)
    documents = [Held(document, split, found) for (document, split), found in rows.items()]
    measured = _with_seen(documents, folder)
    kept = [document for document in measured if document.seen < THRESHOLD]
    if not kept:
        raise NothingToEvaluate(path=folder)
    digest = hashlib.sha256()
    for split in SPLITS:
        digest.update((folder / f"{split}.jsonl").read_bytes())
    hidden = frozenset(document.id for document in documents)
    left_out = len(measured) - len(kept)
    return HeldOut(kept[:limit], manifest["recipe"], digest.hexdigest(), left_out, hidden)


def check_same_corpus(bundle: Bundle, generator: Generator, folder: Path) -> None:
    """Raises BundlePartInvalid where `generator` was made from another corpus: what it learned is then not known."""
    expected = lineage_of(bundle, generator).get("corpus_sha256")
    found = read_prepared(folder)["corpus_sha256"]
    if expected is not None and found != expected:
        reason = f"its corpus is {found}, the generator {generator.name} was made from {expected}"
        raise BundlePartInvalid(path=folder / "prepared.json", reason=reason)


class BlindStudio(Studio):
    """A studio whose searches find no passage of the documents `hidden`."""

    def __init__(self, bundle: Bundle, settings: Settings, hidden: frozenset[str]) -> None:
        super().__init__(bundle, settings)
        self.hidden = hidden

    def search(self, generator: Generator, query: str, k: int) -> list[Hit]:
        wanted, everything = 4 * k, len(self.index(generator).passages)
        while True:
            hits = super().search(generator, query, min(wanted, everything))
            left = [hit for hit in hits if hit.passage.document not in self.hidden]
            if len(left) >= k or wanted >= everything:
                return left[:k]
            wanted *= 4


def query_of(row: dict[str, Any]) -> str:
    """The topics of a conversation as the page asks the index for them."""
    return ", ".join(clean_topics(row["values"]["topics"], "topics", MAX_CHARS)[0])


def without_copies(hits: Iterable[Hit], document: Held) -> list[Hit]:
    """The passages that share no COPIED words in a row with `document`."""
    own = _spans(document.text, COPIED)
    return [hit for hit in hits if own.isdisjoint(_spans(hit.passage.text, COPIED))]


def _with_seen(documents: list[Held], folder: Path) -> list[Held]:
    """`documents` with `seen`; of the training texts only the spans that a document has are held in memory."""
    own = [_spans(document.text, SPAN) for document in documents]
    wanted = set().union(*own)
    found: set[str] = set()
    for name in ("train.jsonl", GROUNDED):
        for row in _rows(folder / name):
            for message in row["messages"]:
                found |= wanted & _spans(message["content"], SPAN)
    return [
        dataclasses.replace(document, seen=len(spans & found) / max(1, len(spans)))
        for document, spans in zip(documents, own, strict=True)
    ]


def _spans(text: str, length: int) -> set[str]:
    tokens = words(text)
    return {" ".join(tokens[n : n + length]) for n in range(len(tokens) - length + 1)}


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """The conversations of a file; none where it is absent (`grounded.jsonl` is optional)."""
    if path.is_file():
        for line in path.read_text("utf-8").split("\n"):
            if line:
                yield json.loads(line)
