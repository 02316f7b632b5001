"""BM25 over the passages (bm25s, Spanish Snowball stemmer and stop words), as a part of an index.

`coverage` is a BM25 score divided by the sum of its query's idf weights: between 0 (no word in common) and 1 (every word of
the query, very often), with words unknown to the corpus counted at the highest idf, so that it compares across queries.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import bm25s
import numpy as np
import Stemmer
from bm25s.stopwords import STOPWORDS_SPANISH

_WORD = re.compile(r"\w\w+")
_STOPWORDS = frozenset(STOPWORDS_SPANISH)

Scores = np.ndarray[Any, np.dtype[np.float32]]


class Lexical:
    """A BM25 index (k1 1.5, b 0.75, Lucene's idf)."""

    def __init__(self, model: bm25s.BM25) -> None:
        self._model = model
        self._stemmer = Stemmer.Stemmer("spanish")
        count = model.scores["num_docs"]
        frequency = np.diff(model.scores["indptr"])
        self._idf = np.log(1 + (count - frequency + 0.5) / (frequency + 0.5))
        self._unknown_idf = float(np.log(1 + (count + 0.5) / 0.5))

    @classmethod
    def build(cls, texts: Iterable[str]) -> Lexical:
        """Indexes the texts, in order."""
        stemmer = Stemmer.Stemmer("spanish")
        words = [_stems(text, stemmer) for text in texts]
        # Numbered here, in the order of the texts: bm25s takes the order of a set, another in every process.
        numbers = {stem: n for n, stem in enumerate(dict.fromkeys(itertools.chain.from_iterable(words)))}
        numbers = numbers or {"": 0}  # texts without any word: bm25s cannot index nothing
        ids = [[numbers[stem] for stem in stems] or [0] * ("" in numbers) for stems in words]
        model = bm25s.BM25()
        model.index((ids, numbers), create_empty_token=True, show_progress=False)
        return cls(model)

    @classmethod
    def load(cls, folder: Path) -> Lexical:
        """Reads what `save` wrote."""
        return cls(bm25s.BM25.load(folder, show_progress=False))

    def save(self, folder: Path) -> None:
        self._model.save(folder, show_progress=False)

    def __len__(self) -> int:
        return int(self._model.scores["num_docs"])

    def coverage(self, query: str) -> Scores:
        """float32 [passages]: for a query without any known word, zeros."""
        stems = _stems(query, self._stemmer)
        known = [self._model.vocab_dict[stem] for stem in stems if stem in self._model.vocab_dict]
        if not known:
            return np.zeros(len(self), dtype=np.float32)
        weight = float(self._idf[known].sum()) + self._unknown_idf * (len(stems) - len(known))
        scores = self._model.get_scores_from_ids(known)
        return np.asarray(scores / weight, dtype=np.float32)


def _stems(text: str, stemmer: Any) -> list[str]:
    words = [word for word in _WORD.findall(text.lower()) if word not in _STOPWORDS]
    pairs = zip(words, stemmer.stemWords(words), strict=True)
    # Snowball takes "ía" for a verb's ending, whatever is left: "María" would be "mar", the sea.
    return [word if word.endswith("ía") and len(stem) <= 3 else stem for word, stem in pairs]
