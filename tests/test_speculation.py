"""Drafts against a search through all that was written, and the judgement whether they pay by made-up times."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from space.speculation import LONGEST_REST, TRIAL, Lookup, Worth


def searched(tokens: list[int], run: int, limit: int) -> list[int]:
    """The draft by going back through all tokens."""
    for place in range(len(tokens) - 1, run - 1, -1):
        if tokens[place - run : place] == tokens[len(tokens) - run :]:
            return tokens[place : place + limit]
    return []


@given(st.lists(st.integers(0, 3), max_size=80), st.integers(0, 80), st.integers(1, 5), st.integers(1, 7))
def test_a_draft_is_what_a_search_finds(tokens: list[int], prompt: int, run: int, limit: int) -> None:
    lookup = Lookup(tokens[:prompt], run, limit)
    for end in range(min(prompt, len(tokens)), len(tokens)):
        assert lookup.draft() == searched(tokens[:end], run, limit)
        lookup.add(tokens[end])
    assert lookup.draft() == searched(tokens, run, limit)


def test_the_latest_place_wins_and_nothing_is_drafted_without_one() -> None:
    assert Lookup([1, 2, 3, 7, 7, 1, 2, 3, 8, 8, 1, 2, 3]).draft() == [8, 8, 1]
    assert Lookup([5, 5, 5, 5]).draft() == [5]
    assert Lookup([1, 2, 3, 4]).draft() == Lookup([1, 2, 1, 2]).draft() == Lookup([]).draft() == []


def test_a_token_costs_the_same_however_long_the_text() -> None:
    """No run is kept twice: at most one entry a token."""
    rng = random.Random(0)
    lookup = Lookup([rng.randrange(5) for _ in range(5000)])
    assert len(lookup._next) <= 5**3


def steps(
    worth: Worth, number: int, cost: Callable[[], float], accepted: Callable[[], int]
) -> tuple[float, int, int]:
    """The seconds, tokens and drafted steps of `number` steps with a draft always at hand; a plain one takes a second."""
    seconds, tokens, drafted = 0.0, 0, 0
    for _ in range(number):
        if worth.wanted():
            took, right = cost(), accepted()
            worth.drafted(right, took)
            seconds, tokens, drafted = seconds + took, tokens + right + 1, drafted + 1
        else:
            worth.plain(1.0)
            seconds, tokens = seconds + 1, tokens + 1
    return seconds, tokens, drafted


def test_nothing_is_drafted_before_a_plain_step_was_timed() -> None:
    worth = Worth()
    assert not worth.wanted()
    worth.plain(1.0)
    assert worth.wanted()


def test_what_always_pays_is_never_left() -> None:
    assert steps(Worth(), 1000, lambda: 1.4, lambda: 1)[2] == 999


def test_what_never_pays_costs_next_to_nothing() -> None:
    seconds, tokens, drafted = steps(Worth(), 3000, lambda: 1.5, lambda: 0)
    assert 0 < drafted <= 12 * TRIAL
    assert seconds / tokens < 1.02


@pytest.mark.parametrize("pays", [True, False])
def test_a_change_is_noticed(pays: bool) -> None:
    worth = Worth()
    steps(worth, 2000, lambda: 1.4, lambda: 0 if pays else 2)
    steps(worth, LONGEST_REST + 8 * TRIAL, lambda: 1.4, lambda: 2 if pays else 0)
    _, _, drafted = steps(worth, 200, lambda: 1.4, lambda: 2 if pays else 0)
    assert drafted == 200 if pays else drafted < 50


@given(st.floats(1.0, 3.0), st.floats(0.0, 0.9), st.integers(0, 1000))
def test_drafting_is_never_much_slower_than_not(cost: float, share: float, seed: int) -> None:
    """Each token of three is right with probability `share`, a step costs up to three plain ones."""
    rng = random.Random(seed)

    def accepted() -> int:
        return next((n for n in range(3) if rng.random() > share), 3)

    seconds, tokens, _ = steps(Worth(), 3000, lambda: cost, accepted)
    assert seconds / tokens < 1.12
