"""What goes into a generator and what comes out of it, free of any language; used by `space/generators.py`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from index.search import Hit
from space.condense import Excerpt
from space.grounding import Support
from space.originality import Originality


@dataclass(frozen=True)
class Speech:
    """A request as it comes: texts as typed, numbers as sent; `generator` None is the first that fits."""

    topics: Any
    field: Any = ""
    opening: Any = ""
    minutes: Any = 3
    creativity: Any = 0.5
    seed: Any = None
    generator: Any = None


@dataclass(frozen=True)
class Grounded(Speech):
    """As `Speech`, grounded on `passages` passages that score at least `threshold` (None: the index's own).

    `without_context`: where none does, the text is written all the same, without passages and marked as such.
    """

    passages: Any = 5
    threshold: Any = None
    without_context: Any = False


@dataclass(frozen=True)
class Note:
    """Something that the visitor must know: a key of space/texts.py under "note." and its values."""

    key: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Found:
    """A passage for the prompt: `relevance` is high, medium or low; `used` False when there is no room for it; `excerpt` says
    which of its sentences are given, None for all."""

    hit: Hit
    relevance: str
    used: bool = True
    excerpt: Excerpt | None = None


@dataclass(frozen=True)
class Frame:
    """What is known at one moment. `phase`: loading, searching, reading, writing or done; `text` is cumulative.

    `progress` is the share of the prompt read, `first_token` the seconds from the turn's start to the first token;
    `originality` None until there is enough text, and without anything to compare it with; `grounding`, a finding for each
    sentence, None until the text is finished or stopped, and without passages; `cached`: the same request had been written before.
    """

    phase: str
    seed: int
    text: str = ""
    words: int = 0
    words_per_minute: int = 130
    tokens: int = 0
    tokens_per_second: float = 0.0
    first_token: float | None = None
    progress: float = 0.0
    passages: tuple[Found, ...] = ()
    notes: tuple[Note, ...] = ()
    generator: str = ""
    title: str = ""
    originality: Originality | None = None
    grounding: tuple[Support, ...] | None = None
    cached: bool = False

    @property
    def unsourced(self) -> bool:
        """Whether no passage scored enough and the text is written without any, as asked for."""
        return any(note.key == "without_context" for note in self.notes)

    @property
    def speech_seconds(self) -> int:
        """How long it takes to say the text."""
        return round(self.words * 60 / self.words_per_minute)


FRAME_SECONDS = 0.04
"""A frame at most this often: the browser draws no faster, and a cancelled request ends within one frame."""


class Pace:
    """How fast the steps of one request come, from the moment it is made."""

    def __init__(self) -> None:
        self.tokens = 0
        self._begun = time.monotonic()
        self._first: float | None = None
        self._latest = 0.0

    def step(self, written: int, now: float) -> None:
        """Notes that `written` tokens were there at `now` (of time.monotonic)."""
        if written and self._first is None:
            self._first = now
        self.tokens, self._latest = written, now

    @property
    def first_token(self) -> float | None:
        """Seconds to the first token, None before it."""
        return self._first - self._begun if self._first is not None else None

    @property
    def tokens_per_second(self) -> float:
        """Of the tokens after the first; 0 until there are two."""
        seconds = self._latest - self._first if self._first is not None else 0.0
        return (self.tokens - 1) / seconds if seconds > 0 and self.tokens > 1 else 0.0
