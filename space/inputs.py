"""What a visitor or a program sends, cleaned and checked; every limit exceeded is a named error that says the limit.

`pytest tests/test_generators.py` runs these. Invisible characters are removed and counted, so that the page can say so.
"""

from __future__ import annotations

import math
import re
import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from space.errors import EmptyField, NotFlag, NotNumber, NotText, TooLong, TooManyWords
from space.native import Sampling

MAX_TOPIC_WORDS = 60
MAX_FIELD_WORDS = 20
MAX_PASSAGES = 10
MAX_SEED = 2**31 - 1
_LISTS = re.compile(r"[,;\n]+")


@dataclass(frozen=True)
class Clean:
    """A text without what cannot be seen, and how many characters were removed."""

    text: str
    removed: int = 0


def clean_text(value: object, field: str, max_chars: int, max_words: int | None = None) -> Clean:
    """`visible(value)`. Raises NotText, TooLong or TooManyWords with `field`, the name that the visitor sees."""
    if value is None:
        return Clean("")
    if not isinstance(value, str):
        raise NotText(field=field, kind=type(value).__name__)
    if len(value) > max_chars:
        raise TooLong(field=field, size=len(value), limit=max_chars)
    clean = visible(value)
    if max_words is not None and len(clean.text.split()) > max_words:
        raise TooManyWords(field=field, size=len(clean.text.split()), limit=max_words)
    return clean


def visible(value: str) -> Clean:
    """`value` in NFC, with plain spaces and without control, format, private and unpaired characters."""
    value = unicodedata.normalize("NFC", value.replace("\r\n", "\n").replace("\r", "\n"))
    kept = [c for n, c in enumerate(value) if _visible(value, n)]
    lines = ("".join(kept)).replace("\u2028", "\n").replace("\u2029", "\n").split("\n")
    text = "\n".join(" ".join(line.split()) for line in lines).strip()
    return Clean(text, len(value) - len(kept))


def _visible(text: str, position: int) -> bool:
    character = text[position]
    if character in "\n\t":
        return True
    if character == "\u200d":  # the joiner within an emoji, such as a family
        around = text[position - 1 : position] + text[position + 1 : position + 2]
        return len(around) == 2 and all(unicodedata.category(c) in ("So", "Sk", "Mn") for c in around)
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co")


def clean_topics(value: object, field: str, max_chars: int) -> tuple[list[str], int]:
    """The topics, split at commas, semicolons and line ends, and the characters removed. Raises InvalidInput."""
    clean = clean_text(value, field, max_chars, MAX_TOPIC_WORDS)
    topics = [topic.strip() for topic in _LISTS.split(clean.text) if topic.strip()]
    if not any(character.isalnum() for character in clean.text):
        raise EmptyField(field=field)
    return topics, clean.removed


def number(value: object, field: str, low: float, high: float) -> float:
    """`value` as a number within `low` and `high`. Raises NotNumber: nothing is rounded into the range."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not low <= value <= high:  # type: ignore[arg-type, operator]
        shown = repr(value)[:40]
        raise NotNumber(field=field, low=_plain(low), high=_plain(high), value=shown)
    return float(value)  # type: ignore[arg-type]


def whole(value: object, field: str, low: int, high: int) -> int:
    """As `number`, for whole numbers."""
    result = number(value, field, low, high)
    if not result.is_integer():
        raise NotNumber(field=field, low=low, high=high, value=repr(value)[:40])
    return int(result)


def flag(value: object, field: str) -> bool:
    """`value` if it is true or false. Raises NotFlag."""
    if not isinstance(value, bool):
        raise NotFlag(field=field, value=repr(value)[:40])
    return value


def seed(value: object, field: str) -> int:
    """The seed; none, an empty text and -1 mean a random one."""
    if value is None or value == "" or (isinstance(value, int | float) and value == -1):
        return secrets.randbelow(MAX_SEED + 1)
    return whole(value, field, 0, MAX_SEED)


def later_seed(seed: int, by: int) -> int:
    """The seed `by` places after `seed`; after the greatest comes 0."""
    return (seed + by) % (MAX_SEED + 1)


def temperature(creativity: float, usual: float) -> float:
    """Creativity 0..1 as a temperature: 0.3 of the bundle's `usual` at 0, `usual` at 0.5, 1.4 of it at 1."""
    low, high = 0.3, 1.4
    factor = (
        low + (1 - low) * creativity * 2 if creativity <= 0.5 else 1 + (high - 1) * (creativity - 0.5) * 2
    )
    return usual * factor


def sampling(options: Mapping[str, Any], creativity: float, seed: int) -> Sampling:
    """How to choose tokens: a bundle's `options`, Sampling's own where it names none, with its temperature at middle creativity."""
    usual = Sampling(seed=seed)
    return replace(
        usual,
        temperature=temperature(creativity, float(options.get("temperature", usual.temperature))),
        top_p=float(options.get("top_p", usual.top_p)),
        top_k=int(options.get("top_k", usual.top_k)),
        min_p=float(options.get("min_p", usual.min_p)),
        repeat_penalty=float(options.get("repeat_penalty", usual.repeat_penalty)),
    )


def _plain(value: float) -> str:
    return f"{value:g}"
