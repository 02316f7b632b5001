"""What an engine is: it turns a prompt into a stream of text. `space/local_engine.py` is llama.cpp in this process.

with closing(engine.stream(Request(messages, max_tokens=200))) as steps:
    for step in steps: print(step.text, end="")
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from space.native import Sampling
from space.prompts import Message


@dataclass(frozen=True)
class Request:
    """One text to write: at most `max_tokens`, at least `min_words` unless the model insists, in `deadline` seconds.

    The answer begins with `opening`, which is not part of the stream. `adapter` None is the base model. The text ends before
    the first of the `stop` strings; `grammar` (GBNF, rule `root`) holds it to a form. `passages`: parts of the messages, in their
    order, that other requests will have too; an engine may read each alone and keep what that leaves (space/reading.py).
    """

    messages: Sequence[Message]
    opening: str = ""
    adapter: str | None = None
    sampling: Sampling = field(default_factory=Sampling)
    max_tokens: int = 512
    min_words: int = 0
    deadline: float = 600.0
    stop: tuple[str, ...] = ()
    grammar: str | None = None
    passages: tuple[str, ...] = ()


class Step(NamedTuple):
    """What one step brought: new `text` (may be empty), `read` of `prompt` tokens read, `written` tokens so far.

    `end` is None while it goes on, then "model", "stop", "tokens", "context" or "deadline". `cached`: not written now, but
    when the same was asked for before (space/answers.py).
    """

    text: str
    read: int
    prompt: int
    written: int
    end: str | None = None
    cached: bool = False


Steps = Generator[Step, None, None]


class Enough(Exception):
    """Thrown into steps instead of closing them: the text is long enough, and would be the next time it is asked for."""


def leave(steps: Steps) -> None:
    """Ends `steps` where any taker of the same request would end it; what a visitor interrupts is closed instead."""
    with suppress(Enough, StopIteration):
        steps.throw(Enough)


class Engine(Protocol):
    """What the Space needs of an engine; a remote server can be another implementation."""

    context: int
    reading_speed: float | None
    """Tokens of a prompt read in a second; None where nobody waits for that, or it is not known."""

    def count(self, messages: Sequence[Message], opening: str = "") -> int:
        """The tokens of the prompt."""

    def stream(self, request: Request) -> Steps:
        """The steps of `request`; closing the generator frees the engine within one step."""

    def hot(self, request: Request) -> list[bool]:
        """Of each passage of `request`: whether it was read before, so that it costs no time."""

    def prepare(self, request: Request) -> None:
        """Has the passages of `request` read while nobody waits, for those who come."""
