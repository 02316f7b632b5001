"""Ranks passages by both senses: cosine of the embeddings (FAISS) and BM25 coverage (index/lexical.py).

The fused strength of a passage is `w · cosine + (1 − w) · coverage`; w is the index's dense weight. Only the best passages of
either sense are looked at, so that the cost beyond the two searches does not grow with the corpus.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from index.embed import Vectors
from index.lexical import Lexical

CANDIDATES = 100

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Ranking:
    """Passages, best first: their row numbers, cosines and coverages, each [candidates]."""

    ids: Array
    dense: Array
    lexical: Array


class Ranker:
    """A FAISS inner-product index and a BM25 index over the same passages."""

    def __init__(self, vectors: Any, lexical: Lexical) -> None:
        import faiss

        # Two OpenMP threads are slower than one as soon as another process computes (14 against 3 ms at 20,000 passages).
        faiss.omp_set_num_threads(1)
        self.vectors = vectors
        self.lexical = lexical

    def rank(self, query: str, vector: Vectors, dense_weight: float) -> Ranking:
        """The candidates of a query whose vector is `vector` [dimension], by fused strength, ties by row number."""
        return fuse(self.candidates(query, vector), dense_weight)

    def candidates(self, query: str, vector: Vectors) -> Ranking:
        """The best passages by cosine and by coverage, united, in order of their row numbers."""
        count = min(CANDIDATES, self.vectors.ntotal)
        nearest = self.vectors.search(vector[None], count)[1][0]
        coverage = self.lexical.coverage(query)
        best = np.argpartition(-coverage, count - 1)[:count]
        ids = np.union1d(nearest, best[coverage[best] > 0])
        cosines = self.vectors.reconstruct_batch(ids) @ vector
        return Ranking(ids, cosines, coverage[ids])


def fuse(found: Ranking, dense_weight: float) -> Ranking:
    """The same passages, ordered by fused strength."""
    strength = dense_weight * found.dense + (1 - dense_weight) * found.lexical
    order = np.argsort(-strength, kind="stable")
    return Ranking(found.ids[order], found.dense[order], found.lexical[order])
