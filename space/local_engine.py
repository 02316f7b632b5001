"""llama.cpp in this process: one model in memory, one worker thread, several requests at once.

    engine = LocalEngine(Path("base.gguf"), {"charlas": Path("lora.gguf")}, chat_template, context=4096, threads=2, parallel=4)

The worker goes round: one token for each request that writes (those of one adapter in one batch), then a slice of the prompt of
one request that reads, as long as READING seconds, so that a text never stands still for longer than a slice. A request
takes the slot whose prompt has the longest beginning in common with its own, or a beginning or passages whose state was kept
(space/reading.py), and reads only the rest. While nobody waits, it reads what `prepare` and `learn` were told, for those who come.

Equal requests give equal texts whatever else runs (see space/native.py): a prompt is read at least two tokens at a time, and only
what was read as a prompt is reused, not what was written. Not so for a large model, whose kernels were chosen for speed: there the
last bits depend on who else is writing and on drafts, and one seed may give two texts.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from space.calibrate import Calibration
from space.chat import ChatTemplate, encode
from space.engine import Request, Steps
from space.errors import EngineClosed, PromptTooLong
from space.jobs import Job, Pool
from space.kernels import DEFAULT
from space.native import Context, Model
from space.plans import Planner
from space.prompts import Message
from space.slices import BATCH, Slices
from space.speculation import Lookup
from space.states import States
from space.writing import Writer

WORTH_COPYING, WORTH_COPYING_LARGE = 32, 8
"""Tokens that a prompt has in common with what was read, from which its cells are copied: for a small and for a large model."""
TURN = 0.05
"""Seconds before another adapter's requests write: each change makes llama.cpp build its graph again (3 ms at 4 layers)."""


