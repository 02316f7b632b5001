"""Questions about a text: a plain generator that yields frames, each with the items so far.

    studio = Studio(Bundle.load(folder), Settings.from_env())
    for frame in questions(studio, Ask(text, number=4, types="both")): print(len(frame.items), "of", frame.number)

The form is held by a grammar (space/question_grammar.py), each item is checked against the text as soon as it is complete
(space/question_checks.py). What does not pass is left out and asked for again, at most ROUNDS times a type, each time WARMER, with the items kept as
the beginning of the answer. After that the places still free are filled with items that the text may not bear out, marked so;
never with one that asks the same as another.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from index.embed import Embedder
from space import inputs
from space.bundle import Generator
from space.engine import Engine, Request, Step
from space.errors import EmptyField, TextDoesNotFit, UnknownChoice
from space.frames import FRAME_SECONDS, Note
from space.native import Sampling
from space.prompts import Message, PromptTemplate, question_request
from space.question_checks import Source
from space.question_frames import (
    MAX_LEVEL_WORDS,
    MAX_TEXT_CHARS,
    Ask,
    Asked,
    QuestionFrame,
)
from space.question_grammar import short_answers, statements
from space.question_list import (
    MAX_NUMBER,
    TYPES,
    Item,
    Statement,
    format_questions,
    parse_questions,
    unfinished,
)
from space.studio import Studio

TECHNIQUES = ("questions", "questions_zero_shot", "questions_few_shot", "questions_system")
ROUNDS = 4
WARMER, WARMEST = 0.25, 1.0
"""What each further round adds to the temperature, and where that ends: a model that is sure would write again what did not pass."""
ITEM_TOKENS = 64
"""Tokens that an item usually takes at most; so many are kept free for each, and three times as many may be written."""


@dataclass(frozen=True)
class Order:
    """A checked request: `wanted` says how many of each kind, in the order in which they are asked for."""

    generator: Generator
    technique: str
    text: str
    level: str
    wanted: dict[str, int]
    sampling: Sampling

    @property
    def adapter(self) -> str | None:
        """Only the prompt that the adapter was trained with uses it."""
        return self.generator.adapter if self.technique == "questions" else None

    def messages(self, kind: str) -> list[Message]:
        template: PromptTemplate = self.generator.prompts[self.technique]
        request = question_request(kind, self.wanted[kind], self.level)
        return template.render(text=self.text, request=request)


def techniques(generator: Generator) -> list[str]:
    """The templates that `generator` has, the trained one first."""
    return [name for name in TECHNIQUES if name in generator.prompts]


def questions(studio: Studio, ask: Ask) -> Iterator[QuestionFrame]:
    """The frames of a list of questions. Raises InvalidInput before the first frame, TextDoesNotFit once the model is loaded."""
    order, frame = checked(studio, ask)
    if not studio.loaded:
        yield frame
    engine = studio.engine()
    check_room(engine, order)
    source = Source(order.text, embedder_of(studio, order.generator))
    writing = _Writing(engine, order, source, frame, time.monotonic() + studio.settings.deadline)
    for kind in order.wanted:
        yield from writing.kind(kind)
    yield writing.last(studio.settings.deadline)


def checked(studio: Studio, ask: Ask) -> tuple[Order, QuestionFrame]:
    """The request and the first frame. Raises InvalidInput."""
    generator = studio.choose(ask.generator, studio.questioners)
    text = inputs.clean_text(ask.text, "text", MAX_TEXT_CHARS)
    if not any(character.isalnum() for character in text.text):
        raise EmptyField(field="text")
    types = _choice(ask.types, "types", TYPES)
    number = inputs.whole(ask.number, "number", 2 if types == "both" else 1, MAX_NUMBER)
    level = inputs.clean_text(ask.level, "level", studio.settings.max_chars, MAX_LEVEL_WORDS)
    seed = inputs.seed(ask.seed, "seed")
    technique = _choice(ask.technique or "questions", "technique", techniques(generator))
    options = {"temperature": 0.5, "repeat_penalty": 1.05, **generator.sampling}
    sampling = inputs.sampling(options, 0.5, seed)
    wanted = {"short": number - number // 2, "truefalse": number // 2} if types == "both" else {types: number}
    order = Order(generator, technique, text.text, " ".join(level.text.split()), wanted, sampling)
    frame = QuestionFrame(
        "loading", seed, number, generator=generator.name, technique=technique, text=text.text
    )
    if removed := text.removed + level.removed:
        frame = replace(frame, notes=(Note("removed", {"n": removed}),))
    if technique == "questions" and generator.adapter is None:
        frame = replace(frame, notes=(*frame.notes, Note("no_adapter", {})))
    return order, frame


def _choice(value: Any, field: str, choices: Sequence[str]) -> str:
    if value not in choices:
        raise UnknownChoice(value=str(value)[:60], field=field, choices=", ".join(choices))
    return str(value)


def check_room(engine: Engine, order: Order) -> None:
    """Raises TextDoesNotFit unless the text and its items fit in the context."""
    for kind, number in order.wanted.items():
        size = engine.count(order.messages(kind))
        room = engine.context - number * ITEM_TOKENS
        if size > room:
            characters = max(0, int(len(order.text) * (1 - (size - room) / size)) // 100 * 100)
            raise TextDoesNotFit(tokens=size, context=engine.context, number=number, characters=characters)


def embedder_of(studio: Studio, generator: Generator) -> Embedder | None:
    """What the checks compare meanings with: the embedder of the generator's index, if it has one."""
    return studio.index(generator).embedder if generator.index is not None else None


