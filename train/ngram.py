"""A 5-gram language model over token ids: the baseline that `python -m train pretrain` compares the model with.

Interpolated Kneser-Ney with one discount an order (Chen and Goodman, "An Empirical Study of Smoothing Techniques for
Language Modeling", 1999, section 2.7), counted on the same tokens that the model is trained on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ORDER = 5


@dataclass(frozen=True)
class _Level:
    """n-grams of one length. An n-gram's key is `id of its first n - 1 tokens * vocabulary + last token`."""

    keys: np.ndarray  # sorted; an n-gram's id is its place here
    counts: np.ndarray  # [keys]; occurrences of the longest n-grams, different tokens before the others
    totals: np.ndarray  # [ids of the level below], sum of the counts that continue it
    types: np.ndarray  # [ids of the level below], how many different tokens continue it
    discount: float


class KneserNey:
    """Counts of a token stream, from which the probability of each token of another is read."""

    def __init__(self, tokens: np.ndarray, vocabulary: int, order: int = ORDER) -> None:
        """`tokens`: [n] integers below `vocabulary`, n > `order`."""
        self.vocabulary = vocabulary
        stream = np.asarray(tokens, dtype=np.int64)
        keys, ids, firsts = [], [np.zeros(len(stream) + 1, dtype=np.int64)], []
        for n in range(1, order + 1):
            last = stream[n - 1 :]
            unique, first, inverse = np.unique(
                ids[-1][: len(last)] * vocabulary + last, return_index=True, return_inverse=True
            )
            keys.append(unique)
            firsts.append(first)
            ids.append(inverse)
        self.levels = []
        for n in range(1, order + 1):
            if n == order:
                counts = np.bincount(ids[n], minlength=len(keys[n - 1]))
            else:  # the n-gram that each longer one ends with
                counts = np.bincount(ids[n][firsts[n] + 1], minlength=len(keys[n - 1]))
            below = len(keys[n - 2]) if n > 1 else 1
            self.levels.append(_level(keys[n - 1], counts, vocabulary, below))

    def probabilities(self, tokens: np.ndarray) -> np.ndarray:
        """[n] probabilities of `tokens` [n + 1] after the first, each from the tokens before it, at most ORDER - 1."""
        stream = np.asarray(tokens, dtype=np.int64)
        result = np.full(len(stream) - 1, 1 / self.vocabulary)
        for n, level in enumerate(self.levels, 1):
            context = self._ids(stream, n - 1)  # of the n - 1 tokens before each position from n - 1 on
            start = max(n - 1, 1)  # the first token has no probability
            context = context[start - (n - 1) : len(stream) - (n - 1)]
            last, target = stream[start:], slice(start - 1, None)
            seen = (context >= 0) & (level.totals[context] > 0)
            total = np.where(seen, level.totals[context], 1)
            found = _find(level.keys, context * self.vocabulary + last, seen)
            count = np.where(found >= 0, level.counts[found], 0)
            own = np.maximum(count - level.discount, 0) / total
            backed = level.discount * level.types[context] / total * result[target]
            result[target] = np.where(seen, own + backed, result[target])
        return result

    def _ids(self, stream: np.ndarray, n: int) -> np.ndarray:
        """[len - n + 1] ids of the n-grams of `stream` by where they start, -1 where unseen; zeros for n = 0."""
        ids = np.zeros(len(stream) + 1, dtype=np.int64)
        for length in range(1, n + 1):
            last = stream[length - 1 :]
            before = ids[: len(last)]
            ids = _find(self.levels[length - 1].keys, before * self.vocabulary + last, before >= 0)
        return ids


def _level(keys: np.ndarray, counts: np.ndarray, vocabulary: int, below: int) -> _Level:
    context = keys // vocabulary
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    continued = counts > 0  # an n-gram seen only at the very start of the stream has nothing before it
    return _Level(
        keys,
        counts,
        np.bincount(context, weights=counts, minlength=below),
        np.bincount(context[continued], minlength=below),
        once / (once + 2 * twice) if once else 0.5,
    )


def _find(keys: np.ndarray, wanted: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Places of `wanted` in the sorted `keys`, -1 where it is not there or not `valid`."""
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(valid & (keys[places] == wanted), places, -1)
