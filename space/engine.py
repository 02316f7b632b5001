"""The engine: what turns a prompt into a stream of text, here llama.cpp in this process, on CPU.

One base model in memory, one context, adapters switched per request. Requests wait for their turn in the order in
which they came. `python -m tests.bench.bench_space` measures it against `llama_cpp.Llama`.

Equal requests give equal texts, whatever ran before: the prompt is read in chunks of CHUNK tokens that start at
multiples of CHUNK, and only whole chunks of the last prompt are reused, so that the same numbers are added in the
same order (a prompt read in one piece and the same prompt read after a shorter one differ in the last bits, which
is enough for another text).
"""

from __future__ import annotations

import codecs
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from space.chat import ChatTemplate, encode
from space.errors import PromptTooLong
from space.native import Context, Model, Sampling
from space.prompts import Message
from space.turns import Turns

CHUNK = 64
"""Prompt tokens per decode: the tokens that are read again at most when a prompt shares its beginning with the last."""

CLOSINGS = tuple(".!?…»”\"')")
MAX_BREAKS = 4


@dataclass(frozen=True)
class Request:
    """One text to write: at most `max_tokens`, at least `min_words` unless the model insists, in `deadline` seconds.

    The answer begins with `opening`, which is not part of the stream. `adapter` None is the base model.
    """

    messages: Sequence[Message]
    opening: str = ""
    adapter: str | None = None
    sampling: Sampling = field(default_factory=Sampling)
    max_tokens: int = 512
    min_words: int = 0
    deadline: float = 600.0


class Step(NamedTuple):
    """What one step brought: new `text` (may be empty), `read` of `prompt` tokens read, `written` tokens so far.

    `end` is None while it goes on, then "model", "tokens", "context" or "deadline".
    """

    text: str
    read: int
    prompt: int
    written: int
    end: str | None = None


Steps = Generator[Step, None, None]


class Engine(Protocol):
    """What the Space needs of an engine; a remote server can be another implementation."""

    context: int

    def count(self, messages: Sequence[Message], opening: str = "") -> int:
        """The tokens of the prompt."""

    def stream(self, request: Request) -> Steps:
        """The steps of `request`; closing the generator frees the engine within one token."""


class LocalEngine:
    """llama.cpp on this machine. `context` in tokens; `threads` at most."""

    def __init__(
        self, model: Path, adapters: dict[str, Path], chat_template: str, context: int, threads: int
    ) -> None:
        self.context = context
        self._model = Model(model, adapters)
        self._context = Context(self._model, context, CHUNK, threads)
        reading, writing = self._context.calibrate(threads)
        self.threads = {"reading": reading, "writing": writing}
        self._vocabulary = self._model.vocabulary
        self._template = ChatTemplate(chat_template, self._vocabulary.bos, self._vocabulary.eos)
        self._turns = Turns()
        self._known: list[int] = []

    def close(self) -> None:
        """Frees the model; nothing may be running."""
        self._context.close()
        self._model.close()

    def encode(self, messages: Sequence[Message], opening: str = "") -> list[int]:
        """The prompt's token ids."""
        parts = self._template.parts(messages, opening)
        return encode(parts, self._vocabulary.markers, self._vocabulary.tokenize)

    def count(self, messages: Sequence[Message], opening: str = "") -> int:
        return len(self.encode(messages, opening))

    def stream(self, request: Request) -> Steps:
        """The steps of `request`. Raises PromptTooLong before any work, DecodeFailed when llama.cpp fails."""
        prompt = self.encode(request.messages, request.opening)
        if len(prompt) >= self.context:
            raise PromptTooLong(tokens=len(prompt), context=self.context)
        return self._run(request, prompt)

    def _run(self, request: Request, prompt: list[int]) -> Steps:
        with self._turns.turn():
            deadline = time.monotonic() + request.deadline
            try:
                for read in self._read(prompt, request.adapter):
                    late = time.monotonic() > deadline
                    yield Step("", read, len(prompt), 0, "deadline" if late else None)
                    if late:
                        return
                yield from self._write(request, len(prompt), deadline)
            except BaseException:
                # Half-read prompts are not reused; a finished or closed writing leaves its prompt's chunks intact.
                if self._context.length < len(prompt):
                    self._known = []
                raise

    def _read(self, prompt: list[int], adapter: str | None) -> Iterator[int]:
        """Brings `prompt` into the context, reusing whole chunks of the last one; yields the tokens read so far."""
        if self._context.use_adapter(adapter):
            self._known = []
        shared = 0
        for mine, theirs in zip(prompt[:-1], self._known, strict=False):
            if mine != theirs:
                break
            shared += 1
        start = shared // CHUNK * CHUNK
        self._context.truncate(start)
        self._known = prompt
        for position in range(start, len(prompt), CHUNK):
            self._context.decode(prompt[position : position + CHUNK])
            yield min(position + CHUNK, len(prompt))

    def _write(self, request: Request, size: int, deadline: float) -> Iterator[Step]:
        room = self.context - size
        limit = min(request.max_tokens, room)
        writer = _Writer(self._context, request)
        try:
            while True:
                text = writer.step()
                written = writer.tokens
                if text is None:
                    yield Step(writer.rest(), size, size, written, "model")
                    return
                if written >= limit:
                    end = "context" if limit == room else "tokens"
                    yield Step(text + writer.rest(), size, size, written, end)
                    return
                if time.monotonic() > deadline:
                    yield Step(text + writer.rest(), size, size, written, "deadline")
                    return
                yield Step(text, size, size, written)
                writer.advance()
        finally:
            writer.close()


class _Writer:
    """The writing of one request: sampling, early ends, and tokens to text without splitting UTF-8."""

    def __init__(self, context: Context, request: Request) -> None:
        self.tokens = 0
        self._context = context
        self._vocabulary = context.model.vocabulary
        self._ends = self._vocabulary.ends
        self._sampler = context.sampler(request.sampling)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._min_words = request.min_words
        self._opening = request.opening
        self._breaks = 0
        self._pieces: list[str] = []
        self._token = 0

    def step(self) -> str | None:
        """The next token's text, None at the end of the answer."""
        token = self._sampler.sample()
        lead = ""
        while token in self._ends:
            if not self._too_early():
                return None
            lead += self._begin_paragraph()
            self._context.forbid(self._ends)
            token = self._sampler.sample()
        self._token = token
        self.tokens += 1
        text = lead + self._decoder.decode(self._vocabulary.piece(token))
        self._pieces.append(text)
        return text

    def advance(self) -> None:
        """Gives the last token to the model."""
        self._context.decode_one(self._token)

    def rest(self) -> str:
        """What an unfinished character left, as U+FFFD."""
        return self._decoder.decode(b"", final=True)

    def close(self) -> None:
        self._sampler.close()

    def _too_early(self) -> bool:
        if not self._min_words or self._breaks >= MAX_BREAKS:
            return False
        words = len((self._opening + " " + "".join(self._pieces)).split())
        return words < self._min_words and self._context.room > len(self._vocabulary.paragraph) + 1

    def _begin_paragraph(self) -> str:
        """A blank line where a sentence has ended; elsewhere nothing, so that the sentence goes on."""
        self._breaks += 1
        text = "".join(self._pieces).rstrip() or self._opening
        if not text.endswith(CLOSINGS):
            return ""
        self._context.decode(self._vocabulary.paragraph)
        self.tokens += len(self._vocabulary.paragraph)
        return "\n\n"
