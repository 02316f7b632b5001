"""The requests on their way through `space/local_engine.py`, and the slots of its context, which it gives them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue

from space.cells import Cells
from space.engine import Request, Step
from space.errors import StateUnknown
from space.native import Context
from space.reading import Plan, Reading
from space.speculation import Lookup, Worth
from space.states import States
from space.writing import Writer

WORTH_TAKING = 8
"""Tokens in common from which a slot is taken for them, and loses the rest; all prompts have the first few in common."""
ALL_FOR_ONE = 16
"""Cells of a slot that may be taken out for each that is new to the other: llama.cpp gives all or none."""


@dataclass
class Slot:
    """A sequence of the context: the prompt tokens it holds, read with `adapter`; `used` counts admissions."""

    number: int
    adapter: str | None = None
    tokens: Sequence[int] = ()
    used: int = 0


@dataclass
class Job:
    """A request on its way: waiting without a slot, reading without a writer, writing."""

    request: Request
    plan: Plan
    steps: SimpleQueue[Step | BaseException] = field(default_factory=SimpleQueue)
    cancelled: bool = False
    slot: Slot | None = None
    reading: Reading | None = None
    writer: Writer | None = None
    deadline: float = 0.0
    lookup: Lookup | None = None
    worth: Worth = field(default_factory=Worth)

    @property
    def number(self) -> int:
        """The number of its slot."""
        assert self.slot is not None
        return self.slot.number

    @property
    def feed(self) -> Sequence[int]:
        """The tokens that its writer wants read."""
        assert self.writer is not None
        return self.writer.feed

    def put(self, text: str, end: str | None = None) -> None:
        """Tells the taker what came."""
        written = self.writer.tokens if self.writer else 0
        read = self.reading.read if self.reading else 0
        self.steps.put(Step(text, read, len(self.plan.prompt), written, end))


class Pool:
    """The slots of `context`; `worth` are the tokens in common from which cells are copied or restored."""

    def __init__(self, context: Context, states: States | None, worth: int) -> None:
        self._context = context
        self._states = states
        self._worth = worth
        self._slots = [Slot(number) for number in range(len(context.lengths))]
        self._admissions = 0

    def place(self, job: Job, running: Sequence[Job]) -> None:
        """Gives `job` a free slot with as much of its prompt as any slot holds. At least two tokens are left to read."""
        taken = {id(other.slot) for other in running if other.slot}
        free = [slot for slot in self._slots if id(slot) not in taken]
        shared = {slot.number: self._shared(job, slot) for slot in self._slots}
        best = max(self._slots, key=lambda slot: shared[slot.number])
        held = {number: tokens if tokens >= WORTH_TAKING else 0 for number, tokens in shared.items()}
        chosen = max(free, key=lambda slot: (held[slot.number], -slot.used))
        read = shared[chosen.number]
        known = self._stem(job, read)
        gain = shared[best.number] - (len(known) if known else read)
        if gain >= max(self._worth, self._context.lengths[best.number] // ALL_FOR_ONE):
            known = self._context.cells(best.number).cut(0, shared[best.number])
        if known is not None:
            chosen, read = min(free, key=lambda slot: slot.used), len(known)
            chosen.tokens = ()
            try:
                self._context.restore(chosen.number, [known])
            except StateUnknown:  # the slot is empty now: the prompt is read from its beginning
                read = 0
        else:
            self._context.truncate(chosen.number, read)
        self._admissions += 1
        chosen.adapter, chosen.tokens, chosen.used = (
            job.request.adapter,
            job.plan.prompt[:read],
            self._admissions,
        )
        job.slot, job.deadline = chosen, time.monotonic() + job.request.deadline
        job.reading = Reading(self._context, self._states, job.plan, chosen.number, read)

    def _stem(self, job: Job, shared: int) -> Cells | None:
        """The kept state of the beginning of the prompt, where that is more than the `shared` tokens that a free slot holds of it."""
        plan = job.plan
        if self._states is None or plan.keep_only or plan.stem < shared + self._worth:
            return None
        return self._states.get(plan.adapter, plan.prompt[: plan.stem])

    def _shared(self, job: Job, slot: Slot) -> int:
        if slot.adapter != job.request.adapter:
            return 0
        plan = job.plan
        prompt, most = plan.prompt, plan.plain if plan.spans else plan.plain - 2
        limit = max(0, min(len(slot.tokens), most))
        return next((n for n in range(limit) if slot.tokens[n] != prompt[n]), limit)
