"""From a corpus to a published generator in one command, resumable at each step.

    python -m train all speech talks.csv --repo me/charlas --config run.toml --dry-run
    python -m train all speech talks.csv --repo me/charlas --config run.toml

The steps are the commands themselves (train/pipeline_steps.py); a table of --config has the options of one. Into --out go data/,
sft/, gguf/, index/, originals.bin, bundle/, evaluation/ and all.json, by which the same command knows what is done already.
"""

from __future__ import annotations

import argparse
import gc
import shutil
import sys
import time
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

from index.errors import OradorError
from space.bundle import NAME
from space.files import REPO
from train.errors import BadOption
from train.pipeline_state import Done, Facts, State, as_facts, differences, hashes
from train.pipeline_steps import TABLES, Job, Step, nothing_held_out, steps
from train.plan import duration
from train.recipes import available
from train.sft import whole_checkpoints

EXAMPLE = """\
FILE.toml has a table for each step, with the options of its command (python -m train STEP --help, for prepare with RECIPE):

  [prepare]
  speaker = "Ana Ruiz"        # --speaker "Ana Ruiz": whose turns of a conference; of a chat it is persona = "Ana Ruiz"

  [sft]
  base = "microsoft/Phi-3-mini-4k-instruct"
  qlora = true
  epochs = 3

  [evaluate]
  samples = 8

After an interruption, or with other options, the same command runs what is not done yet. More: docs/train.md"""
HINT = """\
Options of the steps go into the file of --config: what `prepare` knows as --speaker "Ana Ruiz" is there

  [prepare]
  speaker = "Ana Ruiz"
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class, parser.epilog = argparse.RawDescriptionHelpFormatter, EXAMPLE
    names = f"kind of corpus: {', '.join(available())} (python -m train recipes)"
    parser.add_argument("recipe", choices=list(available()), metavar="RECIPE", help=names)
    parser.add_argument("source", type=Path, metavar="SOURCE", help="the corpus, as `prepare` reads it")
    parser.add_argument(
        "--repo", metavar="OWNER/NAME", help="where to publish; without it nothing is published"
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE.toml", help=f"options of the steps: [{'], ['.join(TABLES)}]"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the run (runs/NAME of --repo, or runs/RECIPE)"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="only say what would run, and about its time, memory and disk"
    )


def run(args: argparse.Namespace) -> None:
    """Runs what is not done yet. Raises BadOption, AllOutputTaken, and what the steps raise."""
    job = job_of(args)
    state = State.open(job.out)
    for step in steps(job):  # a wrong option of the last step is told now, not after the training
        step.parse(job.tables.get(step.name, {}))
    if args.dry_run:
        from train.pipeline_plan import print_plan

        try:
            print_plan(job, state)
        except OradorError:
            print(f"\n{HINT}", flush=True)
            raise
        return
    began = time.monotonic()
    show(job, state)
    for step in steps(job):
        if step.name in {now.name for now in steps(job)}:  # what was held out is known after `prepare`
            run_step(job, step.name, state)
    print(f"\nAll done in {duration(time.monotonic() - began)}.")
    if job.repo:
        print(state.done["publish"].said)
    else:
        print(f"Serve it:   ORADOR_BUNDLE={job.bundle} python app.py")
        print("Publish it: the same command with --repo OWNER/NAME")


def job_of(args: argparse.Namespace) -> Job:
    """The job that a command line describes. Raises BadOption."""
    if args.repo and not REPO.fullmatch(args.repo):
        raise BadOption(
            option="--repo", value=args.repo, reason="it is owner/name, from which the names are made"
        )
    if not args.source.exists():
        raise BadOption(option="SOURCE", value=args.source, reason="there is no such file or folder")
    stem = args.repo.split("/")[1].removesuffix("-gguf") if args.repo else args.recipe
    out = args.out or Path("runs") / stem
    name = stem if args.repo else out.resolve().name
    if not NAME.fullmatch(name):
        raise BadOption(
            option="--out", value=out, reason="its name is made of letters, digits, '.', '_' and '-'"
        )
    return Job(args.recipe, args.source, out, name, read_tables(args.config), args.repo)


def read_tables(path: Path | None) -> dict[str, dict[str, Any]]:
    """The tables of a configuration. Raises BadOption."""
    if path is None:
        return {}
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadOption(option="--config", value=path, reason=str(error)) from error
    if wrong := [name for name, table in tables.items() if name not in TABLES or not isinstance(table, dict)]:
        reason = f"{', '.join(wrong)} is no table of a step; there are {', '.join(TABLES)}"
        raise BadOption(option="--config", value=path, reason=reason)
    return tables


def run_step(job: Job, name: str, state: State) -> None:
    """Runs a step that is not done, and records it."""
    order = steps(job)
    number = next(n for n, step in enumerate(order) if step.name == name)
    step, title = order[number], f"{number + 1}/{len(order)} {name}"
    args = step.parse(job.tables.get(name, {}))
    options, inputs = described(job, step, args)
    reason = why(job, step, state, options, inputs)
    if reason is None:
        print(f"\n== {title}: not run again, nothing changed since {state.done[name].finished}", flush=True)
        return
    print(f"\n== {title}: {reason}; started {_now()}", flush=True)
    make_room(job, step, args, state.was_begun(name, options, inputs))
    state.begin(name, options, inputs)
    began = time.monotonic()
    try:
        said = step.load().run(args)
    except (OradorError, KeyboardInterrupt) as error:
        what = "was interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        print(
            f"== {title} {what} after {duration(time.monotonic() - began)}; the same command goes on here",
            flush=True,
        )
        if isinstance(error, KeyboardInterrupt):
            raise SystemExit(130) from error
        print(f"\n{HINT}", flush=True)
        raise
    seconds = time.monotonic() - began
    state.end(name, Done(options, inputs, hashes(step.outputs, job.out), seconds, _now(), said or ""))
    gc.collect()  # a trainer's model is kept by cycles; the next step needs its memory
    after = ", ".join(later.name for later in order[number + 1 :]) or "nothing"
    print(f"== {title}: done in {duration(seconds)}; next: {after}", flush=True)


def described(job: Job, step: Step, args: argparse.Namespace) -> tuple[Facts, Facts]:
    """The options of a step and the hashes of what it reads, which files that options name are too."""
    options = as_facts(vars(args), job.out)
    if step.name == "prepare":
        options["recipe_version"] = str(available()[job.recipe].VERSION)
    values = [one for value in vars(args).values() for one in (value if isinstance(value, list) else [value])]
    texts = [str(value).rpartition("=")[2] for value in values if isinstance(value, str | Path)]
    named = [Path(text) for text in texts if text and Path(text).exists()]
    outside = [path for path in named if not path.is_relative_to(job.out)]
    return options, hashes(dict.fromkeys([*step.inputs, *outside]), job.out)


def why(job: Job, step: Step, state: State, options: Facts, inputs: Facts) -> str | None:
    """Why a step has to run; None if it is done."""
    done = state.done.get(step.name)
    if done is None:
        return "to go on with" if state.was_begun(step.name, options, inputs) else "not done yet"
    if changed := differences(done.options, options):
        return f"other options ({'; '.join(changed)})"
    if changed := differences(done.inputs, inputs):
        return f"other input ({', '.join(changed)})"
    if changed := differences(done.outputs, hashes(step.outputs, job.out)):
        return f"its output is not as it was ({', '.join(changed)})"
    return None


def make_room(job: Job, step: Step, args: argparse.Namespace, same: bool) -> None:
    """Before a step that writes into no folder with other things in it: an interrupted training goes on, an earlier one is
    set aside as sft.before; earlier GGUFs go."""
    folder = job.out / "sft"
    if step.name == "export":
        shutil.rmtree(job.out / "gguf", ignore_errors=True)
    if step.name != "sft" or not folder.is_dir():
        return
    if same and whole_checkpoints(folder):
        args.resume = True
        print("It goes on from its last checkpoint.", flush=True)
        return
    if (folder / "adapter").is_dir():
        before = folder.with_name("sft.before")
        shutil.rmtree(before, ignore_errors=True)
        folder.rename(before)
        print(f"The earlier training is kept in {before} until the next.", flush=True)
    else:
        shutil.rmtree(folder)


def show(job: Job, state: State) -> None:
    """All steps beforehand, each with why it runs, as far as is known before the ones ahead of it have."""
    print(f"train all: {job.recipe} from {job.source} into {job.out}, base {job.base}")
    for name, reason in outlook(job, state):
        print(f"  {name:16} {reason or 'done'}")
    if nothing_held_out(job):
        print("  evaluate         left out: the corpus has no held-out examples")
    sys.stdout.flush()


def outlook(job: Job, state: State) -> list[tuple[str, str | None]]:
    """Each step with why it has to run; after one that has to, the others only if their inputs change by it."""
    found: list[tuple[str, str | None]] = []
    for step in steps(job):
        args = step.parse(job.tables.get(step.name, {}))
        reason = why(job, step, state, *described(job, step, args))
        first = next((name for name, ahead in found if ahead), None)
        found.append((step.name, reason or (f"if {first} changes what it reads" if first else None)))
    return found


def _now() -> str:
    return datetime.now().astimezone().isoformat(" ", "seconds")
