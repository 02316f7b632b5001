"""Whether a text tells a person's life: used by `python -m train prepare questions --only biographies`.

The rule, on the first OPENING words: the years of a birth and a death, 15 to 105 apart, closing a bracket before "fue un",
"es una"… ("Martín Lutero (10 de noviembre de 1483 – 18 de febrero de 1546) fue un profesor"); or a name before "nació en",
"nació el" or "nació hacia".
"""

from __future__ import annotations

import re
from collections.abc import Sequence

OPENING = 300  # words
_LIFE = (15, 105)  # years

_YEARS = re.compile(
    r"\b(\d{3,4})\s?(?:[-–—]|a)\s?(?:[^()\d]|\d{1,2}\b){0,25}?\b(\d{3,4})\),?[^.()]{0,60}? (?:fue|es|era) una? "
)
_BORN = re.compile(r"\b[A-ZÁÉÍÓÚÑ][\wáéíóúüñ'’-]+(?: \([^()]*\))?,? nació (?:en|el|hacia)\b")


def is_biography(paragraphs: Sequence[str]) -> bool:
    """Whether the paragraphs begin as a biography does."""
    opening = " ".join(" ".join(paragraphs).split()[:OPENING])
    spans = (int(death) - int(birth) for birth, death in _YEARS.findall(opening))
    return bool(_BORN.search(opening)) or any(_LIFE[0] <= span <= _LIFE[1] for span in spans)
