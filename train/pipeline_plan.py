"""What `python -m train all --dry-run` says beforehand: which steps would run, their time, memory and disk.

The corpus is really prepared, into a folder that is removed again, so that examples and tokens are counted, not guessed. What rests on
nothing is not estimated, and the table says so.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from index.passages import WORDS
from train.base_model import describe, resolve
from train.export import BITS
from train.pipeline_state import State
from train.pipeline_steps import Job, Step, steps
from train.plan import Plan, duration, make_plan
from train.sft_options import Options, from_arguments

UNKNOWN = "not estimated"
DIMENSION = 384
"""Of the default embedder, for the size of an index; an index of another takes more or less in proportion."""
CHECKPOINTS = 2


@dataclass(frozen=True)
class Estimate:
    """Of one step: seconds and bytes, None where nothing is known; `disk` is what stays."""

    seconds: float | None = None
    memory: float | None = None
    disk: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Known:
    """What the estimates rest on: the prepared folder with its size in bytes and words, the training's plan, the base's parameters."""

    prepare_seconds: float
    data_bytes: int
    words: int
    plan: Plan
    parameters: int
    options: Options
    local_base: bool


def print_plan(job: Job, state: State) -> None:
    """Prepares the corpus aside, estimates and prints; nothing is written into the job's folder. Raises what the steps raise."""
    from train.pipeline import outlook

    with tempfile.TemporaryDirectory(prefix="orador-dry-run-") as folder:
        known = learn(job, Path(folder) / "data")
    order = {step.name: step for step in steps(job)}
    rows = [("step", "time", "memory", "disk", "why it runs, and notes")]
    total = 0.0
    for name, reason in outlook(job, state):
        found = estimate(job, order[name], known) if reason else Estimate(0, 0, 0)
        total += found.disk or 0
        last = f"last time {duration(state.done[name].seconds)}" if name in state.done else ""
        notes = "; ".join(filter(None, [reason or "done", last if reason else "", found.note]))
        rows.append((name, _time(found.seconds), _bytes(found.memory), _bytes(found.disk), notes))
    print(
        f"\n{job.recipe} from {job.source} into {job.out}; estimates, but for the time of prepare, which was measured"
    )
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        print("  " + "  ".join(f"{text:{width}}" for text, width in zip(row, [*widths, 0], strict=True)))
    print(
        f"\ndisk: about {_bytes(total)} at {job.out}, {_bytes(_free(job.out))} are free. memory: this machine has {_bytes(_memory())}."
    )
    print(
        f"training: {known.plan.examples} examples, {known.plan.tokens:,} tokens an epoch, {known.plan.steps} steps; {known.plan.basis}"
    )


def learn(job: Job, data: Path) -> Known:
    """Prepares into `data` and plans the training on it."""
    parsed = {step.name: (step, step.parse(job.tables.get(step.name, {}))) for step in steps(job)}
    began = time.monotonic()
    _run(*parsed["prepare"], out=data)
    seconds = time.monotonic() - began
    if "ground" in parsed:
        _run(*parsed["ground"], data=data)
    _, args = parsed["sft"]
    args.data, args.dry_run = data, True
    options = from_arguments(args)
    plan, parameters = _training(options)
    words = sum(len(line.split()) for line in (data / "documents.jsonl").read_text("utf-8").splitlines())
    size = sum(path.stat().st_size for path in data.rglob("*") if path.is_file())
    return Known(seconds, size, words, plan, parameters, options, Path(options.base).is_dir())


def _run(step: Step, args: argparse.Namespace, **paths: Path) -> None:
    for name, path in paths.items():
        setattr(args, name, path)
    step.load().run(args)


def _training(options: Options) -> tuple[Plan, int]:
    from train.sft import prepare_inputs

    inputs = prepare_inputs(options)
    base = resolve(options.base, options.revision, weights=False)
    return make_plan(inputs.base, inputs.train, inputs.validation, options), describe(base)[0]


def estimate(job: Job, step: Step, known: Known) -> Estimate:
    """The estimate of one step; of a step that is not known here, nothing."""
    args = step.parse(job.tables.get(step.name, {}))
    quantized = known.parameters * BITS[_first(job)] / 8
    index = _index_bytes(job, known) if job.grounded else 0
    grams = known.words * 8  # two numbers of 4 bytes an 8-gram
    if step.name == "prepare":
        return Estimate(known.prepare_seconds, None, known.data_bytes)
    if step.name == "sft":
        return _sft(known)
    if step.name == "export":
        return _export(known, args)
    if step.name == "index":
        return Estimate(
            None, None, index, f"about {known.words // args.words:,} passages at {DIMENSION} dimensions"
        )
    if step.name == "originals":
        return Estimate(None, None, grams)
    if step.name == "bundle":
        return Estimate(
            None, None, quantized + 2 * known.plan.adapter_parameters + index + grams, "copies its parts"
        )
    if step.name == "evaluate":
        return Estimate(
            None, quantized, 0, "memory without the context's; `samples` and `limit` bound its time"
        )
    if step.name == "publish":
        sent = quantized + 6 * known.plan.adapter_parameters + index + grams
        return Estimate(None, None, 0, f"sends about {_bytes(sent)}")
    return Estimate()


def _sft(known: Known) -> Estimate:
    state = 2 if "8bit" in known.options.optimizer_name() else 8
    kept = known.plan.adapter_parameters * (4 + CHECKPOINTS * (4 + state))
    download = 0 if known.local_base else 2 * known.parameters
    note = f"and {_bytes(download)} in the Hub's cache, unless they are there" if download else ""
    return Estimate(known.plan.seconds, known.plan.memory_bytes, kept, note)


def _export(known: Known, args: argparse.Namespace) -> Estimate:
    kinds = [BITS[kind.strip().upper()] / 8 for kind in args.quantize.split(",")]
    results = known.parameters * sum(kinds) * (2 if args.merge else 1)
    wide = 4 if known.options.dtype_name() == "float32" else 2
    scratch = known.parameters * (4 if args.outtype == "f32" else 2) * (2 if args.merge else 1)
    note = f"while it runs {_bytes(scratch)} more of disk"
    return Estimate(None, known.parameters * wide, results + 2 * known.plan.adapter_parameters, note)


def _index_bytes(job: Job, known: Known) -> float:
    words = job.tables.get("index", {}).get("words", WORDS)
    return known.data_bytes / 2 + known.words / words * DIMENSION * 4 + known.words * 8


def _first(job: Job) -> str:
    quantizations = str(job.tables.get("export", {}).get("quantize", "Q4_K_M"))
    return quantizations.split(",")[0].strip().upper()


def _time(seconds: float | None) -> str:
    return UNKNOWN if seconds is None else duration(seconds)


def _bytes(size: float | None) -> str:
    if size is None:
        return UNKNOWN
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"


def _free(folder: Path) -> int:
    there = next(path for path in [folder.absolute(), *folder.absolute().parents] if path.exists())
    return shutil.disk_usage(there).free


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
