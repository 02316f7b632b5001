"""What goes into the `questions` generator and what comes out of it, free of any language; used by `space/questions.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from space.frames import Note
from space.question_list import Item, ShortAnswer

MAX_TEXT_CHARS = 20_000
MAX_LEVEL_WORDS = 6


@dataclass(frozen=True)
class Ask:
    """A request as it comes. `types` is one of TYPES, `technique` the name of a template, empty for "questions"; `seed`
    None or -1 draws one; `generator` None is the first that fits."""

    text: Any
    number: Any = 5
    types: Any = "short"
    level: Any = ""
    technique: Any = ""
    seed: Any = None
    generator: Any = None


@dataclass(frozen=True)
class Asked:
    """An item with the sentence of the text that bears it out; `doubt` is empty or why it is not borne out (question_checks.REASONS)."""

    item: Item
    evidence: str
    doubt: str = ""

    @property
    def kind(self) -> str:
        """ "short" or "truefalse"."""
        return "short" if isinstance(self.item, ShortAnswer) else "truefalse"


@dataclass(frozen=True)
class QuestionFrame:
    """What is known at one moment. `phase`: loading, reading, writing or done; `items` only grows until then.

    `partial` is what is written of the next item; `rounds` how often the model was asked again; `dropped` counts by reason what
    was left out; `progress` is the share of the prompt read; `cached`, once done: all of it had been written before.
    """

    phase: str
    seed: int
    number: int
    items: tuple[Asked, ...] = ()
    partial: str = ""
    rounds: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    tokens: int = 0
    tokens_per_second: float = 0.0
    progress: float = 0.0
    notes: tuple[Note, ...] = ()
    generator: str = ""
    technique: str = "questions"
    text: str = ""
    cached: bool = False
