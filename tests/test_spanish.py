"""Spanish against the languages that a model drifts into, and the share of a mixed text."""

from __future__ import annotations

import re

import pytest

from index.passages import sentences
from tests import tiny
from train.spanish import LEAST_WORDS, is_spanish, spanish_share


def test_our_talks_are_spanish() -> None:
    found = [
        is_spanish(sentence)
        for paragraph in tiny.talk_paragraphs()
        if not re.match(r"#|---|\w+: ", paragraph)
        for sentence in sentences(paragraph)
        if len(sentence.split()) >= LEAST_WORDS
    ]
    assert len(found) > 2000
    assert sum(found) / len(found) > 0.99


@pytest.mark.parametrize(
    "text",
    [
        "What was the name of the woman who taught him how to draw?",
        "Onde foi que a menina aprendeu a ler e a escrever?",
        "Quelle est la couleur de la maison où elle habite?",
        "Dove abita la signora che ha scritto questo libro?",
        "Wie heißt der Mann, der das Haus gebaut hat?",
        "On viu la senyora que va escriure aquest llibre?",
    ],
)
def test_other_languages_are_not(text: str) -> None:
    assert not is_spanish(text)


def test_the_share_counts_words_of_whole_sentences() -> None:
    spanish = "El mar estaba quieto aquella mañana de invierno y nadie hablaba."
    english = "Nobody spoke while the boat left the harbour that winter morning."
    assert spanish_share(spanish) == 1
    assert spanish_share(english) == 0
    assert spanish_share(f"{spanish} {english}") == pytest.approx(0.5)
    assert spanish_share(f"{spanish}\n\nSí. No.") == 1
    assert spanish_share("Sí, claro.") is None
