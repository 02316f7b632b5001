"""How many tokens of a prompt `space/local_engine.py` reads at once: as many as take the time that others can wait."""

from __future__ import annotations

BATCH = 256
"""Tokens of a prompt that are read at once, at most."""
READING, READING_ALONE = 0.8, 3.0
"""Seconds that a slice should take: while others write, and while none does (a cancel waits as long)."""
FIRST, LEAST = 32, 8


class Slices:
    """Learns from how long the last ones took, for each of the two times: twice the tokens take less than twice as long."""

    def __init__(self) -> None:
        self._sizes = {False: FIRST, True: FIRST}

    def size(self, alone: bool, left: int) -> int:
        """How many of the `left` tokens to read now: never a single one of several, and never leaving a single one."""
        size = min(left, self._sizes[alone])
        return size - 1 if left - size == 1 else size

    def took(self, alone: bool, size: int, seconds: float) -> None:
        """Notes that `size` tokens took `seconds`."""
        aim = READING_ALONE if alone else READING
        if size >= self._sizes[alone] - 1 and 2 * seconds <= aim:
            self._sizes[alone] = min(BATCH, 2 * self._sizes[alone])
        elif seconds > 1.25 * aim:
            self._sizes[alone] = max(LEAST, self._sizes[alone] // 2)
