"""Prompt lookup: drafts of what comes next, copied from where the last tokens stood before, and whether drafting pays.

    lookup = Lookup(prompt); worth = Worth()
    lookup.add(token)                                # each token that is written
    draft = lookup.draft() if worth.wanted() else []
    # with a draft: read the token and the draft in one batch, take a row's choice while it equals the draft's next token, then
    # worth.drafted(accepted, seconds); without one: worth.plain(seconds)

The method is prompt lookup decoding (Saxena 2023); the draft is certain, so the verification of Leviathan et al. (2023) becomes: choose
each position with the request's own sampler and go on while the choice equals the draft. Every token that is kept was chosen
by that sampler, so the distribution of the texts is unchanged. Plain Python, no model: a token costs one dictionary entry.
"""

from __future__ import annotations

from collections.abc import Iterable

RUN, LIMIT = 3, 3
"""Tokens that must match, and tokens of a draft: with the token before it four rows. Chosen by measurement: docs/performance.md."""
TRIAL = 8
"""Drafted steps after which it is judged whether they pay; older ones count half."""
FIRST_REST, LONGEST_REST = 32, 512
"""Steps without drafts after a trial that did not pay: twice as many each time in a row."""
RECENT = 0.125
"""Share of the latest plain step in their mean."""


class Lookup:
    """The tokens of one request so far, and for each `run` of them what followed it last."""

    def __init__(self, tokens: Iterable[int], run: int = RUN, limit: int = LIMIT) -> None:
        self._run = run
        self._limit = limit
        self._tokens: list[int] = []
        self._next: dict[tuple[int, ...], int] = {}  # a run to the place after it
        for token in tokens:
            self.add(token)

    def add(self, token: int) -> None:
        """Appends `token`."""
        place = len(self._tokens)
        if place >= self._run:
            self._next[tuple(self._tokens[-self._run :])] = place
        self._tokens.append(token)

    def draft(self) -> list[int]:
        """What followed where the last `run` tokens stood last before: at most `limit` tokens, often none."""
        place = self._next.get(tuple(self._tokens[-self._run :]))
        return [] if place is None else self._tokens[place : place + self._limit]


class Worth:
    """Whether drafts pay for one request: seconds a token of drafted steps against those of plain ones, here and now.

    Not before a plain step was timed. After TRIAL drafted steps that took longer a token, drafts rest, and are tried again later.
    """

    def __init__(self) -> None:
        self._plain = 0.0
        self._seconds = self._tokens = 0.0
        self._trial = TRIAL
        self._resting = 0
        self._rest = FIRST_REST

    def wanted(self) -> bool:
        """Whether to draft in the next step."""
        return self._plain > 0 and self._resting == 0

    def plain(self, seconds: float) -> None:
        """A step without draft: one token."""
        self._plain += (seconds - self._plain) * (RECENT if self._plain else 1)
        self._resting = max(0, self._resting - 1)

    def drafted(self, accepted: int, seconds: float) -> None:
        """A step that confirmed `accepted` tokens of a draft and chose one more."""
        self._tokens += accepted + 1
        self._seconds += seconds
        self._trial -= 1
        if self._trial > 0:
            return
        if self._seconds < self._plain * self._tokens:
            self._rest = FIRST_REST
            self._seconds, self._tokens = self._seconds / 2, self._tokens / 2
        else:
            self._resting, self._rest = self._rest, min(2 * self._rest, LONGEST_REST)
            self._seconds = self._tokens = 0.0
        self._trial = TRIAL
