"""Reads the prompt of one request, slice by slice; used by `space/local_engine.py`.

Plain: one token after another. Where the prompt has passages, each is read alone, right after what comes before the first one (the
stem), and its key/value state is kept in States: the next request that has the passage, in whatever order, reads it no more. Then all are put
together at the positions at which they were read, and there follow the tokens between them, each with the first RECOMPUTED
tokens of the passage after it, and the end of the prompt.

Passages read in parallel at the same positions: Ratner et al. 2023 (Parallel Context Windows), Yang et al. 2025 (APE), which also
shows that a common beginning serves as attention sink; reading the first tokens of each again: Hu et al. 2024 (EPIC). What it costs in quality
is measured by `python -m tests.bench.bench_context` (docs/rag.md).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate, pairwise

from space.cells import Cells
from space.native import Context
from space.states import States
from space.vocabulary import Vocabulary

RECOMPUTED = 4
"""Tokens at the beginning of each passage but the first that are read again, after the passages before it."""
LEAST = 32
"""Tokens of a passage from which keeping its state is worth it."""
Span = tuple[int, int]


@dataclass(frozen=True)
class Plan:
    """A prompt's tokens, read with `adapter`: `spans` are its passages, the first `stem` tokens are kept for other requests.

    `keep_only`: nothing is to be written, it is read for what it leaves in States.
    """

    prompt: Sequence[int]
    adapter: str | None
    spans: Sequence[Span] = ()
    stem: int = 0
    keep_only: bool = False

    @property
    def plain(self) -> int:
        """The tokens from the beginning on that are read one after another."""
        return self.spans[0][0] if self.spans else len(self.prompt)

    def passage(self, span: Span) -> list[int]:
        """The tokens before the first passage and those of this one: what names its state."""
        return [*self.prompt[: self.plain], *self.prompt[slice(*span)]]

    def rest(self) -> list[int]:
        """What is read once the passages are together."""
        between = [
            token
            for (_, end), (start, stop) in pairwise(self.spans)
            for token in self.prompt[end : min(start + RECOMPUTED, stop)]
        ]
        return [*between, *self.prompt[self.spans[-1][1] :]]


@dataclass
class _Run:
    """Tokens still to be read one after another, and what is done then."""

    tokens: Sequence[int]
    after: Callable[[], None] = field(default=lambda: None)


class Reading:
    """Begins in `slot`, which holds the first `read` tokens of the plan's prompt."""

    def __init__(self, context: Context, states: States | None, plan: Plan, slot: int, read: int) -> None:
        self._context = context
        self._states = states
        self._plan = plan
        self._slot = slot
        self._passages: dict[Span, Cells] = {}
        self._runs = deque(self._beginning(read))
        if plan.spans:
            missing = [span for span in plan.spans if not self._known(span)]
            self._runs += [_Run(plan.prompt[slice(*span)], partial(self._keep, span)) for span in missing]
            self._runs.append(_Run((), self._join))
            if not plan.keep_only:
                self._runs.append(_Run(plan.rest()))
        self._settle()

    def _beginning(self, read: int) -> list[_Run]:
        plan = self._plan
        kept = plan.stem
        if self._states is None or kept - read < 2 or self._states.has(plan.adapter, plan.prompt[:kept]):
            return [_Run(plan.prompt[read : plan.plain])]
        return [_Run(plan.prompt[read:kept], self._keep_stem), _Run(plan.prompt[kept : plan.plain])]

    @property
    def done(self) -> bool:
        """Whether the whole prompt is in the slot."""
        return not self._runs

    @property
    def left(self) -> int:
        """The tokens that can be read one after another now."""
        return len(self._runs[0].tokens)

    @property
    def read(self) -> int:
        """The tokens of the prompt that need not be read any more."""
        return max(0, len(self._plan.prompt) - sum(len(run.tokens) for run in self._runs))

    def next(self, count: int) -> Sequence[int]:
        """The next `count` tokens to read."""
        return self._runs[0].tokens[:count]

    def advance(self, count: int) -> None:
        """After they were read. Raises StateUnknown."""
        run = self._runs[0]
        run.tokens = run.tokens[count:]
        self._settle()

    def _settle(self) -> None:
        while self._runs and not self._runs[0].tokens:
            self._runs.popleft().after()

    def _keep_stem(self) -> None:
        assert self._states is not None
        plan = self._plan
        cells = self._context.cells(self._slot).cut(0, plan.stem)
        self._states.put(plan.adapter, plan.prompt[: plan.stem], 0, cells)

    def _known(self, span: Span) -> bool:
        assert self._states is not None
        plan = self._plan
        if plan.keep_only:
            return self._states.has(plan.adapter, plan.passage(span), plan.plain)
        cells = self._states.get(plan.adapter, plan.passage(span), plan.plain)
        if cells is not None:
            self._passages[span] = cells
        return cells is not None

    def _keep(self, span: Span) -> None:
        """Keeps the state of the passage that was just read, and makes room for the next."""
        assert self._states is not None
        plan, start = self._plan, self._plan.plain
        cells = self._context.cells(self._slot).cut(start, start + span[1] - span[0])
        self._states.put(plan.adapter, plan.passage(span), start, cells)
        self._passages[span] = cells
        self._context.truncate(self._slot, start)

    def _join(self) -> None:
        """Puts the passages together; what is left is the rest of the prompt."""
        plan = self._plan
        if plan.keep_only:
            return
        first, *others = (self._passages[span] for span in plan.spans)
        parts = [first, *(cells.cut(RECOMPUTED, len(cells)) for cells in others)]
        self._context.restore(self._slot, [self._context.cells(self._slot), *parts])


def spans_of(prompt: Sequence[int], texts: Sequence[str], vocabulary: Vocabulary) -> list[Span]:
    """Where `texts`, in their order, stand in `prompt`: the tokens of each, with the space before it that is part of its first one.

    A text of fewer than LEAST tokens is left out, as is the last token of one where it goes on after it.
    """
    pieces = [vocabulary.piece(token) for token in prompt]
    bounds = list(accumulate((len(piece) for piece in pieces), initial=0))
    whole, place = b"".join(pieces), 0
    found = []
    for text in texts:
        data = text.encode("utf-8")
        at = whole.find(data, place)
        if at < 0:
            continue
        place = at + len(data)
        start, stop = bisect_right(bounds, at) - 1, bisect_right(bounds, place) - 1
        if whole[bounds[start] : at].strip():
            start += 1
        while stop > start and not pieces[stop - 1]:  # special tokens have no bytes
            stop -= 1
        if stop - start >= LEAST:
            found.append((start, stop))
    return found
