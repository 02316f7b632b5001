"""Negative log-likelihood by llama.cpp: of texts, and of answers to prompts, by the GGUF files that are served.

Used by `python -m train evaluate` and tests/bench/bench_quantization.py. Prompts are rendered and tokenised by the code that
serves them (space/chat.py).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from space.chat import ChatTemplate, encode
from space.native import Context, Model
from space.prompts import Message
from train.errors import AnswerTooLong

BATCH = 512


class Scorer:
    """A base GGUF with its adapters; `context` in tokens."""

    def __init__(
        self, base: Path, adapters: dict[str, Path], chat_template: str, context: int, threads: int
    ) -> None:
        """Raises ModelUnreadable."""
        self._model = Model(base, adapters)
        self.context = Context(self._model, 1, context, BATCH, threads)
        self.context.calibrate(threads)
        self.vocabulary = self._model.vocabulary
        self.template = ChatTemplate(chat_template, self.vocabulary.bos, self.vocabulary.eos)
        self._adapter: str | None = None
        self._held: Sequence[int] = ()  # the tokens in the context's memory, read with `_adapter`

    def close(self) -> None:
        self.context.close()
        self._model.close()

    def answer(self, prompt: Sequence[Message], answer: str, adapter: str | None = None) -> tuple[float, int]:
        """Nats of `answer` and of the token that ends it, given the prompt, and how many tokens they are.

        Raises AnswerTooLong where the conversation does not fit the context.
        """
        ids, start = self.tokens(prompt, answer)
        return self.nats(ids, start, adapter), len(ids) - start

    def tokens(self, prompt: Sequence[Message], answer: str) -> tuple[list[int], int]:
        """The conversation, which ends with the token that ends `answer`, and where the answer begins.

        Raises AnswerTooLong where it does not fit the context.
        """
        start = len(self._encode(prompt))
        ids = [*self._encode(prompt, answer), self._end(prompt)]
        if len(ids) > self.context.size:
            raise AnswerTooLong(tokens=len(ids), context=self.context.size)
        return ids, start

    def fits(self, prompt: Sequence[Message], answer: str) -> bool:
        """Whether the conversation fits the context."""
        try:
            self.tokens(prompt, answer)
        except AnswerTooLong:
            return False
        return True

    def text(self, text: str, adapter: str | None = None) -> tuple[float, int]:
        """Nats of a plain `text` after the token that begins texts, and how many tokens they are.

        A text longer than the context is read in halves of it, each after the half before.
        """
        first = self.vocabulary.markers[self.vocabulary.bos or self.vocabulary.eos].id
        ids = [first, *self.vocabulary.tokenize(text)]
        half = self.context.size // 2
        total = self.nats(ids[: 2 * half], adapter=adapter)
        for start in range(2 * half, len(ids), half):
            total += self.nats(ids[start - half : start + half], half, adapter)
        return total, len(ids) - 1

    def nats(self, ids: Sequence[int], start: int = 1, adapter: str | None = None) -> float:
        """Nats of the tokens from `start` on, each given all before it. `ids` must fit the context.

        What the last call read is not read again: the turns of a conversation before an answer.
        """
        total = 0.0
        for first, logits in self.logits(ids, start, adapter):
            chosen = logits[np.arange(len(logits)), ids[first : first + len(logits)]]
            total += float((np.log(np.exp(logits).sum(axis=1)) - chosen).sum())
        return total

    def logits(
        self, ids: Sequence[int], start: int = 1, adapter: str | None = None
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Of the tokens from `start` on, in runs: the place of the first, and logits (float64, the highest of a row 0)
        [tokens, vocabulary], each row given all before that token. To be read to the end."""
        known = self._known(ids, start - 1, adapter)
        self._adapter, self._held = adapter, ids[:-1]
        for first in range(known, len(ids) - 1, BATCH):
            rows = range(max(first, start - 1), min(first + BATCH, len(ids) - 1))
            wanted = range(rows.start - first, rows.stop - first)
            self.context.read(0, ids[first : min(first + BATCH, len(ids) - 1)], wanted)
            if rows:
                logits = np.stack([self.context.logits(row) for row in wanted]).astype(np.float64)
                yield rows.start + 1, logits - logits.max(axis=1, keepdims=True)

    def _known(self, ids: Sequence[int], limit: int, adapter: str | None) -> int:
        """How many of the first `limit` tokens are in memory; what follows them is forgotten."""
        self.context.use_adapter(adapter)
        pairs = zip(ids[:limit], self._held if adapter == self._adapter else (), strict=False)
        known = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
        self.context.truncate(0, known)
        return known

    def _encode(self, messages: Sequence[Message], opening: str = "") -> list[int]:
        parts = self.template.parts(messages, opening)
        return encode(parts, self.vocabulary.markers, self.vocabulary.tokenize)

    def _end(self, prompt: Sequence[Message]) -> int:
        """The token that the template writes after an answer, the end of the text where it writes none."""
        markers = self.vocabulary.markers
        parts = self.template.parts([*prompt, {"role": "assistant", "content": "a"}])
        last = max(n for n, part in enumerate(parts) if not part.trusted)
        after = "".join(part.text for part in parts[last + 1 :])
        marks = re.search("|".join(map(re.escape, markers)), after) if markers else None
        if marks and markers[marks[0]].id in self.vocabulary.ends:
            return markers[marks[0]].id
        return markers[self.vocabulary.eos].id
