"""Turns: a lock that serves threads in the order in which they came (`threading.Lock` promises no order)."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """`with turns.turn():` waits for all that asked before."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._queue: deque[threading.Event] = deque()

    @contextmanager
    def turn(self) -> Iterator[None]:
        gate = threading.Event()
        with self._mutex:
            self._queue.append(gate)
            self._queue[0].set()
        try:
            gate.wait()
            yield
        finally:
            with self._mutex:
                self._queue.remove(gate)
                if self._queue:
                    self._queue[0].set()