@dataclass
class _Writing:
    """Asks the engine, checks what comes, and says what the visitor should see."""

    engine: Engine
    order: Order
    source: Source
    frame: QuestionFrame
    deadline: float
    begun: float = field(default_factory=time.monotonic)
    tokens: int = 0
    seconds: float = 0.0
    late: bool = False
    fresh: bool = False

    def kind(self, kind: str) -> Iterator[QuestionFrame]:
        """The items of one kind: a call, up to ROUNDS more for what is missing, then what could not be confirmed."""
        spare: list[Asked] = []
        for attempt in range(ROUNDS + 1):
            if self._missing(kind) == 0 or self.late:
                break
            request = self._request(kind, attempt)
            if attempt and not self._fits(request):
                break
            self.frame = replace(self.frame, rounds=self.frame.rounds + bool(attempt))
            yield from self._round(kind, request, spare)
        self._fill(kind, spare)
        dropped = Counter(self.frame.dropped) + Counter(asked.doubt for asked in spare)
        self.frame = replace(self.frame, dropped=dict(dropped), partial="")
        yield self.frame

    def last(self, seconds: float) -> QuestionFrame:
        """The finished list, with a note where it is not what was asked for."""
        notes = list(self.frame.notes)
        if self.late:
            notes.append(Note("questions_deadline", {"seconds": f"{seconds:g}"}))
        if doubtful := sum(bool(asked.doubt) for asked in self.frame.items):
            notes.append(Note("questions_doubtful", {"n": doubtful}))
        if (found := len(self.frame.items)) < self.frame.number:
            notes.append(Note("questions_missing", {"n": found, "of": self.frame.number}))
        return replace(self.frame, phase="done", partial="", notes=tuple(notes), cached=not self.fresh)

    def _round(self, kind: str, request: Request, spare: list[Asked]) -> Iterator[QuestionFrame]:
        """One call of the engine for the items of `kind` that are missing."""
        text, done, shown, first = "", 0, 0.0, 0.0
        with closing(self.engine.stream(request)) as steps:
            for step in steps:
                now = time.monotonic()
                text += step.text
                self.fresh = self.fresh or not step.cached
                if step.written:
                    first = first or now
                whole = text if step.end in ("model", "stop") else text[: text.rfind("\n") + 1]
                items = parse_questions(whole).items
                for item in items[done:]:
                    self._take(item, kind, spare)
                if len(items) > done or now - shown >= FRAME_SECONDS or step.end is not None:
                    shown, done = now, len(items)
                    yield self._now(text, step, done, now - first if first else 0.0)
                if step.end is not None:
                    self._count(step, now - first if first else 0.0)

    def _request(self, kind: str, attempt: int) -> Request:
        kept = [asked.item for asked in self._kept(kind)]
        number = self.order.wanted[kind]
        missing, first = number - len(kept), len(kept) + 1
        if kind == "short":
            grammar = short_answers(self.order.text, missing, first)
        else:
            least = {
                true: max(
                    0, number // 2 - sum(item.true is true for item in kept if isinstance(item, Statement))
                )
                for true in (True, False)
            }
            grammar = statements(self.order.text, missing, least[True], least[False], first)
        sampling = self.order.sampling
        warmer = min(sampling.temperature + WARMER * attempt, max(sampling.temperature, WARMEST))
        return Request(
            messages=self.order.messages(kind),
            opening=format_questions(kept),
            adapter=self.order.adapter,
            sampling=replace(sampling, seed=inputs.later_seed(sampling.seed, attempt), temperature=warmer),
            max_tokens=missing * ITEM_TOKENS * 3,
            deadline=max(0.0, self.deadline - time.monotonic()),
            grammar=grammar,
        )

    def _count(self, step: Step, seconds: float) -> None:
        self.tokens += step.written
        self.seconds += seconds
        self.late = step.end == "deadline"
        speed = self.tokens / self.seconds if self.seconds > 0 else 0.0
        self.frame = replace(
            self.frame, tokens=self.tokens, tokens_per_second=speed, progress=1.0, phase="writing"
        )

    def _take(self, item: Item, kind: str, spare: list[Asked]) -> None:
        """Keeps a complete item that the text bears out and that asks something new."""
        verdict = self.source.judge(item)
        if verdict.reason and isinstance(item, Statement):
            item = self.source.corrected(item)
            verdict = self.source.judge(item)
        if self._known(item, kind):
            spare.append(Asked(item, verdict.evidence, "duplicate"))
        elif verdict.reason:
            spare.append(Asked(item, verdict.evidence, verdict.reason))
        else:
            self._keep(Asked(item, verdict.evidence))

    def _fill(self, kind: str, spare: list[Asked]) -> None:
        """Moves items of `spare` to the free places: those that ask something new and keep true and false in balance, and no
        false statement whose correction is of words that it does not have."""
        number = self.order.wanted[kind]
        for asked in list(spare):
            same = sum(_solution(kept.item) == _solution(asked.item) for kept in self._kept(kind))
            one_sided = kind == "truefalse" and same >= number - number // 2
            senseless = asked.doubt == "uncheckable"
            if not (one_sided or senseless) and self._missing(kind) and not self._known(asked.item, kind):
                spare.remove(asked)
                self._keep(asked)

    def _keep(self, asked: Asked) -> None:
        self.frame = replace(self.frame, items=(*self.frame.items, asked))

    def _kept(self, kind: str) -> list[Asked]:
        return [asked for asked in self.frame.items if asked.kind == kind]

    def _missing(self, kind: str) -> int:
        return self.order.wanted[kind] - len(self._kept(kind))

    def _known(self, item: Item, kind: str) -> bool:
        return any(self.source.same(item, kept.item) for kept in self._kept(kind))

    def _fits(self, request: Request) -> bool:
        return self.engine.count(request.messages, request.opening) + ITEM_TOKENS <= self.engine.context

    def _now(self, text: str, step: Step, done: int, seconds: float) -> QuestionFrame:
        tokens, seconds = self.tokens + step.written, self.seconds + seconds
        return replace(
            self.frame,
            phase="writing" if step.written else "reading",
            partial=unfinished(text, done),
            tokens=tokens,
            tokens_per_second=tokens / seconds if seconds > 0 else 0.0,
            progress=step.read / step.prompt,
        )


def _solution(item: Item) -> bool | None:
    return item.true if isinstance(item, Statement) else None
