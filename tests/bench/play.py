"""Plays the scenarios of a plan on one engine, in a process of its own; `tests.bench.bench_engine` calls it.

python -m tests.bench.play NAME PLAN.json OUT.json
"""

from __future__ import annotations

import json
import math
import statistics
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

from tests.bench.engines import ENGINES, Candidate
from tests.bench.scenarios import Plan, Visit

WARM_UP_TOKENS = 4


@dataclass(frozen=True)
class Figures:
    """What a scenario came to. Seconds; tokens/s; `first_*` is the time to the first token, `last_first` that of the last
    visit of the plan; `gap` the longest time without a token in a stream after its first; `memory` the peak so far, in bytes."""

    visitors: int
    prompt: int
    written: int
    seconds: float
    first_p50: float
    first_p95: float
    last_first: float
    speed: float
    total: float
    gap: float
    memory: int


@dataclass
class Record:
    """A visit as it went: when it began, and the times at which it had how many tokens."""

    begun: float
    times: list[tuple[float, int]]

    @property
    def first(self) -> float:
        return self.times[0][0] - self.begun

    @property
    def speed(self) -> float:
        """Tokens/s after the first piece; NaN where there is no second one."""
        (start, had), (end, has) = self.times[0], self.times[-1]
        return (has - had) / (end - start) if end > start else math.nan

    @property
    def gap(self) -> float:
        return max((later - earlier for (earlier, _), (later, _) in pairwise(self.times)), default=0.0)


class Stage:
    """Where the visits of one scenario meet: one may wait until another has written."""

    def __init__(self, engine: Candidate) -> None:
        self._engine = engine
        self._changed = threading.Condition()
        self._most = 0

    def play(self, visits: list[Visit]) -> list[Record]:
        """All visits, each in a thread of its own."""
        begun = time.perf_counter()
        with ThreadPoolExecutor(len(visits)) as pool:
            return list(pool.map(lambda visit: self._visit(visit, begun), visits))

    def _visit(self, visit: Visit, begun: float) -> Record:
        time.sleep(max(0.0, begun + visit.at - time.perf_counter()))
        with self._changed:
            self._changed.wait_for(lambda: self._most >= visit.written_first)
        record = Record(time.perf_counter(), [])
        try:
            with closing(self._engine.stream(visit)) as pieces:
                for count in pieces:
                    record.times.append((time.perf_counter(), count))
                    self._tell(count)
        finally:
            self._tell(10**9)  # over: nobody need wait any more, whatever happened
        if not record.times:
            raise RuntimeError("a visit got no token at all")
        return record

    def _tell(self, count: int) -> None:
        with self._changed:
            self._most = max(self._most, count)
            self._changed.notify_all()


def figures(visits: list[Visit], records: list[Record], memory: int) -> Figures:
    """The figures of one scenario."""
    firsts = sorted(record.first for record in records)
    begun = min(record.begun for record in records)
    seconds = max(record.times[-1][0] for record in records) - begun
    written = sum(record.times[-1][1] for record in records)
    speeds = [record.speed for record in records if not math.isnan(record.speed)]
    return Figures(
        visitors=len(visits),
        prompt=sum(len(visit.prompt.tokens) for visit in visits),
        written=written,
        seconds=seconds,
        first_p50=statistics.median(firsts),
        first_p95=firsts[math.ceil(0.95 * len(firsts)) - 1],
        last_first=records[-1].first,
        speed=statistics.median(speeds) if speeds else math.nan,
        total=written / seconds,
        gap=max(record.gap for record in records),
        memory=memory,
    )


def peak_memory(pid: int) -> int:
    """The peak resident memory of a process in bytes (Linux); mapped files count as far as they were read."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def play(name: str, plan: Plan) -> dict[str, Figures]:
    """The figures of each scenario of `plan`, played on the engine `name`."""
    with closing(ENGINES[name](plan.setup)) as engine:
        Stage(engine).play([Visit(plan.warm_up, WARM_UP_TOKENS)])
        found = {}
        for scenario, visits in plan.scenarios.items():
            print(f"  {name}: {scenario}", file=sys.stderr, flush=True)
            records = Stage(engine).play(visits)
            found[scenario] = figures(visits, records, peak_memory(engine.pid))
    return found


def main() -> None:
    name, plan, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    found = play(name, Plan.read(plan))
    out.write_text(json.dumps({scenario: asdict(value) for scenario, value in found.items()}))


if __name__ == "__main__":
    main()
