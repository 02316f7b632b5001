"""A conversation as the client sends it: checked as what it is, untrusted, and fitted into the context.

`pytest tests/test_chatting.py` runs it. Turns alternate, the visitor's first: `{"role": "user", "content": "…"}`, then the
persona's with role "assistant", its bubbles parted by line breaks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from space import inputs
from space.engine import Engine
from space.errors import (
    HistoryNotList,
    HistoryUnanswered,
    PromptTooLong,
    TooLong,
    TooManyTurns,
    TurnInvalid,
)
from space.prompts import Message, PromptTemplate

MAX_MESSAGES = 400
MAX_CHARS = 100_000
"""Of a whole history: several times what a context of 4096 tokens holds."""
REPLY_CHARS = 2000
"""The most characters of a reply of the persona."""
_GROWTH = 3
"""How many times longer NFC can make a text: what was sent once within its limit may come back so."""
ROLES = ("user", "assistant")


@dataclass(frozen=True)
class History:
    """Checked messages, and how many invisible characters were removed from them."""

    messages: tuple[Message, ...]
    removed: int = 0


def read_history(value: object, max_chars: int) -> History:
    """The history in `value`; `max_chars` is the limit of a visitor's message.

    Raises HistoryNotList, TooManyTurns, TurnInvalid (which one), HistoryUnanswered, TooLong, NotText.
    """
    if value is None:
        return History(())
    if not isinstance(value, list | tuple):
        raise HistoryNotList(kind=type(value).__name__)
    if len(value) > MAX_MESSAGES:
        raise TooManyTurns(size=len(value), limit=MAX_MESSAGES)
    messages, removed = [], 0
    for number, item in enumerate(value, 1):
        role = ROLES[(number - 1) % 2]
        if not isinstance(item, dict) or set(item) != {"role", "content"} or item["role"] != role:
            raise TurnInvalid(number=number, role=role)
        limit = _GROWTH * (max_chars if role == "user" else REPLY_CHARS)
        clean = inputs.clean_text(item["content"], "history", limit)
        if not clean.text:
            raise TurnInvalid(number=number, role=role)
        messages.append({"role": role, "content": clean.text})
        removed += clean.removed
    if len(messages) % 2:
        raise HistoryUnanswered(number=len(messages))
    if (size := sum(len(message["content"]) for message in messages)) > MAX_CHARS:
        raise TooLong(field="history", size=size, limit=MAX_CHARS)
    return History(tuple(messages), removed)


@dataclass(frozen=True)
class Prompt:
    """What the model reads: messages, their `tokens`, and how many turns of the history were left out."""

    messages: list[Message]
    tokens: int
    forgotten: int


def fit(
    engine: Engine,
    template: PromptTemplate,
    values: dict[str, str],
    history: Sequence[Message],
    room: int,
) -> Prompt:
    """The prompt with the latest turns that leave `room` tokens for the reply; older ones are left out.

    When turns must go, up to a quarter more go than must, so that the prompts of the next turns begin alike and the
    engine need not read them again. Raises PromptTooLong when the message alone does not fit.
    """
    pairs = len(history) // 2

    def prompt(forgotten: int) -> Prompt:
        messages = template.render(history[2 * forgotten :], **values)
        return Prompt(messages, engine.count(messages), forgotten)

    def fits(found: Prompt) -> bool:
        return found.tokens + room <= engine.context

    whole = prompt(0)
    if fits(whole):
        return whole
    least = prompt(pairs)
    if not fits(least):
        raise PromptTooLong(tokens=least.tokens, context=engine.context)
    low, high = 1, pairs  # the least that must go is between them
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(prompt(middle)) else (middle + 1, high)
    step = 1 << max(0, ((pairs - low) // 4).bit_length() - 1)
    return prompt(-(-low // step) * step)
