"""What a text repeats of the texts it was trained on, and of the passages it was given; followed while it is written.

    tracker = Tracker(Originals.load(FILE), texts_of(passages), opening)
    for text in stream: found = tracker.update(text)

A span counts from 8 words on, when all 8-grams in it were seen (space/originals.py); where chance could do that, from a few
more. Copied from passages is what was asked for and counts apart, also where the training texts hold it too. Each 8-gram is looked up
alone, so a span may join what several documents say: it is never shorter than what was copied, and may be longer. `pytest tests/test_originality.py` runs it.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from space.originals import WORD, WORDS, Originals, Source, words

SHOWN = 5
"""Spans that are kept, the longest."""


@dataclass(frozen=True)
class Span:
    """A stretch of the text that was seen before; `source` None where the texts are private."""

    words: int
    text: str
    source: Source | None


@dataclass(frozen=True)
class Originality:
    """Of a text of `ngrams` 8-grams, `copied` from training texts and `quoted` from passages, and the longest spans of each.

    `least_words`: the shortest span of training texts that counts; None where there is nothing to compare with but passages.
    """

    ngrams: int
    copied: int
    quoted: int
    spans: tuple[Span, ...]
    quotes: tuple[Span, ...]
    least_words: int | None

    @property
    def measured(self) -> bool:
        """Whether it was compared with training texts."""
        return self.least_words is not None

    @property
    def original(self) -> float:
        """The share of 8-grams that the training texts do not hold."""
        return 1 - self.copied / self.ngrams

    @property
    def longest(self) -> int:
        """Words of the longest span copied from training texts; 0 when none counts."""
        return self.spans[0].words if self.spans else 0

    @property
    def verbatim(self) -> bool:
        """Whether the whole text is copied."""
        return self.copied == self.ngrams


class Tracker:
    """Follows one text that begins with `opening`, which somebody gave: 8-grams with a word of it are not judged."""

    def __init__(
        self, originals: Originals | None, passages: Originals | None = None, opening: str = ""
    ) -> None:
        self._books = [book for book in (originals, passages) if book is not None]
        self._originals, self._passages = originals, passages
        self._from = len(words(opening))
        self._text = ""
        self._places: list[tuple[int, int]] = []
        self._words: dict[int, list[int]] = {id(book): [] for book in self._books}
        self._seen: dict[int, np.ndarray] = {id(book): np.empty(0, np.int64) for book in self._books}

    def update(self, text: str) -> Originality | None:
        """What is known of `text`, which is longer, or shorter, than the last one; None below 8 words to judge."""
        text = unicodedata.normalize("NFC", text)
        kept = max(0, len(self._places) - 1)  # the last word may have been half of one
        while kept and not text.startswith(self._text[: self._places[kept - 1][1] + 1]):
            kept //= 2
        del self._places[kept:]
        begin = self._places[-1][1] if kept else 0
        found = list(WORD.finditer(text, begin))
        self._places += [match.span() for match in found]
        for book in self._books:
            self._look_up(book, kept, [match[0] for match in found])
        self._text = text
        return self._finding()

    def _look_up(self, book: Originals, kept: int, fresh: list[str]) -> None:
        known = self._words[id(book)]
        known[kept:] = map(book.word, fresh)
        first = max(0, kept - WORDS + 1)
        seen = book.find(book.hashes(known[first:]))
        self._seen[id(book)] = np.concatenate([self._seen[id(book)][:first], seen])

    def _finding(self) -> Originality | None:
        count = len(self._places) - WORDS + 1 - self._from
        if count < 1 or not self._books:
            return None
        quoted, quotes = self._spans(self._passages, np.zeros(count, bool))
        copied, spans = self._spans(self._originals, quoted)
        least = self._originals.least_words if self._originals else None
        return Originality(count, int(copied.sum()), int(quoted.sum()), spans, quotes, least)

    def _spans(self, book: Originals | None, taken: np.ndarray) -> tuple[np.ndarray, tuple[Span, ...]]:
        """Which 8-grams were seen in `book` and are not `taken`, and the longest spans of them."""
        if book is None:
            return np.zeros(len(taken), bool), ()
        documents = self._seen[id(book)][self._from :]
        counted = np.zeros(len(taken), bool)
        runs = [run for run in _runs((documents >= 0) & ~taken) if run[1] - run[0] >= book.least]
        for begin, end in runs:
            counted[begin:end] = True
        longest = sorted(runs, key=lambda run: run[0] - run[1])[:SHOWN]
        return counted, tuple(self._span(book, documents, *run) for run in longest)

    def _span(self, book: Originals, documents: np.ndarray, begin: int, end: int) -> Span:
        first, last = self._places[self._from + begin], self._places[self._from + end + WORDS - 2]
        text = " ".join(self._text[first[0] : last[1]].split())
        number = Counter(documents[begin:end].tolist()).most_common(1)[0][0]
        return Span(end - begin + WORDS - 1, text, None if book.private else book.sources[number])


def _runs(seen: np.ndarray) -> Iterator[tuple[int, int]]:
    """Begin and end of each stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], seen, [False]])))
    return zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
