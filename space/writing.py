"""The writing of one request: choosing tokens, early ends, stop strings, and tokens to text without splitting UTF-8.

Used by `space/local_engine.py`, which gives the tokens in `feed` to the model and then asks for the next choice.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence

from space.engine import Request
from space.native import Context
from space.sampler import Sampler

CLOSINGS = tuple(".!?…»”\"')")
MAX_BREAKS = 4


class Writer:
    """`feed` is what the model must read before the next `choose`; `end` says why the text is over, None while it goes on."""

    def __init__(self, context: Context, request: Request, room: int) -> None:
        """`room`: the tokens that fit the context after the prompt. Raises GrammarInvalid."""
        self.tokens = 0
        self.feed: Sequence[int] = ()
        self.end: str | None = None
        self._vocabulary = context.model.vocabulary
        self._sampler = Sampler(context, request.sampling, request.grammar)
        # A small model may write byte tokens that make no character: they are left out.
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")
        self._stops = StopStrings(request.stop)
        self._limit = min(request.max_tokens, room)
        self._room = room
        self._min_words = request.min_words
        self._opening = request.opening
        self._pieces: list[str] = []
        self._breaks = 0
        self._held_open = False  # the model wanted to end; it must not do so with the next token

    def choose(self, row: int) -> str:
        """Chooses the next token by the logits of `row` and returns the text that it completes, often none."""
        ends = self._vocabulary.ends
        token = self._sampler.sample(row, ends if self._held_open else ())
        self._held_open = False
        if token in ends:
            if not self._too_early():
                return self._finish("model")
            self._breaks += 1
            if self._paragraph_fits():
                return self._begin_paragraph()
            token = self._sampler.sample(row, ends)
        self.feed = (token,)
        self.tokens += 1
        text, stopped = self._stops.add(self._decoder.decode(self._vocabulary.piece(token)))
        self._pieces.append(text)
        if stopped:
            self.end = "stop"
        elif self.tokens >= self._limit:
            return text + self._finish("context" if self._limit == self._room else "tokens")
        return text

    def _finish(self, end: str) -> str:
        """Ends the text; what there is of an unfinished character is left out."""
        self.end = end
        text, stopped = self._stops.add(self._decoder.decode(b"", final=True))
        return text if stopped else text + self._stops.rest()

    def close(self) -> None:
        self._sampler.close()

    def _too_early(self) -> bool:
        if not self._min_words or self._breaks >= MAX_BREAKS:
            return False
        return len(f"{self._opening} {''.join(self._pieces)}".split()) < self._min_words

    def _paragraph_fits(self) -> bool:
        """Whether a sentence has just ended and a blank line leaves room to go on."""
        text = "".join(self._pieces).rstrip() or self._opening
        return text.endswith(CLOSINGS) and self._limit - self.tokens > len(self._vocabulary.paragraph) + 1

    def _begin_paragraph(self) -> str:
        self.feed = self._vocabulary.paragraph
        self.tokens += len(self.feed)
        self._held_open = True
        text, _ = self._stops.add("\n\n")
        self._pieces.append(text)
        return text


class StopStrings:
    """Holds back the end of a text while it may be the beginning of a stop string; what comes from one on is dropped."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._held = ""

    def add(self, text: str) -> tuple[str, bool]:
        """The text that is now certain, and whether a stop string was met."""
        if not self._stops:
            return text, False
        self._held += text
        found = [place for stop in self._stops if (place := self._held.find(stop)) >= 0]
        if found:
            certain, self._held = self._held[: min(found)], ""
            return certain, True
        kept = max(map(self._overlap, self._stops))
        certain = self._held[: len(self._held) - kept]
        self._held = self._held[len(certain) :]
        return certain, False

    def rest(self) -> str:
        """What was held back, once nothing follows."""
        rest, self._held = self._held, ""
        return rest

    def _overlap(self, stop: str) -> int:
        """The length of the longest beginning of `stop` that the held text ends with."""
        longest = min(len(stop) - 1, len(self._held))
        return next((n for n in range(longest, 0, -1) if self._held.endswith(stop[:n])), 0)
