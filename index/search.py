"""Loads an index and searches it, without torch.

    from index.search import Index
    hits = Index.load(Path("DIR")).search("la vida en el mar", k=5)

On the command line: `python -m index search DIR "la vida en el mar"`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from index.calibrate import evidence, scorer
from index.embed import Embedder, encode_query, load_runtime
from index.errors import EmbedderMismatch, FileMismatch, RowMismatch
from index.fusion import Ranker
from index.lexical import Lexical
from index.passages import Passage
from index.store import (
    BM25,
    EMBEDDER,
    PASSAGES,
    VECTORS,
    Manifest,
    read_manifest,
    read_passages,
    verify_files,
)

__all__ = ["Hit", "Index", "Passage"]

_SAME = 0.98  # cosine of a stored vector and its passage encoded again: int8 rows and GGUFs stay above 0.99


@dataclass(frozen=True)
class Hit:
    """A passage found: `score` in 0..1 is the calibrated relevance, comparable across indexes (index/calibrate.py);
    `dense` the raw cosine, `lexical` the share of the query's weighted words that the passage and its document's title and topics hold.
    """

    passage: Passage
    score: float
    dense: float
    lexical: float


class Index:
    """A loaded index; `search` may be called from several threads."""

    def __init__(
        self, manifest: Manifest, passages: list[Passage], ranker: Ranker, embedder: Embedder
    ) -> None:
        self.manifest = manifest
        self.passages = passages
        self.embedder = embedder
        self._ranker = ranker
        self._score = scorer(manifest.calibration)

    @classmethod
    def load(cls, folder: Path) -> Index:
        """Reads and verifies an index folder.

        Raises IndexNotFound, UnknownFormat, FileMismatch, RowMismatch, BadEmbedder, NeedsSentenceTransformers, and
        EmbedderMismatch where the embedder does not reproduce a stored vector.
        """
        import faiss

        folder = Path(folder)
        manifest = read_manifest(folder)
        for name in (PASSAGES, VECTORS):
            if name not in manifest.files:
                raise FileMismatch(path=folder / name, expected="in index.json", found="not listed")
        verify_files(folder, manifest)
        passages = read_passages(folder)
        vectors = faiss.read_index(str(folder / VECTORS))
        lexical = Lexical.load(folder / BM25)
        counts = {"passages": len(passages), "vectors": vectors.ntotal, "lexical": len(lexical)}
        if set(counts.values()) != {manifest.passages}:
            raise RowMismatch(path=folder, **counts)
        embedder = load_runtime(folder / EMBEDDER)
        _verify_embedder(folder, embedder, passages[0].text, vectors)
        return cls(manifest, passages, Ranker(vectors, lexical), embedder)

    @property
    def threshold(self) -> float:
        """The score below which a hit is left out by default; 5 % of unrelated queries have a hit above it."""
        return self.manifest.threshold

    def relevance(self, score: float) -> str:
        """A score in words: "high", "medium" (at least the threshold) or "low"."""
        if score >= self.manifest.high:
            return "high"
        return "medium" if score >= self.threshold else "low"

    def search(self, query: str, k: int = 5, threshold: float | None = None) -> list[Hit]:
        """At most `k` passages whose score is at least `threshold`, best first.

        `threshold` None takes the index's own, -1 takes none. A query without any letter or digit finds nothing. Raises
        ValueError for k below 1, TextTooLong where the embedder would read only a part of the query.
        """
        if k < 1:
            raise ValueError(f"k is {k}; at least 1")
        query = query.encode("utf-8", "replace").decode("utf-8")
        if not any(character.isalnum() for character in query):
            return []
        calibration = self.manifest.calibration
        ranked = self._ranker.rank(query, encode_query(self.embedder, query), calibration.dense_weight)
        scores = self._score(evidence(ranked, calibration, max(k, 20)))
        lowest = self.threshold if threshold is None else threshold
        rows = zip(ranked.ids, scores, ranked.dense, ranked.lexical, strict=False)
        hits = [
            Hit(self.passages[int(i)], float(s), float(d), float(b)) for i, s, d, b in rows if s >= lowest
        ]
        return hits[:k]


def _verify_embedder(folder: Path, embedder: Embedder, text: str, vectors: Any) -> None:
    info = embedder.info
    cosine = 0.0
    if info.dimension == vectors.d:
        again = embedder.encode([info.passage_prompt + text])[0]
        cosine = float(np.dot(again, vectors.reconstruct(0)))
    if cosine < _SAME:
        raise EmbedderMismatch(
            path=folder, name=info.name, found=info.dimension, expected=vectors.d, cosine=f"{cosine:.3f}"
        )
