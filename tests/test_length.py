"""Where a speech ends: at a sentence's end, near the length asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from space.length import CAP, Length, sentence_ends


def stream(text: str, target: int, opening: str = "", size: int = 3) -> Length:
    length = Length(opening, target)
    for start in range(0, len(text), size):
        if not length.add(text[start : start + size]):
            return length
    length.finish()
    return length


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Uno. Dos.", 1),
        ("El Sr. López vino. Se fue.", 1),
        ("Pagó 3.5 euros. Nada más.", 1),
        ("¿Y tú? «Yo.» Nadie…", 2),
        ("Dijo: ¡basta! y se fue.", 0),
        ("EE. UU. ganó. Perdió.", 1),
        ("Primero.\n\nSegundo.", 1),
        ("www.ejemplo.es sigue", 0),
    ],
)
def test_sentence_ends(text: str, count: int) -> None:
    assert len(sentence_ends(text)) == count


def test_it_stops_at_the_first_sentence_end_after_the_target() -> None:
    text = "Una frase de cinco palabras. " * 10
    length = stream(text, 12)
    assert length.words == 15
    assert length.text.endswith("palabras.")
    assert not length.cut


def test_a_sentence_that_ends_exactly_at_the_target_is_the_last() -> None:
    assert stream("Una frase de cinco palabras. " * 10, 10).words == 10


def test_an_endless_sentence_is_cut_back_and_says_so() -> None:
    length = stream("Una frase corta. " * 5 + "Y sigue " * 200, 20)
    assert length.text.endswith("corta.")
    assert length.words == 15
    assert length.cut


def test_a_text_without_any_sentence_end_is_left_as_it_is() -> None:
    length = stream("palabra " * 300, 20)
    assert length.words == pytest.approx(20 * CAP, abs=1)
    assert not length.cut


def test_the_opening_counts_and_begins_the_text() -> None:
    length = stream(" siguió. Y otra frase más. Fin.", 6, opening="La vez que vi el mar")
    assert length.text == "La vez que vi el mar siguió."


@given(st.text(alphabet="ab .!?\n¿«»", max_size=300), st.integers(1, 40), st.integers(1, 7))
def test_whatever_comes_the_text_is_a_beginning_of_it(text: str, target: int, size: int) -> None:
    length = stream(text, target, size=size)
    assert text.lstrip().startswith(length.text)
    assert length.words == len(length.text.split())
    assert length.words <= max(target * CAP + size, target + 1)


@given(
    st.lists(
        st.sampled_from(["Una", "frase", "fin.", "Sr.", "etc.", "¿No?", "y", "«Sí.»"]),
        min_size=1,
        max_size=60,
    ),
    st.integers(1, 30),
    st.sampled_from(["", "Una vez.", "Hubo una vez un"]),
    st.integers(1, 7),
)
def test_a_text_given_again_at_once_ends_where_it_ended_in_pieces(
    words: list[str], target: int, opening: str, size: int
) -> None:
    text = " " + " ".join(words)
    pieces, given = Length(opening, target), ""
    for start in range(0, len(text), size):
        given += text[start : start + size]
        if not pieces.add(text[start : start + size]):
            break
    again = Length(opening, target)
    again.add(given)
    assert (again.text, again.words, again.cut) == (pieces.text, pieces.words, pieces.cut)
