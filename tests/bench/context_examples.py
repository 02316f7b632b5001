"""Questions, and held-out texts with passages, for tests/bench/bench_context.py."""

from __future__ import annotations

import argparse
import json
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from index.documents import Document
from index.embed import encode_query
from index.evaluate import make_ranker
from index.passages import Passage
from index.search import Hit, Index
from space.prompts import PromptTemplate
from train.ground import Grounder
from train.held_out import Held, answers, query_of

PASSAGES = 5
OWN = argparse.Namespace(words=60, share=0.9, answer_words=110)
"""How the embedded bundle's grounded conversations were made (Makefile)."""
EXCERPTS = 4
"""Grounded conversations of each held-out document."""


@dataclass(frozen=True)
class Asked:
    """A question, its answer, and the id of the document that answers it."""

    question: str
    answer: str
    document: str

    @property
    def article(self) -> int:
        """The number of its article, from 1."""
        return int(self.document.split("-")[0])


def read_asked(path: Path) -> tuple[list[Document], list[Asked]]:
    """The contexts of a SQuAD-format file as documents, and the questions that they answer."""
    documents, asked = [], []
    for article, entry in enumerate(json.loads(path.read_text("utf-8-sig"))["data"], 1):
        for n, paragraph in enumerate(entry["paragraphs"]):
            documents.append(Document(f"{article}-{n}", "", paragraph["context"], ""))
            asked += [
                Asked(qa["question"], qa["answers"][0]["text"].strip(), documents[-1].id)
                for qa in paragraph["qas"]
                if any(a["text"].strip() for a in qa["answers"][:1]) and not qa.get("is_impossible")
            ]
    return documents, asked


@dataclass(frozen=True)
class Example:
    """A text to predict, of a document, after passages for its topics."""

    document: str
    text: str
    topics: str
    hits: list[Hit]
    index: Index


def whole_tasks(held: Iterable[Held], index: Index) -> Iterator[Example]:
    """Each text after the passages that its topics find in the index, in which its own are."""
    for document in held:
        for row in document.conversations:
            for _, text in answers([row]):
                hits = index.search(query_of(row), PASSAGES, threshold=float("-inf"))
                yield Example(document.id, text, row["values"]["topics"], hits, index)


def grounded_tasks(held: Sequence[Held], index: Index) -> Iterator[Example]:
    """Conversations as `train ground` makes them, of held-out texts, their passages ranked as the index would."""
    rng = random.Random(0)
    rows = [row for document in held for row in document.conversations]
    plain = PromptTemplate((("user", "{context}"),))
    grounder = Grounder(rows, plain, OWN)
    weight = index.manifest.calibration.dense_weight
    for document in held:
        for _ in range(EXCERPTS):
            row = rng.choice(document.conversations)
            made = grounder.ground(row, rng)["messages"]
            passages = re.split(r"\n\n\[\d\] ", "\n\n" + made[0]["content"])[1:]
            ranker = make_ranker(index.embedder, passages)
            ranking = ranker.rank(query_of(row), encode_query(index.embedder, query_of(row)), weight)
            hits = [
                Hit(Passage(int(i), passages[int(i)], "", "", 0, ""), 0.0, float(d), float(b))
                for i, d, b in zip(ranking.ids, ranking.dense, ranking.lexical, strict=True)
            ]
            yield Example(row["document"], made[1]["content"], row["values"]["topics"], hits, index)
