"""Training pairs for an embedder, drawn without labels from texts, and from question files where there are any.

Used by `python -m index embedder SOURCE... --out DIR`.

Of a passage: an inverse-cloze pair (some sentences, the rest; Lee et al. 2019, arXiv:1906.00300), a keyword pair (a few short
word runs, the passage) or a neighbour pair (its last sentences, the next passage, which in a conversation is often the
answer). Of a SQuAD-format file: question and passage of its context. Sentences are tokenised once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from index.documents import read_documents
from index.passages import paragraphs, sentences, split
from index.questions import read_questions

_ANSWER_PASSAGES = 3
_QUESTION_REPEATS = (
    4  # times a question pair is drawn in an epoch: they are few, and what the embedder is for
)
_KEYWORDS, _NEXT = (
    0.15,
    0.45,
)  # cumulative parts of the passage pairs: keywords, next passage; the rest is inverse-cloze
_DROPPED = 0.2  # part of the tokens left out at random, against learning pairs by heart
_KEEP_QUERY = 0.1  # part of the inverse-cloze pairs whose passage keeps the query's sentences

Ids = np.ndarray[Any, np.dtype[np.int32]]
Pair = tuple[Ids, Ids]


@dataclass(frozen=True)
class Texts:
    """What the sources hold: documents as lists of passages as lists of sentences, and (question, passage) pairs."""

    documents: list[list[list[str]]]
    questions: list[tuple[str, str]]

    def all_text(self) -> Iterator[str]:
        """Every text, for the tokenizer's training."""
        for passages in self.documents:
            for passage in passages:
                yield "".join(passage)
        for question, _ in self.questions:
            yield question


def read_texts(sources: Iterable[Path]) -> Texts:
    """Reads documents (folders, .jsonl) and SQuAD-format .json files; raises the errors of their readers."""
    texts = Texts([], [])
    for source in sources:
        if source.suffix == ".json":
            for paragraph in read_questions(source).paragraphs:
                pieces = split(paragraph.context).pieces[:_ANSWER_PASSAGES]
                texts.questions.extend(
                    (question, piece) for question in paragraph.questions for piece in pieces
                )
            continue
        for document in read_documents(source):
            pieces = split(document.text).pieces
            texts.documents.append(
                [[s for p in paragraphs(piece) for s in sentences(p) if s.strip()] for piece in pieces]
            )
    return texts


class PairSampler:
    """Batches of (query ids, passage ids), drawn anew each time; `encode` maps a list of texts to token ids."""

    def __init__(self, texts: Texts, encode: Any, random: np.random.Generator) -> None:
        self._random = random
        self._passages: list[list[Ids]] = []
        self._last: set[int] = set()
        encoded = iter(encode([s for passages in texts.documents for passage in passages for s in passage]))
        for passages in texts.documents:
            self._passages.extend([next(encoded) for _ in passage] for passage in passages)
            self._last.add(len(self._passages) - 1)
        questions = encode([question for question, _ in texts.questions])
        answers = encode([passage for _, passage in texts.questions])
        self._pairs: list[Pair] = list(zip(questions, answers, strict=True)) * _QUESTION_REPEATS

    def __len__(self) -> int:
        return len(self._passages) + len(self._pairs)

    def epoch(self, batch: int) -> Iterator[tuple[list[Ids], list[Ids]]]:
        """Every passage and question once an epoch, shuffled, in batches of at most `batch` pairs (none with fewer than 2)."""
        order = self._random.permutation(len(self))
        for start in range(0, len(order), batch):
            drawn = [self._draw(int(i)) for i in order[start : start + batch]]
            pairs = [(self._thin(query), self._thin(passage)) for query, passage in drawn]
            pairs = [pair for pair in pairs if len(pair[0]) and len(pair[1])]
            if len(pairs) > 1:
                yield [q for q, _ in pairs], [p for _, p in pairs]

    def _draw(self, i: int) -> Pair:
        if i >= len(self._passages):
            return self._pairs[i - len(self._passages)]
        parts = self._passages[i]
        kind = self._random.random()
        if not parts or kind < _KEYWORDS:
            return self._keywords(np.concatenate([*parts, np.empty(0, np.int32)]))
        if kind < _NEXT and i not in self._last and self._passages[i + 1]:
            length = int(self._random.integers(1, 9))
            return np.concatenate(parts[-length:]), np.concatenate(self._passages[i + 1])
        if len(parts) < 2:
            return self._keywords(np.concatenate(parts))
        return self._inverse_cloze(parts)

    def _thin(self, ids: Ids) -> Ids:
        return ids[self._random.random(len(ids)) >= _DROPPED]

    def _inverse_cloze(self, parts: list[Ids]) -> Pair:
        length = min(int(self._random.integers(1, 5)), len(parts) - 1)
        start = int(self._random.integers(0, len(parts) - length + 1))
        query = np.concatenate(parts[start : start + length])
        rest = parts if self._random.random() < _KEEP_QUERY else parts[:start] + parts[start + length :]
        return query, np.concatenate(rest)

    def _keywords(self, ids: Ids) -> Pair:
        runs = []
        for _ in range(int(self._random.integers(1, 4))):
            start = int(self._random.integers(0, max(1, len(ids) - 3)))
            runs.append(ids[start : start + int(self._random.integers(2, 5))])
        return np.concatenate(runs), ids
