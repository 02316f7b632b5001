"""Copying by supervised attention: what the rows hold, where the heads are told to look, and that a model learns it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch

from train.induction import Drills, lookups, losses
from train.pretrain import make_optimizers

VOCABULARY = 64
TEXT = np.random.default_rng(5).integers(0, VOCABULARY, 2000)
MARKS = np.array([60]), np.array([61, 62])


def test_what_is_told_was_seen_after_the_same_token_before() -> None:
    drills = Drills(np.full(VOCABULARY, 1 / VOCABULARY), TEXT, *MARKS)
    ids, told = drills.rows(np.random.default_rng(0), 8, 200)
    assert ids.shape == (8, 201)
    assert told.shape == (8, 200)
    assert 0.3 < told.mean() < 0.95
    for row, known in zip(ids.tolist(), told.tolist(), strict=True):
        seen: set[tuple[int, int]] = set()
        for pair, is_told in zip(pairwise(row), known, strict=True):
            assert not is_told or pair in seen
            seen.add(pair)


def test_rows_follow_the_seed_and_hold_no_special_token_but_the_marks() -> None:
    frequencies = np.zeros(VOCABULARY)
    frequencies[10:20] = 0.1
    drills = Drills(frequencies, np.repeat(np.arange(10, 20), 90), *MARKS)
    first, again, other = (drills.rows(np.random.default_rng(seed), 2, 50)[0] for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()
    assert set(np.unique(first)) <= {*range(10, 20), 60, 61, 62}


def test_a_token_is_looked_up_at_its_first_occurrence() -> None:
    places, known = lookups(torch.tensor([[5, 6, 5, 7, 5, 6]]))
    assert known.tolist() == [[False, False, True, False, True, True]]
    assert places[known].tolist() == [1, 1, 2]


def test_the_same_pair_goes_before_a_later_single_token() -> None:
    places, known = lookups(torch.tensor([[1, 2, 3, 4, 2, 5, 1, 2]]))
    assert known[0].nonzero().flatten().tolist() == [4, 6, 7]
    assert places[known].tolist() == [2, 1, 2]


def test_three_tokens_go_before_two() -> None:
    places, known = lookups(torch.tensor([[7, 1, 2, 3, 8, 1, 2, 4, 7, 1, 2]]))
    assert known[0].nonzero().flatten().tolist() == [5, 6, 8, 9, 10]
    assert places[known].tolist() == [2, 3, 1, 2, 3]


def test_most_rows_are_a_piece_of_the_texts_as_a_question_and_excerpts_of_it_as_the_answer() -> None:
    user, end, assistant = marks = 9001, 9002, 9003
    drills = Drills(np.eye(8)[0], np.arange(5000), np.array([user]), np.array([end, assistant]))
    ids, told = drills.rows(np.random.default_rng(1), 40, 400)
    excerpts = [row for row in ids if row.max() > 0]
    assert 20 < len(excerpts) < 36
    for row, known in zip(ids, told, strict=True):
        if row.max() > 0:
            answered = row.tolist().index(assistant)
            assert row[0] == user
            assert row[answered - 1] == end
            assert 90 < answered <= 2 + 400 * 2 // 3
            assert set(row[answered + 1 :]) <= set(row[:answered]) - set(marks)
            assert not known[:answered].any()
            assert (np.diff(row)[known] == 1).all()
            assert known[answered:].mean() > 0.7


def test_a_model_learns_to_copy() -> None:
    from transformers import Phi3Config, Phi3ForCausalLM

    torch.manual_seed(0)
    shape = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = Phi3ForCausalLM(
        Phi3Config(
            vocab_size=VOCABULARY, pad_token_id=0, num_key_value_heads=2, tie_word_embeddings=True, **shape
        )
    )
    kept = model.config._attn_implementation
    drills, rng = Drills(np.full(VOCABULARY, 1 / VOCABULARY), TEXT, *MARKS), np.random.default_rng(0)
    optimizers = make_optimizers(model)
    measured = []
    for _ in range(250):
        ids, told = map(torch.from_numpy, drills.rows(rng, 4, 96))
        copying, looking = losses(model, ids, told)
        (copying + looking).backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        measured.append((copying.item(), looking.item()))
    assert model.config._attn_implementation == kept
    copying_nats, looking_nats = np.mean(measured[-30:], axis=0)
    assert looking_nats < 2  # two kinds of heads, each mostly at its place; at first 6
    assert copying_nats < 2.5  # by chance: ln(64), 4.2
