"""Maps a function over items in several processes, with the results and the audit of one: used by `python -m train prepare`.

A second of work is done here before processes are started, so that a small corpus does not wait for them.
"""

from __future__ import annotations

import itertools
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from train.audit import Audit

Item = TypeVar("Item")
Result = TypeVar("Result")
_PATIENCE = 1.0  # seconds of work that are not worth a process
_AHEAD = 6  # tasks in flight per process: what bounds the memory


@dataclass(frozen=True)
class Processes:
    """How many work; None: as many as there are cores, once there is more than a second's work."""

    number: int | None = None

    def map(
        self,
        function: Callable[[Item, Audit], Result],
        items: Iterable[Item],
        audit: Audit,
        together: int = 8,
    ) -> Iterator[Result]:
        """`function(item, audit)` of each item, in order; `audit` grows as if all were done here, one after the other.

        `function` must be one of a module (or a partial of such), its items and results such that they can be pickled;
        what it raises is raised here when its turn comes. `together` items travel to a process at once.
        """
        left = iter(items)
        worked = 0.0
        number = self.number or _cores()
        while number == 1 or (self.number is None and worked < _PATIENCE):
            for item in left:
                start = time.perf_counter()
                result = function(item, audit)
                worked += time.perf_counter() - start
                yield result
                break
            else:
                return
        tasks = iter(lambda: list(itertools.islice(left, together)), [])
        with ProcessPoolExecutor(number, initializer=_set_function, initargs=(function,)) as pool:
            running: deque[Future[list[tuple[Result, Audit]]]] = deque()
            try:
                for task in tasks:
                    running.append(pool.submit(_work, task))
                    while running and (len(running) >= _AHEAD * number or running[0].done()):
                        yield from _merged(running.popleft().result(), audit)
                while running:
                    yield from _merged(running.popleft().result(), audit)
            finally:  # also when whoever reads stops halfway
                pool.shutdown(cancel_futures=True)


AUTOMATIC = Processes()

_function: Callable[[Any, Audit], Any]


def _set_function(function: Callable[[Any, Audit], Any]) -> None:
    global _function
    _function = function


def _work(items: list[Any]) -> list[tuple[Any, Audit]]:
    """Each item's result with an audit of its own, so that the caller may count in between as it would alone."""
    results = []
    for item in items:
        audit = Audit()
        results.append((_function(item, audit), audit))
    return results


def _merged(results: list[tuple[Result, Audit]], audit: Audit) -> Iterator[Result]:
    for result, part in results:
        audit.add(part)
        yield result


def _cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
