"""Whether a text has begun to go round in circles, as texts of small models do, and of large ones at a low temperature.

    loops = Loops()
    loops.find("uno dos tres cuatro cinco " * 3)  # 26: where the second round begins

A text that says the same words three times in a row says nothing more: it would go on until the length asked for is reached,
on a machine that others are waiting for. `space/generators.py` takes it back to where
the second round begins, and lets it go on otherwise.
"""

from __future__ import annotations

import re
from collections import deque

ROUNDS, LONGEST, LEAST = 3, 60, 12
"""How often in a row, the words of the longest round, and the least that all rounds together have ("no, no, no" is no loop)."""

_NEEDED = tuple(max((ROUNDS - 1) * size, LEAST - size) for size in range(1, LONGEST + 1))
"""How many words that equal those 1, 2, 3... words before make a loop."""

_WORD = re.compile(r"\S{1,20}")
"""A word, or a piece of something that has no end."""


class Loops:
    """Follows one text, of which the first `skip` characters do not count."""

    def __init__(self, skip: int = 0) -> None:
        self._read = skip
        self._starts: list[int] = []
        self._latest = deque([""] * LONGEST, maxlen=LONGEST)
        self._same = [0] * LONGEST
        """How many of the latest words in a row are the one that came 1, 2, 3... words before."""

    def find(self, text: str) -> int | None:
        """Where in `text` the second round begins; None while there is no loop, and the next `text` is to begin with this one.

        It depends on the text alone, not on the pieces it comes in: a word counts once something follows it.
        """
        for word in _WORD.finditer(text, self._read):
            if word.end() == len(text):
                break
            self._read = word.end()
            self._starts.append(word.start())
            if repeated := self._add(word[0]):
                return self._starts[-repeated]
        return None

    def _add(self, word: str) -> int:
        """How many words too many there are with `word`."""
        self._same = [(n + 1) * (word == before) for n, before in zip(self._same, self._latest, strict=True)]
        self._latest.appendleft(word)
        return next((n for n, least in zip(self._same, _NEEDED, strict=True) if n >= least), 0)
