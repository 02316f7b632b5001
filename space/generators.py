"""The generators: plain Python generators that yield frames, each with the whole text so far.

    studio = Studio(Bundle.load(folder), Settings.from_env())
    for frame in finetuned(studio, Speech(topics="el mar", minutes=2)): print(frame.text)

Neither Gradio nor a language appears here: notes are keys of `space/texts.py` with their values.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from space import inputs
from space.bundle import Generator
from space.engine import Request, Step, leave
from space.errors import PromptTooLong
from space.frames import FRAME_SECONDS, Found, Frame, Grounded, Note, Pace, Speech
from space.grounding import ground
from space.length import CAP, EARLY, Length
from space.loops import Loops
from space.native import Sampling
from space.originality import Tracker
from space.originals import Source, texts_of
from space.prompts import SPEECH, join_topics
from space.rag_prompt import RagPrompt, fit, reading_budget, shorten
from space.repeats import Repeats
from space.studio import Studio

LEAST_ROOM = 64
"""Tokens that must be left for the answer; below that the prompt counts as too long."""

TOKENS_PER_WORD = 2.0
TURNS = 2
"""How often a text that goes round in circles is taken back to where its second round begins, and goes on by other choices."""


@dataclass(frozen=True)
class _Order:
    """A checked request."""

    generator: Generator
    topics: list[str]
    field: str
    opening: str
    target: int
    sampling: Sampling


def finetuned(studio: Studio, speech: Speech) -> Iterator[Frame]:
    """The frames of a speech on `speech.topics`. Raises InvalidInput before the first frame."""
    order, frame = _check(studio, speech, studio.speakers)
    if order.generator.adapter is None:
        frame = _noted(frame, "no_adapter")
    yield from _loading(studio, frame)
    messages = order.generator.prompts["speech"].render(**_values(order))
    yield from _write(studio, order, Request(messages, order.opening, order.generator.adapter), frame)


def rag(studio: Studio, speech: Grounded) -> Iterator[Frame]:
    """As `finetuned`, after a frame with the passages found; the last frame says which of them bear out which sentence.

    Where none scores enough there is only a note, or, with `speech.without_context`, the note and a text without passages.
    """
    order, frame = _check(studio, speech, studio.grounded)
    k = inputs.whole(speech.passages, "passages", 1, inputs.MAX_PASSAGES)
    floor = studio.threshold(order.generator) if speech.threshold is None else speech.threshold
    floor = inputs.number(floor, "threshold", -1, 1)
    alone = inputs.flag(speech.without_context, "without_context")
    yield replace(frame, phase="searching")
    hits = studio.search(order.generator, ", ".join(order.topics), k)
    passing = [hit for hit in hits if hit.score >= floor]
    found = tuple(Found(hit, studio.relevance(order.generator, hit.score)) for hit in passing)
    if not found:
        best = f"{hits[0].score:.2f}" if hits else "–"
        frame = _noted(frame, "without_context" if alone else "nothing", threshold=f"{floor:.2f}", best=best)
        yield from _unsourced(studio, order, frame) if alone else [replace(frame, phase="done")]
        return
    yield replace(frame, phase="searching", passages=found)
    yield from _loading(studio, replace(frame, passages=found))
    prompt = RagPrompt(
        studio.engine(),
        order.generator.prompts["rag"],
        _values(order),
        order.opening,
        order.generator.adapter,
    )
    frame = _given(studio, order, replace(frame, passages=found), prompt)
    yield from _write(studio, order, prompt.request(frame.passages), frame)
    prompt.engine.prepare(prompt.request(_whole(frame.passages)))


def prepare_examples(studio: Studio) -> None:
    """Has the passages of the example topics read while nobody asks, where that takes a while: the first visitors try these."""
    engine = studio.engine()
    if engine.reading_speed is None:
        return
    for generator in studio.grounded:
        prompt = RagPrompt(
            engine, generator.prompts["rag"], {"topics": "", "field": ""}, "", generator.adapter
        )
        for example in generator.examples:
            hits = studio.search(generator, example.get("topics", ""), Grounded.passages)
            if found := tuple(Found(hit, "") for hit in hits if hit.score >= studio.threshold(generator)):
                engine.prepare(prompt.request(found))


def _whole(found: tuple[Found, ...]) -> tuple[Found, ...]:
    """The passages as they were before they were condensed."""
    return tuple(replace(item, used=item.used or item.excerpt is not None, excerpt=None) for item in found)


def _given(studio: Studio, order: _Order, frame: Frame, prompt: RagPrompt) -> Frame:
    """`frame` with what of its passages is in the prompt, and notes on what is not."""
    engine, seconds = prompt.engine, studio.settings.rag_seconds
    found = fit(prompt, frame.passages, order.target * TOKENS_PER_WORD)
    if dropped := sum(not passage.used for passage in found):
        frame = _noted(frame, "dropped", n=dropped, of=len(found), context=engine.context)
    index = studio.index(order.generator)
    found = shorten(prompt, found, ", ".join(order.topics), index, reading_budget(engine, seconds))
    return _condensed(replace(frame, passages=found), seconds)


def _unsourced(studio: Studio, order: _Order, frame: Frame) -> Iterator[Frame]:
    """A text of the RAG tab without passages, by the prompt that knows of none."""
    yield from _loading(studio, frame)
    messages = order.generator.prompts.get("speech", SPEECH).render(**_values(order))
    yield from _write(studio, order, Request(messages, order.opening, order.generator.adapter), frame)


def grounded(studio: Studio, frame: Frame) -> Frame:
    """`frame` with the passage that bears out each of its sentences; as it is where no passage was used.

    Of a condensed passage all sentences count: the page shows it whole, and whether it says something does not depend
    on how much of it was read.
    """
    used = [found.hit.passage.text if found.used else "" for found in frame.passages]
    if not any(used) or not frame.text.strip():
        return frame
    index = studio.index(studio.choose(frame.generator, studio.grounded))
    return replace(frame, grounding=ground(frame.text, used, index.embedder))


def search(studio: Studio, query: Any, passages: Any, threshold: Any, generator: Any) -> list[Found]:
    """The passages for `query`, best first. Raises InvalidInput."""
    chosen = studio.choose(generator, studio.grounded)
    text = ", ".join(inputs.clean_topics(query, "query", studio.settings.max_chars)[0])
    k = inputs.whole(passages, "passages", 1, inputs.MAX_PASSAGES)
    floor = studio.threshold(chosen) if threshold is None else inputs.number(threshold, "threshold", -1, 1)
    hits = studio.search(chosen, text, k)
    return [Found(hit, studio.relevance(chosen, hit.score)) for hit in hits if hit.score >= floor]


def _check(studio: Studio, speech: Speech, among: Sequence[Generator]) -> tuple[_Order, Frame]:
    generator = studio.choose(speech.generator, among)
    limit = studio.settings.max_chars
    topics, removed = inputs.clean_topics(speech.topics, "topics", limit)
    field = inputs.clean_text(speech.field, "field", limit, inputs.MAX_FIELD_WORDS)
    opening = inputs.clean_text(speech.opening, "opening", limit)
    minutes = inputs.number(speech.minutes, "minutes", 1, studio.max_minutes)
    creativity = inputs.number(speech.creativity, "creativity", 0, 1)
    seed = inputs.seed(speech.seed, "seed")
    sampling = inputs.sampling(generator.sampling, creativity, seed)
    order = _Order(
        generator=generator,
        topics=topics,
        field=" ".join(field.text.split()),
        opening=opening.text,
        target=round(minutes * generator.words_per_minute),
        sampling=sampling,
    )
    frame = Frame(
        "loading",
        seed,
        words_per_minute=generator.words_per_minute,
        generator=generator.name,
        title=join_topics(topics),
    )
    if total := removed + field.removed + opening.removed:
        frame = _noted(frame, "removed", n=total)
    return order, frame


def _values(order: _Order) -> dict[str, str]:
    topics = join_topics(order.topics)
    return {"topics": topics, "field": order.field or topics}


def _noted(frame: Frame, key: str, **values: Any) -> Frame:
    return replace(frame, notes=(*frame.notes, Note(key, values)))


def _loading(studio: Studio, frame: Frame) -> Iterator[Frame]:
    """A frame to look at while the model loads, the first time."""
    if not studio.loaded:
        yield frame


def _condensed(frame: Frame, seconds: float) -> Frame:
    """`frame` with a note where the model is given only some sentences of its passages."""
    excerpts = [found.excerpt for found in frame.passages if found.excerpt]
    if not excerpts:
        return frame
    return _noted(
        frame,
        "condensed",
        n=sum(len(excerpt.chosen) for excerpt in excerpts),
        of=sum(len(excerpt.sentences) for excerpt in excerpts),
        used=sum(bool(excerpt.chosen) for excerpt in excerpts),
        found=len(excerpts),
        seconds=seconds,
    )


def _write(studio: Studio, order: _Order, asked: Request, frame: Frame) -> Iterator[Frame]:
    engine = studio.engine()
    size = engine.count(asked.messages, asked.opening)
    room = engine.context - size
    if room < LEAST_ROOM:
        raise PromptTooLong(tokens=size, context=engine.context)
    if room < order.target * TOKENS_PER_WORD / 2:
        words = int(room / TOKENS_PER_WORD)
        frame = _noted(frame, "room", context=engine.context, words=words, target=order.target)
    request = replace(
        asked,
        sampling=order.sampling,
        max_tokens=int(order.target * CAP * 4),
        min_words=int(order.target * EARLY),
        deadline=studio.settings.deadline,
    )
    writing = _Writing(order, frame, studio.settings.deadline, _tracker(studio, order, frame))
    asking: Request | None = request
    while asking is not None:
        with closing(engine.stream(asking)) as steps:
            yield from writing.frames(steps)
            leave(steps)
        asking = writing.turn(asking)
    yield grounded(studio, writing.last(engine.context))


def _tracker(studio: Studio, order: _Order, frame: Frame) -> Tracker:
    """Compares the text with what its generator learned from, and with the passages of the prompt."""
    used = [found.hit.passage for found in frame.passages if found.used]
    passages = texts_of((Source(p.title or p.document, p.source), p.text) for p in used) if used else None
    return Tracker(studio.originals(order.generator), passages, order.opening)


class _Writing:
    """Follows the steps of one text and says what the visitor should see."""

    def __init__(self, order: _Order, frame: Frame, deadline: float, tracker: Tracker) -> None:
        self.order = order
        self.tracker = tracker
        self.frame = frame
        self.deadline = deadline
        self.begun = time.monotonic()
        self.pace = Pace()
        self.cached = False
        self.turns = self.tokens = 0
        self._begin(order.opening)

    def _begin(self, opening: str) -> None:
        self.length = Length(opening, self.order.target)
        self.loops = Loops(len(opening))
        self.repeats = Repeats(opening)
        self.opening = self.written = opening
        self.end = "length"

    def frames(self, steps: Iterator[Step]) -> Iterator[Frame]:
        shown = 0.0
        for step in steps:
            now = time.monotonic()
            self.pace.step(self.tokens + step.written, now)
            self.cached = step.cached
            self.written += step.text
            new = self.repeats.add(step.text)
            if not self.length.add(new if step.end is None else new + self.repeats.finish()):
                return
            if (begin := self.loops.find(self.written)) is not None:
                # What is left out from there on, the note of the loop tells.
                self.repeats = Repeats(self.opening)
                until_then = self.repeats.add(self.written[len(self.opening) : begin])
                self.length.end_at(len(self.opening) + len(until_then))
                self.end = "loop"
                return
            if step.end is not None:
                self.end = step.end
                return
            if now - shown >= FRAME_SECONDS:
                shown = now
                yield self.now("writing" if step.written else "reading", step)

    def turn(self, request: Request) -> Request | None:
        """What goes on from where a loop began; None where there is none, or it was so TURNS times before."""
        if self.end != "loop" or self.turns == TURNS:
            return None
        self.length.cut_back()
        left_out = self.repeats.left_out
        self._begin(self.length.text if self.length.closed else self.order.opening)
        self.repeats.left_out = left_out
        self.turns += 1
        self.tokens = self.pace.tokens
        return replace(
            request,
            opening=self.opening,
            sampling=replace(request.sampling, seed=inputs.later_seed(request.sampling.seed, 1)),
            deadline=max(0.0, self.deadline - (time.monotonic() - self.begun)),
        )

    def now(self, phase: str, step: Step | None = None) -> Frame:
        return replace(
            self.frame,
            phase=phase,
            text=self.length.text,
            words=self.length.words,
            tokens=self.pace.tokens,
            tokens_per_second=self.pace.tokens_per_second,
            first_token=self.pace.first_token,
            progress=step.read / step.prompt if step else 1.0,
            originality=self.tracker.update(self.length.text),
            cached=self.cached,
        )

    def last(self, context: int) -> Frame:
        """The finished text, with a note for every way in which it is not what was asked for."""
        length = self.length
        if self.end == "model":
            length.finish()
            if length.words < length.target * EARLY:
                self.note("short", words=length.words, target=length.target)
        elif self.end != "length":
            length.cut_back()
            key = self.end if self.end in ("deadline", "loop") else "context"
            self.note(
                key,
                seconds=f"{self.deadline:g}",
                context=context,
                words=length.words,
                target=length.target,
            )
        if length.cut and self.end == "length":
            self.note("cut")
        if self.end != "model" and not length.closed:
            self.note("unfinished")
        if self.turns:
            self.note("turned", n=self.turns)
        if self.repeats.left_out:
            self.note("repeats", n=self.repeats.left_out)
        if not length.text.strip():
            self.note("empty")
        return self.now("done")

    def note(self, key: str, **values: Any) -> None:
        self.frame = _noted(self.frame, key, **values)
