"""Engines that treat the tiny model as a large one: its speeds are known, so passages are kept and drafts are made."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import ClassVar

from space.calibrate import Calibration
from space.engine import Request, Step
from space.kernels import DEFAULT
from space.local_engine import LocalEngine, Tuning
from space.native import Context, Sampling
from space.prompts import RAG, format_context
from space.states import States
from train.tokenizer import CHAT_TEMPLATE

CONTEXT = 1024
PLENTY = 10**9
PASSAGES = (
    "El mar guarda la memoria de los pueblos que viven junto a él, y cada barca que sale de noche lleva consigo las "
    "voces de quienes ya no están, sus canciones y sus nombres.",
    "La escuela rural enseña a leer con los periódicos de la semana pasada, porque el maestro sabe que una noticia "
    "vieja también abre el mundo a quien la lee despacio y con otros.",
    "Los bosques crecen hacia abajo antes que hacia arriba; quien planta un árbol planta primero una raíz, y con ella "
    "la paciencia de esperar la sombra que otros han de tener.",
)


class Counting(Context):
    """`tokens` has how many tokens each decoding had, `drafts` the lengths of the drafts among them."""

    tokens: ClassVar[list[int]] = []
    drafts: ClassVar[list[int]] = []

    def read(self, slot: int, tokens: Sequence[int], wanted: range | None = None) -> int:
        if wanted is not None:
            Counting.drafts.append(len(tokens) - 1)
        return super().read(slot, tokens, wanted)

    def _decode(self, count: int) -> None:
        Counting.tokens.append(count)
        super()._decode(count)


class CountingEngine(LocalEngine):
    make_context = Counting


def large(
    model: Path, folder: Path | None, adapters: dict[str, Path] | None = None, parallel: int = 2
) -> LocalEngine:
    """An engine with known speeds; states are kept in `folder` if there is one."""
    states = folder and States("tiny", folder, PLENTY, PLENTY)
    tuning = Tuning(Calibration(DEFAULT, reading=50.0, writing=10.0), states)
    return CountingEngine(model, adapters or {}, CHAT_TEMPLATE, CONTEXT, 1, parallel, tuning)


def plain(model: Path) -> LocalEngine:
    """An engine that reads and writes one token after another."""
    return CountingEngine(model, {}, CHAT_TEMPLATE, CONTEXT, 1, 2)


def rag(passages: Sequence[str] = PASSAGES, topics: str = "el mar", **options: object) -> Request:
    """A request of the RAG tab; its text is 30 tokens long, by the most probable tokens."""
    content = RAG.render(context=format_context(list(passages)), topics=topics)
    options = {"max_tokens": 30, "min_words": 10**6, "sampling": Sampling(temperature=0), **options}
    return Request(content, passages=tuple(passages), **options)  # type: ignore[arg-type]


def steps_of(engine: LocalEngine, asked: Request) -> list[Step]:
    with closing(engine.stream(asked)) as steps:
        return list(steps)


def text_of(engine: LocalEngine, asked: Request) -> str:
    return "".join(step.text for step in steps_of(engine, asked))


def idle(engine: LocalEngine, seconds: float = 10.0) -> bool:
    """Waits until nothing is waiting, running or put off; whether it came to that."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with engine._changed:  # requests change from one list to another while it is held
            if not (engine._running or engine._waiting or engine._unhurried):
                return True
        time.sleep(0.002)
    return False
