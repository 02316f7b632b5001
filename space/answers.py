"""Texts that were written before: an identical request with an identical seed is answered at once, and says so.

    engine = Answers(LocalEngine(...))
    for _ in range(2): print([step.cached for step in engine.stream(request)])  # False for each token, then True, True

Kept in memory only, never on disk: the text that the model wrote, under a digest of its request, so that no visitor's message is
in it unless the model repeated it. Only for an engine whose texts depend on the request alone: a remote server promises no
such thing, and may have changed its model since, so `space/studio.py` wraps the local engine and no other.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from space.engine import Engine, Enough, Request, Step, Steps
from space.prompts import Message

NUMBER, BYTES = 512, 4 * 2**20
"""At most so many texts, and so many bytes of them: a speech of ten minutes has 8 kB."""


@dataclass(frozen=True)
class _Answer:
    """A whole text, or, without an `end`, all that its taker wanted of it; counts in tokens as in Step."""

    text: str
    prompt: int
    written: int
    end: str | None

    @property
    def size(self) -> int:
        return len(self.text.encode())


class Answers:
    """An engine in front of `engine` that keeps its texts, least recently used ones going first; safe for several threads.

    A text that ended by its deadline, failed or was closed by its taker is not kept. Equal requests that run at the same time
    are both written. Everything else that `engine` has is to be had here too.
    """

    def __init__(self, engine: Engine, number: int = NUMBER, size: int = BYTES) -> None:
        self.context = engine.context
        self.reading_speed = engine.reading_speed
        self._engine = engine
        self._number = number
        self._size = size
        self._kept: OrderedDict[bytes, _Answer] = OrderedDict()
        self._bytes = 0
        self._changing = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def count(self, messages: Sequence[Message], opening: str = "") -> int:
        return self._engine.count(messages, opening)

    def hot(self, request: Request) -> list[bool]:
        return self._engine.hot(request)

    def prepare(self, request: Request) -> None:
        self._engine.prepare(request)

    def stream(self, request: Request) -> Steps:
        """The steps of `request`: two that are `cached` where it was written before, else the engine's own, raising what it raises."""
        key = _key(request)
        with self._changing:
            answer = self._kept.get(key)
            if answer:
                self._kept.move_to_end(key)
        return (
            self._repeat(key, request, answer) if answer else self._write(key, self._engine.stream(request))
        )

    def _write(self, key: bytes, steps: Steps) -> Steps:
        """`steps`, kept under `key` once they end or their taker leaves."""
        pieces: list[str] = []
        with closing(steps):
            for step in steps:
                pieces.append(step.text)
                if step.end not in (None, "deadline"):
                    self._keep(key, pieces, step)
                try:
                    yield step
                except Enough:
                    if step.end is None:
                        self._keep(key, pieces, step)
                    return

    def _repeat(self, key: bytes, request: Request, answer: _Answer) -> Steps:
        """`answer`, and where its taker had left and this one does not, the rest of it from the engine."""
        yield Step("", answer.prompt, answer.prompt, 0, cached=True)
        yield Step(answer.text, answer.prompt, answer.prompt, answer.written, answer.end, cached=True)
        if answer.end is not None:
            return
        known = len(answer.text)
        with closing(self._write(key, self._engine.stream(request))) as steps:
            for step in steps:
                text, known = step.text[known:], max(0, known - len(step.text))
                if step.written > answer.written or step.end is not None:
                    yield step._replace(text=text)

    def _keep(self, key: bytes, pieces: Sequence[str], last: Step) -> None:
        answer = _Answer("".join(pieces), last.prompt, last.written, last.end)
        with self._changing:
            before = self._kept.pop(key, None)
            self._kept[key] = answer
            self._bytes += answer.size - (before.size if before else 0)
            while self._kept and (len(self._kept) > self._number or self._bytes > self._size):
                self._bytes -= self._kept.popitem(last=False)[1].size


def _key(request: Request) -> bytes:
    """A digest of all that the text depends on: the deadline is not part of it, as no text that ended by one is kept."""
    return hashlib.sha256(repr(replace(request, deadline=0.0)).encode()).digest()
