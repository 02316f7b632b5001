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
    assert 0.2 < told.mean() < 0.7
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


def test_an_answer_says_every_span_of_its_question_once() -> None:
    user, end, assistant = 9001, 9002, 9003
    drills = Drills(np.eye(8)[0], np.arange(5000), np.array([user]), np.array([end, assistant]))
    ids, told = drills.rows(np.random.default_rng(1), 40, 1200)
    turns = of_texts = whole = 0
    for row, known in zip(ids.tolist(), told.tolist(), strict=True):
        assert row[0] == user
        starts = [n for n, token in enumerate(row) if token == user]
        for start, stop in zip(starts, [*starts[1:], None], strict=True):
            turn = row[start + 1 : stop]
            if assistant not in turn:
                continue  # the row ends within the question
            middle = turn.index(assistant)
            piece, answer = turn[: middle - 1], turn[middle + 1 :]
            assert turn[middle - 1] == end
            assert not any(known[start : start + middle])
            if stop is not None:
                assert answer.pop() == end
                assert sorted(answer) == piece
                whole += 1
            assert len(set(answer)) == len(answer) or not any(answer)
            turns += 1
            of_texts += max(piece) > 0
    assert whole > 40
    assert 0.5 < of_texts / turns < 0.9
    tokens = np.diff(ids)[told]
    assert set(tokens) == {0, 1}  # within a span the texts of this test count up, the random tokens are one


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
