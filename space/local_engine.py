"""llama.cpp in this process: one model in memory, one worker thread, several requests at once.

    engine = LocalEngine(Path("base.gguf"), {"charlas": Path("lora.gguf")}, chat_template, context=4096, threads=2, parallel=4)

The worker goes round: one token for each request that writes (those of one adapter in one batch), then a slice of the prompt of
one request that reads, as long as READING seconds, so that a text never stands still for longer than a slice. A request
takes the slot whose prompt has the longest beginning in common with its own, and reads only the rest.

Equal requests give equal texts whatever else runs (see space/native.py): a prompt is read at least two tokens at a time, and only
what was read as a prompt is reused, not what was written.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import SimpleQueue

from space.chat import ChatTemplate, encode
from space.engine import Request, Step, Steps
from space.errors import EngineClosed, PromptTooLong
from space.native import Context, Model
from space.prompts import Message
from space.writing import Writer

BATCH = 256
"""Tokens of a prompt that are read at once, at most."""
READING, READING_ALONE = 0.4, 1.0
"""Seconds that a slice of a prompt should take: while others write, and while none does (a cancel waits as long)."""
LEAST_SLICE = 8
TURN = 0.05
"""Seconds before another adapter's requests write: each change makes llama.cpp build its graph again (3 ms at 4 layers)."""
WORTH_COPYING = 32
"""Tokens in common from which the memory of a slot in use is copied."""


@dataclass
class _Slot:
    """A sequence of the context: the prompt tokens it holds, read with `adapter`; `used` counts admissions."""

    number: int
    adapter: str | None = None
    tokens: Sequence[int] = ()
    used: int = 0


@dataclass
class _Job:
    """A request on its way: waiting without a slot, reading without a writer, writing."""

    request: Request
    prompt: list[int]
    steps: SimpleQueue[Step | BaseException] = field(default_factory=SimpleQueue)
    cancelled: bool = False
    slot: _Slot | None = None
    read: int = 0
    writer: Writer | None = None
    deadline: float = 0.0

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

    def advance(self, count: int) -> None:
        """Notes that `count` more tokens of the prompt are in its slot."""
        assert self.slot is not None
        self.read += count
        self.slot.tokens = self.prompt[: self.read]

    def put(self, text: str, end: str | None = None) -> None:
        written = self.writer.tokens if self.writer else 0
        self.steps.put(Step(text, self.read, len(self.prompt), written, end))