@dataclass(frozen=True)
class Tuning:
    """What `space/calibrate.py` chose for the model, and where states are kept that were read before."""

    calibration: Calibration = field(default_factory=partial(Calibration, DEFAULT))
    states: States | None = None


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
        tuning: Tuning | None = None,
    ) -> None:
        tuning = tuning or Tuning()
        self.context = context
        self.calibration = tuning.calibration
        self.reading_speed = tuning.calibration.reading
        self._states = tuning.states
        self._model = Model(model, adapters, tuning.calibration.kernels)
        self._context = self.make_context(self._model, parallel, context, BATCH, threads)
        reading, writing = self._context.calibrate(threads)
        self.threads = {"reading": reading, "writing": writing}
        vocabulary = self._model.vocabulary
        self._template = ChatTemplate(chat_template, vocabulary.bos, vocabulary.eos)
        worth = WORTH_COPYING if self.reading_speed is None else WORTH_COPYING_LARGE
        self._pool = Pool(self._context, self._states, worth)
        kept = self._states if self.reading_speed is not None else None
        self._planner = Planner(self.encode, vocabulary, self._states, kept, worth)
        self._waiting: deque[Job] = deque()
        self._unhurried: deque[Job] = deque()  # what is read while nobody waits
        self._running: list[Job] = []
        self._slices = Slices()
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
        if self._states:
            self._states.close()

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
        plan = self._planner.plan(request)
        if len(plan.prompt) >= self.context:
            raise PromptTooLong(tokens=len(plan.prompt), context=self.context)
        return self._follow(Job(request, plan))

    def hot(self, request: Request) -> list[bool]:
        """Of each passage of `request`: whether it was read before, so that it costs no time."""
        return self._planner.hot(request)

    def prepare(self, request: Request) -> None:
        """Has the passages of `request` read while nobody waits, for those who come."""
        plan = replace(self._planner.plan(request), keep_only=True)
        if plan.spans and len(plan.prompt) < self.context and not all(self.hot(request)):
            self._later(Job(request, plan))

    def learn(self, adapter: str | None, one: Sequence[Message], other: Sequence[Message]) -> None:
        """Keeps the state of what the prompts of two requests have in common, read while nobody waits.

        Both hold placeholders where a visitor's words would be, so that nothing of a visitor is kept.
        """
        if plan := self._planner.learn(adapter, one, other):
            self._later(Job(Request(one, adapter=adapter), plan))

    def _later(self, job: Job) -> None:
        with self._changed:
            self._unhurried.append(job)
            self._changed.notify()

    def _follow(self, job: Job) -> Steps:
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
        """Waits until there is work and gives slots to those who wait, in order; one of the unhurried if nobody does."""
        with self._changed:
            while not (self._closing or self._waiting or self._running or self._unhurried):
                self._changed.wait()
            if not self._waiting and not self._running and self._unhurried:
                self._waiting.append(self._unhurried.popleft())
            elif self._waiting:
                self._interrupt()
            while not self._closing and self._waiting and len(self._running) < len(self._context.lengths):
                job = self._waiting.popleft()
                if not job.cancelled:
                    self._running.append(job)
                    try:
                        self._place(job)
                    except Exception as error:
                        self._fail(job, error)

    def _interrupt(self) -> None:
        """Puts an unhurried reading off: what it has read of a passage is lost, whole passages are kept."""
        for job in [job for job in self._running if job.plan.keep_only]:
            self._release(job)
            self._unhurried.appendleft(Job(job.request, job.plan))

    def _place(self, job: Job) -> None:
        self._pool.place(job, self._running)

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
        if len(self._running) == 1 and group[0].lookup and not long:
            self._write_alone(group[0], group[0].lookup)
        elif single := [job for job in group if len(job.feed) == 1 and job not in long]:
            rows = [(job.number, job.feed[0]) for job in single]
            self._decode(adapter, single, lambda: self._context.write(rows))

    def _feed(self, job: Job) -> list[int]:
        return [self._context.read(job.number, job.feed)]

    def _decode(self, adapter: str | None, jobs: list[Job], decode: Callable[[], list[int]]) -> None:
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

    def _write_alone(self, job: Job, lookup: Lookup) -> None:
        """The next token of a visitor who is alone, with a draft of what may follow it where that pays: several tokens at once.

        Each is chosen by the request's own sampler, so the draft changes no odds (space/speculation.py).
        """
        assert job.writer is not None
        room = self.context - len(job.plan.prompt) - job.writer.tokens
        draft = lookup.draft()[:room] if room > 0 and job.worth.wanted() else []
        start, begun = self._context.lengths[job.number], time.monotonic()
        tokens = [*job.feed, *draft]
        try:
            self._context.use_adapter(job.request.adapter)
            if draft:
                self._context.read(job.number, tokens, range(len(tokens)))
                rows = list(range(len(tokens)))
            else:
                rows = self._context.write([(job.number, tokens[0])])
        except Exception as error:
            self._fail(job, error)
            return
        accepted = 0
        for row, expected in zip(rows, [*draft, None], strict=True):
            self._choose(job, row)
            if job.slot is None or list(job.feed) != [expected]:
                break
            accepted += 1
        if job.slot is not None:
            self._context.truncate(job.number, start + 1 + accepted)
        seconds = time.monotonic() - begun
        if draft:
            job.worth.drafted(accepted, seconds)
        else:
            job.worth.plain(seconds)

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
        reading, slot = job.reading, job.slot
        assert reading is not None
        assert slot is not None
        alone = not job.plan.keep_only and not any(other.writer for other in self._running)
        tokens = reading.next(self._slices.size(alone, reading.left)) if not reading.done else ()
        begun = time.monotonic()
        row = 0
        try:
            if tokens:
                self._context.use_adapter(job.request.adapter)
                row = self._context.read(job.number, tokens)
                self._slices.took(alone, len(tokens), time.monotonic() - begun)
                reading.advance(len(tokens))
            slot.tokens = job.plan.prompt[: min(self._context.lengths[slot.number], job.plan.plain)]
            if reading.done and not job.plan.keep_only:
                self._begin_writing(job)
        except Exception as error:
            self._fail(job, error)
            return
        if job.writer is None and reading.done:
            self._release(job)
        elif job.writer is None:
            self._after(job, "")
        else:
            job.put("")
            self._choose(job, row)

    def _begin_writing(self, job: Job) -> None:
        prompt = job.plan.prompt
        job.writer = Writer(self._context, job.request, self.context - len(prompt))
        if self.reading_speed is not None:
            job.lookup = Lookup(prompt)

    def _choose(self, job: Job, row: int) -> None:
        assert job.writer is not None
        try:
            text = job.writer.choose(row)
        except Exception as error:
            self._fail(job, error)
            return
        if job.lookup and job.writer.end is None:
            for token in job.writer.feed:
                job.lookup.add(token)
        self._after(job, text)

    def _after(self, job: Job, text: str) -> None:
        """Tells what a step of `job` brought, and lets it go when it is over."""
        end = job.writer.end if job.writer else None
        if end is None and time.monotonic() > job.deadline:
            end = "deadline"
        job.put(text, end)
        if end is not None:
            self._release(job)

    def _fail(self, job: Job, error: BaseException) -> None:
        """Ends `job` with `error`; what its slot holds is not trusted any more."""
        if job.slot:
            job.slot.tokens = ()
        job.steps.put(error)
        self._release(job)

    def _release(self, job: Job) -> None:
        if job.writer:
            job.writer.close()
        if job in self._running:
            self._running.remove(job)
        if job.slot:
            self._context.truncate(job.slot.number, len(job.slot.tokens))
            job.slot = None
