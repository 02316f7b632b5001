"""Chooses the kernels of a large model on the machine at hand, by reading and writing a few tokens with each.

    calibration = calibrate(Path("base.gguf"), threads=2, halved=False, folder=Path("~/.cache/orador").expanduser())

Takes some seconds at the first start, and none afterwards: the figures are kept in `folder`/kernels.json under the model, the
processor, the threads and the build of llama.cpp. `/info` shows them.
"""

from __future__ import annotations

import json
import math
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np

from space.cells import Cells
from space.kernels import DEFAULT, Kernels
from space.native import Context, Model

LARGE = 500_000_000
"""Bytes of a GGUF from which kernels are chosen; a smaller one is quick in any way."""
DEPTH = 512
"""Tokens before those that are measured: attention to them is part of the cost."""
COMPANY = 4
"""Texts written at once, besides one alone."""
ROUNDS, WARM, READ, WRITTEN = 2, 8, 64, 6
READ_FOR_EACH = 0.6
"""Tokens that a request reads for each that it writes: 50 of topics or some 700 of passages, and a text of 700, three minutes long."""
CLEAR_GAIN = 1.05
"""How much quicker repacked weights must be: they are a copy, so a start takes seconds longer and the file is not shared."""
SPEEDS = ("reading", "writing", "together")


@dataclass(frozen=True)
class Calibration:
    """The kernels, and with them tokens per second read, written by one request, and by COMPANY together; None for a model that is not large."""

    kernels: Kernels
    reading: float | None = None
    writing: float | None = None
    together: float | None = None


def calibrate(model: Path, threads: int, halved: bool, folder: Path) -> Calibration:
    """The quickest kernels for `model`, with keys and values `halved` or not. Raises ModelUnreadable."""
    if model.stat().st_size < LARGE:
        return Calibration(replace(DEFAULT, halved=halved, exact=not halved))
    file, key = folder / "kernels.json", f"{_key(model, threads)} | halved = {halved:d}"
    known = _known(file)
    with suppress(KeyError, TypeError):  # what another version of Orador wrote is measured again
        found = known[key]
        return Calibration(Kernels(**found["kernels"]), *(found[name] for name in SPEEDS))
    print("trying the kernels for this model and machine, once, up to a minute", file=sys.stderr)
    mapped, repacked = measure(
        model, threads, [Kernels(repack, halved, exact=False) for repack in (False, True)]
    )
    best = repacked if _cost(repacked) * CLEAR_GAIN < _cost(mapped) else mapped
    with suppress(OSError):  # a folder that cannot be written costs the next start some seconds
        folder.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps({**_known(file), key: asdict(best)}, indent=1), encoding="utf-8")
        part.replace(file)
    return best


def measure(model: Path, threads: int, tried: Sequence[Kernels]) -> list[Calibration]:
    """The best speeds of `model` with each of `tried`; some 6 s each for Phi-3-mini on two cores, and its loading.

    They take turns, so that what else the machine does disturbs all alike. Raises ModelUnreadable.
    """
    with ExitStack() as stack:
        trials = []
        for kernels in tried:
            loaded = stack.enter_context(closing(Model(model, {}, kernels)))
            context = Context(loaded, COMPANY, DEPTH + WARM + READ + 2 * WRITTEN, READ, threads)
            trials.append(_Trial(stack.enter_context(closing(context))))
        for _ in range(ROUNDS):
            for trial in trials:
                trial.play()
        return [
            Calibration(kernels, *(round(1 / seconds, 2) for seconds in trial.least))
            for kernels, trial in zip(tried, trials, strict=True)
        ]


class _Trial:
    """A context whose slots hold DEPTH tokens; `least` are the least seconds so far for a token read, written alone, written in company."""

    def __init__(self, context: Context) -> None:
        self._context = context
        context.read(0, [0, 0])
        deep = _deep(context.cells(0))
        for slot in range(COMPANY):
            context.restore(slot, [deep])
        context.read(0, [0] * WARM)
        self.least = [math.inf] * len(SPEEDS)

    def play(self) -> None:
        """One round."""
        starts = list(self._context.lengths)
        read = _seconds(lambda: self._context.read(0, [0] * READ)) / READ
        alone, together = (
            min(_seconds(partial(self._context.write, rows)) for _ in range(WRITTEN)) / len(rows)
            for rows in ([(0, 0)], [(slot, 0) for slot in range(COMPANY)])
        )
        self.least = list(map(min, self.least, (read, alone, together)))
        for slot, start in enumerate(starts):
            self._context.truncate(slot, start)


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _deep(cells: Cells) -> Cells:
    """DEPTH cells of zeros, like the first of `cells`: a long prompt that takes no time to read."""
    one = cells.cut(0, 1)
    axis = 2 if cells.layout.transposed else 1
    return replace(
        one,
        positions=np.arange(DEPTH, dtype=np.int32),
        keys=np.repeat(one.keys * 0, DEPTH, axis=1),
        values=np.repeat(one.values * 0, DEPTH, axis=axis),
    )


def _cost(calibration: Calibration) -> float:
    """Seconds of a request for each token that it writes, half of the time alone."""
    reading, alone, together = (getattr(calibration, name) for name in SPEEDS)
    return float(READ_FOR_EACH / reading + 0.5 / alone + 0.5 / together)


def _key(model: Path, threads: int) -> str:
    cpu = platform.processor() or platform.machine()
    if (info := Path("/proc/cpuinfo")).exists():
        cpu = next(
            (
                line.partition(":")[2].strip()
                for line in info.read_text().splitlines()
                if "model name" in line
            ),
            cpu,
        )
    built = llama_cpp.llama_print_system_info().decode()
    return " | ".join(
        [model.name, str(model.stat().st_size), cpu, str(threads), llama_cpp.__version__, built.strip(" |")]
    )


def _known(file: Path) -> dict[str, Any]:
    """What `file` holds; nothing where it is absent or unreadable, since it is made again."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
