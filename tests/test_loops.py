"""When a text goes round in circles, and that the finding does not depend on how the text comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from space.loops import LEAST, LONGEST, ROUNDS, Loops

FOUR = "uno dos tres cuatro "


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Antes. " + FOUR * 3 + "fin", "Antes. " + FOUR),
        ("no " * 13, "no "),
        ("No sé. " * 7, "No sé. "),
        ("0" * 260, "0" * 20),
        ("En fin, " + "a b c. " * 30, "En fin, a b c. "),
    ],
)
def test_the_first_round_is_kept(text: str, kept: str) -> None:
    assert Loops().find(text) == len(kept)


@pytest.mark.parametrize(
    "text",
    [
        "No, no, no, no y no. Ya lo dije.",
        FOUR * 2 + "cinco " + FOUR * 2,
        "".join(f"La frase número {n} dice lo mismo. " for n in range(50)),
        " ".join(str(n) for n in range(LONGEST + 1)) * ROUNDS,
        "",
        "\n\n \n",
    ],
)
def test_what_is_no_loop(text: str) -> None:
    assert Loops().find(text) is None


def test_what_the_visitor_wrote_does_not_count() -> None:
    opening = "la " * 40
    assert Loops(len(opening)).find(opening + "vida sigue ") is None
    assert Loops(len(opening)).find(opening + FOUR * 3 + ".") == len(opening + FOUR)


some = st.lists(st.sampled_from(["a", "b.", "c"]), max_size=6)
words = st.builds(
    lambda before, again, times, after: " ".join([*before, *again * times, *after]),
    some,
    some,
    st.integers(0, 14),
    some,
)


@given(words, st.lists(st.integers(1, 9), max_size=60))
def test_the_pieces_do_not_matter(text: str, sizes: list[int]) -> None:
    loops, found, end = Loops(), None, 0
    for size in [*sizes, len(text)]:
        end = min(end + size, len(text))
        if (found := loops.find(text[:end])) is not None:
            break
    assert found == Loops().find(text)


@given(words)
def test_a_loop_is_one_by_the_definition(text: str) -> None:
    """Read again without counters: every stretch of equal rounds, the first to be complete."""
    said = text.split(" ")[:-1]
    ends = [
        end - length + size
        for end in range(len(said) + 1)
        for size in range(1, LONGEST + 1)
        if (length := max(ROUNDS * size, LEAST)) <= end
        and said[end - length + size : end] == said[end - length : end - size]
    ]
    assert Loops().find(text) == (len(" ".join([*said[: ends[0]], ""])) if ends else None)
