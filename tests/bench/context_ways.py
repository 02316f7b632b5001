"""Ways of choosing what a model is given of the passages found, for tests/bench/bench_context.py."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from index.search import Hit, Index
from space.condense import Place, condense, fill, pieces, ranked, strengths
from space.prompts import format_context

SHARES = (75, 50, 35, 25)


@dataclass(frozen=True)
class Retrieved:
    """What an index found for a query, best first; `count` gives the tokens of a text."""

    hits: Sequence[Hit]
    query: str
    index: Index
    count: Callable[[str], int]

    @property
    def passages(self) -> list[str]:
        return [hit.passage.text for hit in self.hits]

    @property
    def places(self) -> list[Place]:
        """All sentences, passage by passage."""
        return [(number, n) for number, text in enumerate(self.passages) for n in range(len(pieces(text)))]

    def by(self, worth: Iterable[Any]) -> list[Place]:
        """The sentences by falling `worth`, one for each of `places`."""
        return [self.places[n] for n in np.argsort(-np.array(list(worth)), kind="stable")]

    def reached(self, weight: float) -> list[Place]:
        """The sentences by `weight` · cosine + (1 − `weight`) · coverage alone."""
        texts = [pieces(text)[n] for text in self.passages for n in range(len(pieces(text)))]
        return self.by(strengths(texts, self.query, self.index.embedder, weight))


def _each_first(found: Retrieved) -> list[Place]:
    """As served, but the best sentence of every passage before all others."""
    order = ranked(found.hits, found.query, found.index)
    first = {passage: (passage, n) for passage, n in reversed(order)}
    best = [first[passage] for passage in sorted(first)]
    return best + [place for place in order if place not in best]


ORDERS: dict[str, Callable[[Retrieved], list[Place]]] = {
    "each first": _each_first,
    "words": lambda found: found.reached(0),
    "cosine": lambda found: found.reached(1),
    "best passages": lambda found: found.places,
    "first": lambda found: sorted(found.places, key=lambda place: place[1]),
    "random": lambda found: random.Random(found.query).sample(found.places, len(found.places)),
}
"""Other orders in which sentences are taken: by their words or the cosine alone, one passage after the other, the first
sentence of each passage and then the second, at random."""


def given(way: str, found: Retrieved, share: int) -> list[str]:
    """The texts that a model is given of each passage, in `share` per cent of the tokens of all of them; empty ones left out."""
    budget = found.count(format_context(found.passages)) * share // 100
    excerpts = (
        condense(found.hits, found.query, budget, found.count, found.index)
        if way == "condensed"
        else fill(found.passages, ORDERS[way](found), budget, found.count)
    )
    return [excerpt.text for excerpt in excerpts if excerpt.chosen]
