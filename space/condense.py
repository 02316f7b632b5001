"""Chooses the sentences of retrieved passages that matter for a query, within a token budget (extractive compression).

    excerpts = condense(index.search("el mar"), "el mar", 300, count, index)    # one Excerpt for each hit

A prompt of five passages takes a large model a minute to read on two cores, and most of their sentences are about something else.
A sentence is worth what it reaches as the index would rank it, `w · cosine + (1 − w) · coverage` with the index's own weight w, and what its
passage reached; BM25 is taken over the sentences at hand, so that a word that all of them hold counts little. Sentences are
taken from the best one on as long as they fit, and given in their order. Measured against other ways by
`python -m tests.bench.bench_context`; figures in docs/rag.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from index.embed import Embedder, encode_passages, encode_query
from index.lexical import Lexical
from index.passages import paragraphs, sentences, split
from index.search import Hit, Index
from space.prompts import format_context

LONG = 40
"""Words: a longer sentence is taken by runs of so many, for transcripts without any full stop."""
Place = tuple[int, int]
"""A sentence: the number of its passage and its own within it, from 0."""


@dataclass(frozen=True)
class Excerpt:
    """A passage, its `sentences` (verbatim parts of it, in order) and the numbers of those that are given to the model."""

    passage: str
    sentences: tuple[str, ...]
    chosen: frozenset[int]

    @classmethod
    def all_of(cls, passage: str) -> Excerpt:
        """The passage with nothing left out."""
        parts = pieces(passage)
        return cls(passage, parts, frozenset(range(len(parts))))

    @property
    def whole(self) -> bool:
        """Whether nothing is left out."""
        return len(self.chosen) == len(self.sentences)

    @property
    def text(self) -> str:
        """What the model is given: the passage itself, or the chosen sentences joined by spaces."""
        if self.whole:
            return self.passage
        return " ".join(self.sentences[n] for n in sorted(self.chosen))


def condense(
    hits: Sequence[Hit], query: str, budget: int, count: Callable[[str], int], index: Index
) -> list[Excerpt]:
    """An excerpt of each of `hits`, which as the context of a prompt have at most `budget` tokens by `count`.

    All are whole where they fit so; one of which no sentence fits is empty. Raises TextTooLong for a query that
    the index's embedder would read only in part.
    """
    texts = [hit.passage.text for hit in hits]
    if not texts or count(format_context(texts)) <= budget:
        return [Excerpt.all_of(text) for text in texts]
    return fill(texts, ranked(hits, query, index), budget, count)


def pieces(passage: str) -> tuple[str, ...]:
    """The sentences of a passage without the white space around them; of one longer than LONG words, its runs."""
    found = (sentence for paragraph in paragraphs(passage) for sentence in sentences(paragraph))
    runs = (run.strip() for sentence in found for run in split(sentence, LONG).pieces)
    return tuple(run for run in runs if run)


def fill(
    passages: Sequence[str], order: Iterable[Place], budget: int, count: Callable[[str], int]
) -> list[Excerpt]:
    """Excerpts of `passages` with the sentences of `order`, the most important first, each taken if it still fits."""
    parts = [pieces(passage) for passage in passages]
    chosen: list[frozenset[int]] = [frozenset()] * len(parts)

    def excerpts() -> list[Excerpt]:
        return [Excerpt(*each) for each in zip(passages, parts, chosen, strict=True)]

    for passage, sentence in order:
        before = chosen[passage]
        chosen[passage] = before | {sentence}
        if count(context_of(excerpts())) > budget:
            chosen[passage] = before
    return excerpts()


def context_of(excerpts: Iterable[Excerpt]) -> str:
    """The excerpts as the context of a prompt; one without any sentence is not there."""
    return format_context([excerpt.text for excerpt in excerpts if excerpt.chosen])


def ranked(hits: Sequence[Hit], query: str, index: Index) -> list[Place]:
    """All sentences of `hits`, the most important first; equal ones in the order of the passages."""
    parts = [pieces(hit.passage.text) for hit in hits]
    places = [(number, n) for number, those in enumerate(parts) for n in range(len(those))]
    if not places:
        return []
    weight = index.manifest.calibration.dense_weight
    own = strengths([parts[number][n] for number, n in places], query, index.embedder, weight)
    around = [weight * hits[number].dense + (1 - weight) * hits[number].lexical for number, _ in places]
    total = own + around
    return [places[n] for n in np.argsort(-total, kind="stable")]


def strengths(texts: list[str], query: str, embedder: Embedder, weight: float) -> Any:
    """float64 [texts]: `weight` · cosine with the query + (1 − weight) · BM25 coverage among `texts`."""
    cosines = encode_passages(embedder, texts) @ encode_query(embedder, query)
    return weight * cosines.astype(np.float64) + (1 - weight) * Lexical.build(texts).coverage(query)
