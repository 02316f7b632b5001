"""What `python -m train all --dry-run` says beforehand: which steps would run, their time, memory and disk.

The corpus is really prepared, into a folder that is removed again, so that examples and tokens are counted, not guessed. The
other figures are estimates: train/estimates.py has the formulas, train/plan_facts.py what they rest on.
"""

from __future__ import annotations

import argparse
import io
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

from index.passages import WORDS
from train.base_model import resolve
from train.bundle import MAX_CONTEXT
from train.estimates import estimate
from train.pipeline_state import State
from train.pipeline_steps import EMBEDDER, Job, Step, steps
from train.plan import duration, make_plan
from train.plan_facts import Estimate, Known, base_of, corpus_of, embedder_of, machine_of
from train.sft_options import from_arguments

Row = tuple[str, str | None, Estimate]
"""A step's name, why it would run (None: it is done), what it takes."""


def print_plan(job: Job, state: State) -> None:
    """Prepares the corpus aside, estimates and prints; nothing is written into the job's folder. Raises what the steps raise."""
    from train.pipeline import outlook

    print(f"Preparing {job.source} aside, to count it; nothing is kept.", flush=True)
    with tempfile.TemporaryDirectory(prefix="orador-dry-run-") as folder:
        known = learn(job, Path(folder) / "data")
    rows = plan_rows(job, known, outlook(job, state))
    print(f"\n{job.recipe} from {job.source} into {job.out}, base {job.base}; what it would take, about:")
    for line in table(rows):
        print(f"  {line}")
    for line in notes(rows, state):
        print(f"  {line}".rstrip())
    for line in summary(job, known, rows):
        print(line)


def plan_rows(job: Job, known: Known, order: Sequence[tuple[str, str | None]]) -> list[Row]:
    """Each step of `order` with its estimate, nothing for one that is done."""
    found = {step.name: step for step in steps(job)}
    rows: list[Row] = []
    for name, reason in order:
        args = found[name].parse(job.tables.get(name, {}))
        rows.append((name, reason, estimate(name, args, known) if reason else Estimate()))
    return rows


def table(rows: Sequence[Row]) -> list[str]:
    """The lines of the table, figures to the right, the steps that run added up."""
    total = Estimate(
        sum(e.seconds for *_, e in rows), max(e.memory for *_, e in rows), sum(e.disk for *_, e in rows)
    )
    cells = [("step", "time", "memory", "disk", "why")]
    for name, reason, found in [*rows, ("together", "", total)]:
        figures = (
            (duration(max(1, found.seconds)), size(found.memory), size(found.disk))
            if reason is not None
            else ("–",) * 3
        )
        cells.append((name, *figures, "done" if reason is None else reason))
    wide = [max(len(row[column]) for row in cells) for column in range(4)]
    return [
        f"{name:{wide[0]}}  {seconds:>{wide[1]}}  {memory:>{wide[2]}}  {disk:>{wide[3]}}  {why}".rstrip()
        for name, seconds, memory, disk, why in cells
    ]


def notes(rows: Sequence[Row], state: State) -> list[str]:
    """What a step downloads or needs while it runs, and how long it took the last time."""
    lines = []
    for name, reason, found in rows:
        scratch = f"{size(found.scratch)} more of disk while it runs" if found.scratch else ""
        download = f"{size(found.download)} from the Hub, unless its cache has them" if found.download else ""
        last = (
            f"took {duration(state.done[name].seconds)} the last time"
            if reason and name in state.done
            else ""
        )
        if text := "; ".join(filter(None, [found.note, scratch, download, last])):
            lines.append(f"{name}: {text}")
    return ["", *lines]


def summary(job: Job, known: Known, rows: Sequence[Row]) -> list[str]:
    """The job in a few lines: the training, the most that disk and memory have to hold, what the figures rest on."""
    plan, machine = known.plan, known.machine
    disk = sum(found.disk for *_, found in rows) + max(found.scratch for *_, found in rows)
    memory = max(found.memory for *_, found in rows)
    download = sum(found.download for *_, found in rows)
    cache = f", and {size(download)} in the Hub's cache" if download else ""
    return [
        "",
        f"training: {plan.examples:,} examples ({plan.validation:,} to validate, {plan.dropped:,} too long and dropped), "
        f"{plan.tokens:,} tokens an epoch, {plan.steps:,} steps",
        f"disk:     at most about {size(disk)} at once in {job.out}{cache}; {size(_free(job.out))} are free",
        f"memory:   at most about {size(memory)}; this machine has {size(machine.memory)}",
        f"measured: {', '.join(known.measured)}; {machine.flops / 1e9:,.0f} GFLOP/s of matrix products, "
        f"{machine.bandwidth / 1e9:.0f} GB/s of memory. All else is estimated from these (docs/train.md says how well).",
    ]


def learn(job: Job, data: Path) -> Known:
    """Prepares into `data`, plans the training on it and measures the machine."""
    parsed = {step.name: (step, step.parse(job.tables.get(step.name, {}))) for step in steps(job)}
    measured = {"prepare": _measured(*parsed["prepare"], data, out=data)}
    if "ground" in parsed:
        measured["ground"] = _measured(*parsed["ground"], data, data=data)
    args = parsed["sft"][1]
    args.data, args.dry_run = data, True
    options = from_arguments(args)
    from train.sft import prepare_inputs

    inputs = prepare_inputs(options)
    machine = machine_of(options)
    plan = make_plan(inputs.base, inputs.train, inputs.validation, options, machine.training)
    index = parsed["index"][1] if job.grounded else None
    return Known(
        measured=measured,
        corpus=corpus_of(data, inputs.prepared.train, plan),
        base=base_of(
            resolve(options.base, options.revision, weights=False), parsed["bundle"][1].context or MAX_CONTEXT
        ),
        plan=plan,
        options=options,
        machine=machine,
        kind=parsed["bundle"][1].kind,
        embedder=embedder_of(index.embedder if index else EMBEDDER) if index else None,
        words=index.words if index else WORDS,
        quantization=parsed["export"][1].quantize.split(",")[0].strip().upper(),
    )


def _measured(step: Step, args: argparse.Namespace, folder: Path, **paths: Path) -> Estimate:
    """Runs a step with other paths, without what it says, and measures it."""
    before, began = _written(folder), time.monotonic()
    for name, path in paths.items():
        setattr(args, name, path)
    with redirect_stdout(io.StringIO()):
        step.load().run(args)
    own, child = (
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    unit = 1 if sys.platform == "darwin" else 1024
    return Estimate(time.monotonic() - began, unit * (own + child), _written(folder) - before)


def _written(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def size(count: float) -> str:
    """Bytes as a person says them."""
    if count >= 1e9:
        return f"{count / 1e9:.1f} GB"
    return f"{count / 1e6:,.0f} MB" if count >= 1e6 else f"{count / 1e3:,.0f} kB" if count else "0"


def _free(folder: Path) -> int:
    there = next(path for path in [folder.absolute(), *folder.absolute().parents] if path.exists())
    return shutil.disk_usage(there).free
