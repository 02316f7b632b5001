"""The 5-gram baseline: probabilities that sum to one, that equal a count by hand, and that learn."""

from __future__ import annotations

import numpy as np
import pytest

from train.ngram import KneserNey


def every_next(model: KneserNey, context: list[int]) -> np.ndarray:
    return np.array([model.probabilities(np.array([*context, t]))[-1] for t in range(model.vocabulary)])


@pytest.mark.parametrize("context", [[3], [1, 2], [4, 0, 2, 1], [7, 7, 7, 7, 7], [2, 9, 1, 3, 5, 0]])
def test_probabilities_of_all_continuations_sum_to_one(context: list[int]) -> None:
    stream = np.random.default_rng(0).zipf(1.5, 3000) % 10
    assert every_next(KneserNey(stream, 10), context).sum() == pytest.approx(1)


def test_a_bigram_model_equals_the_formula_by_hand() -> None:
    """Stream 0 1 0 2 0 1 1: bigrams 01 ×2, 10 ×2... counted below; discounts by n1 / (n1 + 2 n2)."""
    model = KneserNey(np.array([0, 1, 0, 2, 0, 1, 1]), 3, order=2)
    # bigrams: 01 2, 10 1, 02 1, 20 1, 11 1 -> n1 = 4, n2 = 1, D2 = 2/3
    # different tokens before 0: {1, 2}, before 1: {0, 1}, before 2: {0} -> counts 2 2 1, n1 = 1, n2 = 2, D1 = 1/5
    unigram = [
        (2 - 0.2) / 5 + 0.2 * 3 / 5 / 3,
        (2 - 0.2) / 5 + 0.2 * 3 / 5 / 3,
        (1 - 0.2) / 5 + 0.2 * 3 / 5 / 3,
    ]
    d2 = 4 / 6
    after_zero = [(max(c - d2, 0) + d2 * 2 * u) / 3 for c, u in zip([0, 2, 1], unigram, strict=True)]
    assert every_next(model, [0]) == pytest.approx(after_zero)


def test_longer_contexts_predict_a_repeating_text_better() -> None:
    rng = np.random.default_rng(1)
    phrases = [rng.integers(0, 50, 12) for _ in range(20)]
    stream = np.concatenate([phrases[i] for i in rng.integers(0, 20, 400)])
    bits = {
        n: -np.log2(KneserNey(stream[:4000], 50, n).probabilities(stream[4000:])).mean() for n in (1, 2, 5)
    }
    assert bits[5] < bits[2] < bits[1]
    assert bits[5] < 1.2
