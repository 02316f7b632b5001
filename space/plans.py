"""What of a prompt other requests have too: the beginnings that `learn` was told of, and passages; used by `space/local_engine.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from space.engine import Request
from space.prompts import Message
from space.reading import Plan, Span, spans_of
from space.states import States
from space.vocabulary import Vocabulary


class Planner:
    """`states` keeps beginnings of at least `worth` tokens, `passages` keeps passages (None: these are read like all else)."""

    def __init__(
        self,
        encode: Callable[[Sequence[Message], str], list[int]],
        vocabulary: Vocabulary,
        states: States | None,
        passages: States | None,
        worth: int,
    ) -> None:
        self._encode = encode
        self._vocabulary = vocabulary
        self._states = states
        self._passages = passages
        self._worth = worth
        self._stems: list[tuple[str | None, list[int]]] = []
        for token in range(vocabulary.size) if passages else ():
            vocabulary.piece(
                token
            )  # known from here on, so that no visitor's thread asks a model that is being unloaded

    def plan(self, request: Request) -> Plan:
        """How the prompt of `request` is read."""
        prompt = self._encode(request.messages, request.opening)
        spans: list[Span] = []
        if request.passages and self._passages:
            spans = spans_of(prompt, request.passages, self._vocabulary)
        limit = spans[0][0] if spans else len(prompt) - 2
        stems = [
            len(stem)
            for adapter, stem in self._stems
            if adapter == request.adapter and len(stem) <= limit and prompt[: len(stem)] == stem
        ]
        return Plan(prompt, request.adapter, spans, max(stems, default=0))

    def hot(self, request: Request) -> list[bool]:
        """Of each passage of `request`: whether its state is kept; one too short to be kept costs no time either."""
        plan = self.plan(request)
        states = self._passages
        if states is None:
            return [False] * len(request.passages)
        found = [spans_of(plan.prompt, [text], self._vocabulary) for text in request.passages]
        return [
            all(states.has(plan.adapter, plan.passage(span), plan.plain) for span in spans) for spans in found
        ]

    def learn(self, adapter: str | None, one: Sequence[Message], other: Sequence[Message]) -> Plan | None:
        """Notes what the prompts `one` and `other` have in common; a plan to read it, None where its state is kept or not worth it."""
        tokens, others = self._encode(one, ""), self._encode(other, "")
        pairs = enumerate(zip(tokens, others, strict=False))
        stem = tokens[: next((n for n, (left, right) in pairs if left != right), 0)]
        if self._states is None or len(stem) < self._worth:
            return None
        self._stems.append((adapter, stem))
        if self._states.has(adapter, stem):
            return None
        return Plan(stem, adapter, (), len(stem), keep_only=True)
