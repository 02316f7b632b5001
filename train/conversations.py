"""Messages to conversations, turns and training examples: used by `python -m train prepare chat`.

A conversation ends with a silence. What one author writes within the window is one turn of several bubbles, a line each.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from space.prompts import CHAT_OPENING, Message
from train.audit import Audit
from train.corpus import Document

BUBBLE = "\n"
"""Between the bubbles of a turn; a line break inside a message also begins a bubble."""


@dataclass(frozen=True)
class Said:
    """A message that is kept: masked text, the author as shown, whether the author is the persona."""

    time: datetime.datetime
    author: str
    text: str
    by_persona: bool


@dataclass(frozen=True)
class Turn:
    """Bubbles as (author, text): all by the persona, or all by others."""

    by_persona: bool
    bubbles: list[tuple[str, str]]


@dataclass
class Conversation(Document):
    """A document that keeps who said what; `labelled` when more than one other person writes in the chat."""

    turns: list[Turn] = field(default_factory=list)
    labelled: bool = False


@dataclass(frozen=True)
class Limits:
    """The most characters and messages of an example."""

    characters: int
    messages: int


@dataclass(frozen=True)
class Exchange:
    """What others said, as one user message, and the persona's reply."""

    message: str
    reply: str
    bubbles: int

    @property
    def characters(self) -> int:
        return len(self.message) + len(self.reply)


def by_silence(messages: Iterable[Said], silence: datetime.timedelta) -> Iterator[list[Said]]:
    """Conversations: a message more than `silence` after the one before begins another."""
    found: list[Said] = []
    for message in messages:
        if found and message.time - found[-1].time > silence:
            yield found
            found = []
        found.append(message)
    if found:
        yield found


def to_turns(messages: Sequence[Said], window: datetime.timedelta) -> list[Turn]:
    """The persona's messages, each within `window` of the one before, are one turn; those of others up to the persona's
    next are one turn."""
    turns: list[Turn] = []
    before: Said | None = None
    for message in messages:
        goes_on = before is not None and before.by_persona == message.by_persona
        if before is not None and message.by_persona and message.time - before.time > window:
            goes_on = False
        if not goes_on:
            turns.append(Turn(message.by_persona, []))
        lines = [line.strip() for line in message.text.split("\n")]
        turns[-1].bubbles.extend((message.author, line) for line in lines if line)
        before = message
    return turns


def paragraph(author: str, text: str) -> str:
    """A bubble as a paragraph of the document."""
    return f"{author}: {text}"


def exchanges(conversation: Conversation, limits: Limits, audit: Audit) -> list[Exchange]:
    """Each reply of the persona with what was said to it since the reply before; CHAT_OPENING when that is nothing.

    Bubbles that are no longer among the document's paragraphs are left out.
    """
    left = set(conversation.paragraphs)
    found: list[Exchange] = []
    waiting: list[str] = []
    last = ""
    for turn in conversation.turns:
        kept = [(author, text) for author, text in turn.bubbles if paragraph(author, text) in left]
        if not turn.by_persona:
            for author, text in kept:
                waiting.append(paragraph(author, text) if conversation.labelled and author != last else text)
                last = author
        elif kept:
            reply = BUBBLE.join(text for _, text in kept)
            found.extend(_exchange(waiting, reply, limits, audit))
            waiting, last = [], ""
    audit.dropped("messages of others that the persona does not answer", " / ".join(waiting), len(waiting))
    return found


def _exchange(waiting: list[str], reply: str, limits: Limits, audit: Audit) -> list[Exchange]:
    room = limits.characters - len(reply) - len(CHAT_OPENING)
    bubbles = reply.count(BUBBLE) + 1
    if room < 0 or bubbles >= limits.messages:
        audit.dropped("turns of the persona longer than an example", reply)
        return []
    kept: list[str] = []
    for text in reversed(waiting):
        room -= len(text) + len(BUBBLE)
        if room < 0 or len(kept) + bubbles >= limits.messages:
            break
        kept.insert(0, text)
    audit.dropped(
        "messages of others before a reply, for which an example has no room", number=len(waiting) - len(kept)
    )
    return [Exchange(BUBBLE.join(kept) or CHAT_OPENING, reply, len(kept) + bubbles)]


def pack(found: Sequence[Exchange], limits: Limits) -> list[list[Exchange]]:
    """Consecutive exchanges in as few groups as keep to the limits, of about equal length."""
    total = sum(e.characters for e in found)
    number = max(-(-total // limits.characters), -(-sum(e.bubbles for e in found) // limits.messages), 1)
    groups: list[list[Exchange]] = []
    for exchange in found:
        if not groups or not _fits(groups[-1], exchange, limits, total / number):
            groups.append([])
        groups[-1].append(exchange)
    return groups


def _fits(group: list[Exchange], exchange: Exchange, limits: Limits, wanted: float) -> bool:
    characters = sum(e.characters for e in group)
    bubbles = sum(e.bubbles for e in group) + exchange.bubbles
    within = characters + exchange.characters <= limits.characters and bubbles <= limits.messages
    return within and characters + exchange.characters / 2 <= wanted


def history(group: Sequence[Exchange]) -> list[Message]:
    """The messages before a group's last exchange."""
    return [
        message
        for exchange in group[:-1]
        for message in (
            {"role": "user", "content": exchange.message},
            {"role": "assistant", "content": exchange.reply},
        )
    ]