class LocalEngine:
    """`context` in tokens for each of `parallel` requests; `threads` at most. Raises ModelUnreadable, TemplateInvalid."""

    make_context: type[Context] = Context

    def __init__(
        self,
        model: Path,
        adapters: dict[str, Path],
        chat_template: str,
        context: int,
        threads: int,
        parallel: int = 1,
    ) -> None:
        self.context = context
        self._model = Model(model, adapters)
        self._context = self.make_context(self._model, parallel, context, BATCH, threads)
        reading, writing = self._context.calibrate(threads)
        self.threads = {"reading": reading, "writing": writing}
        vocabulary = self._model.vocabulary
        self._template = ChatTemplate(chat_template, vocabulary.bos, vocabulary.eos)
        self._slots = [_Slot(number) for number in range(parallel)]
        self._waiting: deque[_Job] = deque()
        self._running: list[_Job] = []
        self._admissions = 0
        self._row_seconds = 0.0  # to read one token, by the last slices
        self._turn: tuple[str | None, float] = (None, 0.0)  # the adapter that writes, since when
        self._changed = threading.Condition()
        self._closing = False
        self._worker = threading.Thread(target=self._work, name="orador-engine", daemon=True)
        self._worker.start()

    def close(self) -> None:
        """Ends what is running with EngineClosed and frees the model."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._worker.join()
        self._context.close()
        self._model.close()

    def encode(self, messages: Sequence[Message], opening: str = "") -> list[int]:
        """The prompt's token ids. Raises EngineClosed: the vocabulary is freed with the model."""
        parts = self._template.parts(messages, opening)
        with self._changed:
            if self._closing:
                raise EngineClosed()
            return encode(parts, self._model.vocabulary.markers, self._model.vocabulary.tokenize)

    def count(self, messages: Sequence[Message], opening: str = "") -> int:
        return len(self.encode(messages, opening))

    def stream(self, request: Request) -> Steps:
        """The steps of `request`. Raises PromptTooLong before any work; DecodeFailed, GrammarInvalid or EngineClosed later."""
        prompt = self.encode(request.messages, request.opening)
        if len(prompt) >= self.context:
            raise PromptTooLong(tokens=len(prompt), context=self.context)
        return self._follow(_Job(request, prompt))

    def _follow(self, job: _Job) -> Steps:
        with self._changed:
            if self._closing:
                raise EngineClosed()
            self._waiting.append(job)
            self._changed.notify()
        try:
            while True:
                step = job.steps.get()
                if isinstance(step, BaseException):
                    raise step
                yield step
                if step.end is not None:
                    return
        finally:
            job.cancelled = True

    def _work(self) -> None:
        while not self._closing:
            try:
                self._admit()
                for job in [job for job in self._running if job.cancelled]:
                    self._release(job)
                self._write()
                self._read()
            except Exception as error:  # whatever it is, nobody may wait for ever
                for job in list(self._running):
                    self._fail(job, error)
        for job in [*self._running, *self._waiting]:
            self._fail(job, EngineClosed())

    def _admit(self) -> None:
        """Waits until there is work and gives slots to those who wait, in order."""
        with self._changed:
            while not (self._closing or self._waiting or self._running):
                self._changed.wait()
            while not self._closing and self._waiting and len(self._running) < len(self._slots):
                job = self._waiting.popleft()
                if not job.cancelled:
                    self._running.append(job)
                    self._place(job)

    def _place(self, job: _Job) -> None:
        """Gives `job` a free slot with as much of its prompt as any slot holds. At least two tokens are left to read."""
        taken = {id(other.slot) for other in self._running if other.slot}
        free = [slot for slot in self._slots if id(slot) not in taken]
        shared = {slot.number: self._shared(job, slot) for slot in self._slots}
        best = max(self._slots, key=lambda slot: shared[slot.number])
        chosen = max(free, key=lambda slot: (shared[slot.number], -slot.used))
        job.read = shared[chosen.number]
        if shared[best.number] >= job.read + WORTH_COPYING:
            chosen = min(free, key=lambda slot: slot.used)
            job.read = shared[best.number]
            self._context.copy(best.number, chosen.number, job.read)
        else:
            self._context.truncate(chosen.number, job.read)
        self._admissions += 1
        chosen.adapter, chosen.tokens, chosen.used = (
            job.request.adapter,
            job.prompt[: job.read],
            self._admissions,
        )
        job.slot, job.deadline = chosen, time.monotonic() + job.request.deadline

    def _shared(self, job: _Job, slot: _Slot) -> int:
        if slot.adapter != job.request.adapter:
            return 0
        limit = max(0, min(len(slot.tokens), len(job.prompt) - 2))
        return next((n for n in range(limit) if slot.tokens[n] != job.prompt[n]), limit)

    def _write(self) -> None:
        """One token for each request of one adapter that writes."""
        writing = [job for job in self._running if job.writer]
        if not writing:
            return
        adapter = self._whose_turn([job.request.adapter for job in writing])
        group = sorted((j for j in writing if j.request.adapter == adapter), key=lambda job: job.number)
        long = [job for job in group if len(job.feed) > 1]
        for job in long:
            self._decode(adapter, [job], partial(self._feed, job))
        if single := [job for job in group if len(job.feed) == 1 and job not in long]:
            rows = [(job.number, job.feed[0]) for job in single]
            self._decode(adapter, single, lambda: self._context.write(rows))

    def _feed(self, job: _Job) -> list[int]:
        return [self._context.read(job.number, job.feed)]

    def _decode(self, adapter: str | None, jobs: list[_Job], decode: Callable[[], list[int]]) -> None:
        """Runs `decode`, which gives the row of logits of each of `jobs`, and lets these choose their next token."""
        try:
            self._context.use_adapter(adapter)
            rows = decode()
        except Exception as error:
            for job in jobs:
                self._fail(job, error)
            return
        for job, row in zip(jobs, rows, strict=True):
            self._choose(job, row)

    def _whose_turn(self, adapters: Sequence[str | None]) -> str | None:
        """The adapter that wrote last while its turn lasts, then the one whose request came first among the others."""
        adapter, since = self._turn
        now = time.monotonic()
        if adapter not in adapters or now - since > TURN:
            adapter = next((a for a in adapters if a != adapter), adapters[0])
            self._turn = (adapter, now)
        return adapter

    def _read(self) -> None:
        """A slice of the prompt of the request that has waited longest for one."""
        job = next((job for job in self._running if job.writer is None), None)
        if job is None:
            return
        self._running.remove(job)
        self._running.append(job)
        tokens = job.prompt[job.read : job.read + self._slice(len(job.prompt) - job.read)]
        begun = time.monotonic()
        try:
            self._context.use_adapter(job.request.adapter)
            row = self._context.read(job.number, tokens)
            seconds = (time.monotonic() - begun) / len(tokens)
            self._row_seconds = (self._row_seconds + seconds) / 2 if self._row_seconds else seconds
            job.advance(len(tokens))
            if job.read == len(job.prompt):
                job.writer = Writer(self._context, job.request, self.context - job.read)
        except Exception as error:
            self._fail(job, error)
            return
        if job.writer is None:
            self._after(job, "")
        else:
            job.steps.put(Step("", job.read, job.read, 0))
            self._choose(job, row)

    def _slice(self, left: int) -> int:
        """How many of the `left` tokens to read now: never a single one, and never leaving a single one."""
        seconds = READING if any(job.writer for job in self._running) else READING_ALONE
        wanted = int(seconds / self._row_seconds) // 8 * 8 if self._row_seconds else LEAST_SLICE * 4
        size = min(left, BATCH, max(LEAST_SLICE, wanted))
        return size - 1 if left - size == 1 else size

    def _choose(self, job: _Job, row: int) -> None:
        assert job.writer is not None
        try:
            text = job.writer.choose(row)
        except Exception as error:
            self._fail(job, error)
            return
        self._after(job, text)

    def _after(self, job: _Job, text: str) -> None:
        """Tells what a step of `job` brought, and lets it go when it is over."""
        end = job.writer.end if job.writer else None
        if end is None and time.monotonic() > job.deadline:
            end = "deadline"
        job.put(text, end)
        if end is not None:
            self._release(job)

    def _fail(self, job: _Job, error: BaseException) -> None:
        """Ends `job` with `error`; what its slot holds is not trusted any more."""
        if job.slot:
            job.slot.tokens = ()
        job.steps.put(error)
        self._release(job)

    def _release(self, job: _Job) -> None:
        if job.writer:
            job.writer.close()
        if job in self._running:
            self._running.remove(job)
        if job.slot:
            self._context.truncate(job.slot.number, len(job.slot.tokens))
            job.slot = None
