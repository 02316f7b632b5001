"""The chat generator: a persona's reply as bubbles, streamed.

    studio = Studio(Bundle.load(folder), Settings.from_env())
    for frame in chat(studio, Talk("hola", history=[])): print(frame.bubbles)

Each line of the model's answer is a bubble. Neither Gradio nor a language appears here: notes are keys of `space/texts.py`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from space import inputs
from space.bundle import Generator
from space.chat import turn_marks
from space.chat_history import REPLY_CHARS, fit, read_history
from space.engine import Request, Step, leave
from space.frames import FRAME_SECONDS, Note, Pace
from space.native import Sampling
from space.originality import Originality, Tracker
from space.prompts import CHAT_OPENING, Message
from space.studio import Studio

MAX_BUBBLES = 8
REPLY_TOKENS = 256
LEAST_SHARE = 4
"""At most one part in so many of the context is kept for the reply."""
OTHERS = re.compile(r"^Persona \d+:", re.MULTILINE)
"""How the others of a group are told apart in training (train/recipes/chat.py): what follows would be their words."""
_PERHAPS_OTHERS = re.compile(r"(?<![^\n])P(?:e(?:r(?:s(?:o(?:n(?:a(?: \d*)?)?)?)?)?)?)?\Z")


@dataclass(frozen=True)
class Talk:
    """A turn as it comes. Without a `message` the persona writes unasked; `history` is what `ChatFrame.history` gave."""

    message: Any = ""
    history: Any = ()
    creativity: Any = 0.5
    seed: Any = None
    generator: Any = None


@dataclass(frozen=True)
class ChatFrame:
    """What is known at one moment. `phase`: loading, reading, writing, done; `bubbles` is the reply so far.

    `said` is the visitor's message ("" when the persona writes unasked), `before` the turns before it, `progress` the share
    of the prompt read, `first_token` the seconds to the first token; `cached`: the same request had been written before.
    """

    phase: str
    seed: int
    persona: str
    generator: str
    said: str = ""
    before: tuple[Message, ...] = ()
    bubbles: tuple[str, ...] = ()
    tokens: int = 0
    tokens_per_second: float = 0.0
    first_token: float | None = None
    progress: float = 0.0
    notes: tuple[Note, ...] = ()
    originality: Originality | None = None
    cached: bool = False

    @property
    def history(self) -> list[Message]:
        """The turns with this one, once it has a reply: what the next `Talk` takes."""
        if not self.bubbles:
            return list(self.before)
        turn = {"role": "user", "content": self.said or CHAT_OPENING}
        return [*self.before, turn, {"role": "assistant", "content": "\n".join(self.bubbles)}]

    def noted(self, key: str, **values: Any) -> ChatFrame:
        return replace(self, notes=(*self.notes, Note(key, values)))


def chat(studio: Studio, talk: Talk) -> Iterator[ChatFrame]:
    """The frames of one reply. Raises InvalidInput before the first frame, PromptTooLong before any model work."""
    generator = studio.choose(talk.generator, studio.personas)
    limit = studio.settings.max_chars
    said = inputs.clean_text(talk.message, "message", limit)
    before = read_history(talk.history, limit)
    seed = inputs.seed(talk.seed, "seed")
    sampling = inputs.sampling(generator.sampling, inputs.number(talk.creativity, "creativity", 0, 1), seed)
    frame = ChatFrame(
        "loading", seed, generator.values["persona"], generator.name, said.text, before.messages
    )
    if removed := said.removed + before.removed:
        frame = frame.noted("removed", n=removed)
    if generator.adapter is None:
        frame = frame.noted("no_adapter")
    if not studio.loaded:
        yield frame
    yield from _write(studio, generator, sampling, frame)


def _write(studio: Studio, generator: Generator, sampling: Sampling, frame: ChatFrame) -> Iterator[ChatFrame]:
    engine = studio.engine()
    room = min(REPLY_TOKENS, engine.context // LEAST_SHARE)
    values = {**generator.values, "message": frame.said or CHAT_OPENING}
    prompt = fit(engine, generator.prompts["chat"], values, frame.before, room)
    if prompt.forgotten:
        frame = frame.noted(
            "forgotten", n=prompt.forgotten, of=len(frame.before) // 2, context=engine.context
        )
    request = Request(
        messages=prompt.messages,
        adapter=generator.adapter,
        sampling=sampling,
        max_tokens=room,
        deadline=studio.settings.deadline,
        stop=turn_marks(studio.bundle.chat_template),
    )
    reply = _Reply(frame, Tracker(studio.originals(generator)))
    with closing(engine.stream(request)) as steps:
        yield from reply.frames(steps)
        leave(steps)
    yield reply.last(studio.settings.deadline)


class _Reply:
    """Follows the steps of one request and says what the visitor should see."""

    def __init__(self, frame: ChatFrame, tracker: Tracker) -> None:
        self.frame = frame
        self.tracker = tracker
        self.text = ""
        self.end = "model"
        self.cached = False
        self.pace = Pace()

    def frames(self, steps: Iterator[Step]) -> Iterator[ChatFrame]:
        shown = 0.0
        for step in steps:
            now = time.monotonic()
            self.pace.step(step.written, now)
            self.cached = step.cached
            self.text += step.text
            self.end = self._cut() or step.end or ""
            if self.end:
                return
            if now - shown >= FRAME_SECONDS:
                shown = now
                yield self.now("writing" if step.written else "reading", step)

    def _cut(self) -> str:
        """Cuts the text where the reply must end although the model goes on; says why."""
        if others := OTHERS.search(self.text):
            self.text = self.text[: others.start()]
            return "others"
        lines = list(re.finditer(r"[^\n]*\S[^\n]*", self.text))
        if len(lines) > MAX_BUBBLES:
            self.text = self.text[: lines[MAX_BUBBLES].start()]
            return "bubbles"
        if len(self.text) > REPLY_CHARS:
            self.text = self.text[:REPLY_CHARS]
            return "tokens"
        return ""

    def now(self, phase: str, step: Step | None = None) -> ChatFrame:
        certain = self.text if phase == "done" else _PERHAPS_OTHERS.sub("", self.text)
        bubbles = bubbles_of(certain)
        return replace(
            self.frame,
            phase=phase,
            bubbles=bubbles,
            originality=self.tracker.update("\n".join(bubbles)),
            tokens=self.pace.tokens,
            tokens_per_second=self.pace.tokens_per_second,
            first_token=self.pace.first_token,
            progress=step.read / step.prompt if step else 1.0,
            cached=self.cached,
        )

    def last(self, deadline: float) -> ChatFrame:
        """The finished reply, with a note where it was not the model that ended it."""
        frame = self.now("done")
        if self.end == "bubbles":
            frame = frame.noted("bubbles", n=MAX_BUBBLES)
        elif self.end == "others":
            frame = frame.noted("others")
        elif self.end == "deadline":
            frame = frame.noted("reply_deadline", seconds=f"{deadline:g}")
        elif self.end in ("tokens", "context"):
            frame = frame.noted("reply_cut", tokens=self.pace.tokens)
        return frame if frame.bubbles else frame.noted("empty")


def bubbles_of(text: str) -> tuple[str, ...]:
    """The lines of `text` as bubbles: none is empty, and no bubble has a character that cannot be seen."""
    return tuple(line for line in inputs.visible(text).text.split("\n") if line)
