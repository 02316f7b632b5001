"""Whether a text is Spanish; of a long text, what share of it. By py3langid, among the languages that models drift into.

    from train.spanish import is_spanish, spanish_share

Measured on our own texts: 99.5 % of the 2,430 sentences of four words or more in train/texts/talks and all of 98 questions are
found Spanish, none of 92 English sentences of README.md and docs/. Below four words it guesses.
"""

from __future__ import annotations

import functools
from typing import Any

from index.passages import sentences

LANGUAGES = ("es", "en", "pt", "fr", "it", "de", "ca")
"""Among all 142 that it knows 98.0 % are found Spanish: Galician, Asturian and Extremaduran take the rest."""
LEAST_WORDS = 4


@functools.cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    identifier.set_languages(list(LANGUAGES))
    return identifier


def is_spanish(text: str) -> bool:
    """Whether Spanish is the likeliest of LANGUAGES."""
    return bool(_identifier().classify(text)[0] == "es")


def spanish_share(text: str) -> float | None:
    """The share of the words of `text` that are in Spanish sentences; None where no sentence has LEAST_WORDS.

    Shorter sentences are not counted.
    """
    parts = [part for paragraph in text.splitlines() for part in sentences(paragraph)]
    counted = [(len(part.split()), part) for part in parts if len(part.split()) >= LEAST_WORDS]
    total = sum(words for words, _ in counted)
    return sum(words for words, part in counted if is_spanish(part)) / total if total else None
