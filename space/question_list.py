"""Questions about a text as the plain lines a model writes, and back: the one place that knows this format.

    1. ¿Dónde nació Maria Sibylla Merian?
    Respuesta: en Fráncfort, Alemania
    2. En 1691 se mudó con sus hijas a Londres.
    Falso: no es «Londres», sino «Ámsterdam»
    3. Ninguna institución la había enviado a Surinam.
    Verdadero

Two lines each, so that a grammar of fixed line starts holds it. `python -m train prepare questions` writes it; the
Space parses it. `pytest tests/test_questions.py` runs both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

TYPES = ("short", "truefalse", "both")
"""What can be asked for: short answers, statements that are true or false, or both."""
MAX_NUMBER = 10
"""Of items that can be asked for at once."""
ANSWER, TRUE, FALSE = "Respuesta:", "Verdadero", "Falso"

_HEAD = re.compile(r"\d+[.)]\s+(\S.*)")
_NUMBER = re.compile(r"\d+[.)]?\s*")
_FALSE = re.compile(rf"{FALSE}(?::\s*(.*)|\.?)")


@dataclass(frozen=True)
class ShortAnswer:
    """A question and its answer, a few words of the text."""

    question: str
    answer: str


@dataclass(frozen=True)
class Statement:
    """A statement that the text makes true or false; `correction` says what is wrong with a false one, or is empty."""

    text: str
    true: bool
    correction: str = ""


Item = ShortAnswer | Statement


@dataclass(frozen=True)
class QuestionList:
    """What a text holds: the complete items in order, and the lines that belong to none."""

    items: list[Item]
    rest: list[str]


def format_questions(items: Iterable[Item]) -> str:
    """The items numbered from 1, two lines each, without a last line break. White space inside a text becomes a space."""
    return "\n".join(
        f"{number}. {head}\n{solution}" for number, (head, solution) in enumerate(map(_lines, items), 1)
    )


def parse_questions(text: str) -> QuestionList:
    """The items of a text, whole or still being written. Numbers may be any; blank lines and indentation do not matter."""
    items: list[Item] = []
    rest: list[str] = []
    head = ""
    for line in filter(None, map(str.strip, text.split("\n"))):
        item = _item(head, line) if head else None
        if item:
            items.append(item)
            head = ""
            continue
        match = _HEAD.fullmatch(line)
        if head or not match:
            rest.append(head or line)
        if head and not match:
            rest.append(line)
        head = match[1] if match else ""
    return QuestionList(items, [*rest, head] if head else rest)


def unfinished(text: str, done: int) -> str:
    """The question or statement that comes after `done` items, without its number, while it or its solution is being written."""
    found = parse_questions(text)
    if len(found.items) > done:
        item = found.items[done]
        return item.question if isinstance(item, ShortAnswer) else item.text
    return _NUMBER.sub("", found.rest[-1]) if found.rest else ""


def can_be_asked(example: Mapping[str, str]) -> bool:
    """Whether an example on the page can be asked for: it needs "text"; "number" and "types" are as on the page where given."""
    number, types = example.get("number", "5"), example.get("types", "short")
    if not example.get("text", "").strip() or types not in TYPES or not re.fullmatch("[0-9]{1,2}", number):
        return False
    return (2 if types == "both" else 1) <= int(number) <= MAX_NUMBER


def _lines(item: Item) -> tuple[str, str]:
    if isinstance(item, ShortAnswer):
        return _plain(item.question), f"{ANSWER} {_plain(item.answer)}"
    if item.true:
        return _plain(item.text), TRUE
    correction = _plain(item.correction)
    return _plain(item.text), f"{FALSE}: {correction}" if correction else FALSE


def _item(head: str, line: str) -> Item | None:
    """The item that a solution line completes, or None when the line is no solution."""
    if line.startswith(ANSWER):
        answer = line.removeprefix(ANSWER).strip()
        return ShortAnswer(head, answer) if answer else None
    if line.rstrip(".") == TRUE:
        return Statement(head, True)
    match = _FALSE.fullmatch(line)
    return Statement(head, False, match[1] or "") if match else None


def _plain(text: str) -> str:
    return " ".join(text.split())
