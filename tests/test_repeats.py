"""Sentences said before are left out, whatever the pieces that the text comes in."""

from __future__ import annotations

import random

import pytest

from space.repeats import Repeats

BREAD = "El pan se hace con harina, agua y sal."
OVEN = "El horno de la abuela estaba siempre muy caliente."


def shown(text: str, opening: str = "", size: int = 1000) -> tuple[str, int]:
    repeats = Repeats(opening)
    pieces = [text[n : n + size] for n in range(0, len(text), size)]
    return "".join(map(repeats.add, pieces)) + repeats.finish(), repeats.left_out


@pytest.mark.parametrize(
    ("text", "expected", "left_out"),
    [
        (f"{BREAD} {BREAD} {OVEN}", f"{BREAD} {OVEN}", 1),
        (f"{BREAD} {OVEN}\n\n{BREAD} Huele bien.", f"{BREAD} {OVEN}\n\nHuele bien.", 1),
        (f"{BREAD}\n\n{BREAD}\n\n{OVEN}", f"{BREAD}\n\n{OVEN}", 1),
        (f"{BREAD} {OVEN} {BREAD} {OVEN} Fin.", f"{BREAD} {OVEN} Fin.", 2),
        (f"{BREAD} {OVEN} {BREAD}", f"{BREAD} {OVEN}", 1),
        (f"{BREAD} El pan se hace con harina, agua y miel.", None, 0),
        (f"{BREAD} El pan se hace", None, 0),
        ("Yo tengo un sueño. Hoy. Yo tengo un sueño. Hoy.", None, 0),
        (f"{BREAD} {OVEN}  ", None, 0),
        ("", None, 0),
    ],
)
def test_a_sentence_said_before_is_left_out(text: str, expected: str | None, left_out: int) -> None:
    for size in (1, 3, 7, 1000):
        assert shown(text, size=size) == (text if expected is None else expected, left_out)


def test_the_opening_stays_and_counts_as_said() -> None:
    assert shown(f" {BREAD} {OVEN}", opening=f"{BREAD} {BREAD}") == (f" {OVEN}", 1)
    assert shown(f" con harina, agua y sal. {OVEN}", opening=f"{BREAD} El pan se hace") == (
        f" con harina, agua y sal. {OVEN}",
        0,
    )


def test_what_is_shown_depends_on_the_text_alone() -> None:
    rng = random.Random(0)
    sentences = [
        BREAD,
        OVEN,
        "El Sr. Pérez vive cerca de la plaza desde hace años.",
        "«¿Y tú?», dijo.",
        "Sí.",
    ]
    for _ in range(200):
        text = "".join(rng.choice(sentences) + rng.choice([" ", "\n\n"]) for _ in range(8))
        cut = rng.randrange(len(text))
        assert len({shown(text[:cut], size=size) for size in (1, 2, 5, 1000)}) == 1
        assert not any(shown(text)[0].count(sentence) > 1 for sentence in sentences[:3])
