"""This engine and what anybody would use instead, side by side on the same GGUF file; see docs/performance.md.

    python -m tests.bench.bench_engine [--model GGUF] [--scenarios alone cold ...] [--engines "this engine" ...] [--runs 3]
        [--tokens 64] [--slots 4] [--growth] [--out FILE.json]

The default model is the embedded bundle's. The engines take turns, each in a process of its own, never two at once; a run
is a turn of each, and the figures are medians of the runs. Times are worth something on an idle machine only.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import llama_cpp

from space.bundle import Bundle
from space.settings import EMBEDDED, available_cores
from tests.bench import machine, scenarios
from tests.bench.engine_tables import Reference, bar_table, growth_table, scenario_tables
from tests.bench.engines import ENGINES, LLAMA_SERVER, THIS
from tests.bench.llama_tools import ToolsMissing, built
from tests.bench.play import Figures
from tests.bench.scenarios import Plan, Prompts, Setup

CONTEXT = 4096
IDLE = 0.3
"""The load above which figures are not to be trusted."""
GAP_TOKENS = 8
"""Visitors who arrive at random come one after the other in the time of so many tokens at the machine's limit, on average."""
Run = dict[str, dict[str, Figures]]
"""The figures of each scenario of each engine."""


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    model: Path
    index: Path
    scenarios: list[str]
    engines: list[str]
    runs: int
    tokens: int
    slots: int
    passage_tokens: int
    growth: bool
    reference: bool


def plan(options: Options, limits: machine.ModelLimits) -> Plan:
    """The visits that every engine gets."""
    with closing(Prompts(options.model, options.index, options.passage_tokens)) as prompts:
        context = min(CONTEXT, prompts.context)
        setup = Setup(
            options.model,
            prompts.chat_template,
            prompts.ends,
            context,
            available_cores(os.environ),
            options.slots,
        )
        warm_up = prompts.short()
        if options.growth:
            return Plan(setup, warm_up, scenarios.growth(prompts, options.tokens))
        found = scenarios.scenarios(prompts, options.slots, options.tokens, GAP_TOKENS / limits.alone)
        return Plan(setup, warm_up, {name: found[name] for name in found if name in options.scenarios})


def take_turns(engines: Sequence[str], plan: Plan, runs: int) -> list[Run]:
    """`runs` turns of each engine, each turn in a process of its own."""
    done = []
    with tempfile.TemporaryDirectory() as folder:
        plan_file, out = Path(folder) / "plan.json", Path(folder) / "out.json"
        plan.write(plan_file)
        for number in range(runs):
            print(f"run {number + 1} of {runs}", file=sys.stderr, flush=True)
            done.append({name: _turn(name, plan_file, out) for name in engines})
    return done


def _turn(engine: str, plan_file: Path, out: Path) -> dict[str, Figures]:
    command = [sys.executable, "-m", "tests.bench.play", engine, str(plan_file), str(out)]
    subprocess.run(command, check=True)
    return {name: Figures(**values) for name, values in json.loads(out.read_text()).items()}


def medians(runs: Sequence[Run]) -> Run:
    """The median of each figure over the runs."""
    return {
        engine: {
            name: Figures(
                *(
                    statistics.median(getattr(run[engine][name], f.name) for run in runs)
                    for f in fields(Figures)
                )
            )
            for name in by_scenario
        }
        for engine, by_scenario in runs[0].items()
    }


def llama_bench(options: Options, prompt: int, threads: int) -> Reference:
    """llama-bench's tokens/s for a prompt of so many tokens and for writing, as the median of its repetitions."""
    command = [str(built().bench), "-m", str(options.model), "-t", str(threads), "-o", "json"]
    command += ["-p", str(prompt), "-n", str(options.tokens), "-r", str(options.runs)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    reading, writing = (statistics.median(test["samples_ts"]) for test in json.loads(done.stdout))
    return Reference(reading, writing)


def report(options: Options, plan: Plan, runs: Sequence[Run], limits: machine.ModelLimits) -> Iterable[str]:
    """The tables, in Markdown."""
    found = medians(runs)
    if options.growth:
        for engine, by_scenario in found.items():
            yield growth_table(engine, by_scenario, limits)
        return
    yield from scenario_tables(found, limits)
    if options.reference:
        longest = max(len(visit.prompt.tokens) for visits in plan.scenarios.values() for visit in visits)
        reference = llama_bench(options, longest, plan.setup.threads)
        yield (
            f"llama-bench: {reference.reading:.3g} tokens/s read (a prompt of {longest} tokens), "
            f"{reference.writing:.3g} tokens/s written."
        )
        yield bar_table(found, reference)


def measure(options: Options, out: Path | None) -> None:
    """Plays all, prints the tables, and writes every run's figures to `out`."""
    load = os.getloadavg()[0]
    limits = machine.measure(available_cores(os.environ))
    bounds = machine.limits_of(options.model, limits)
    whole = plan(options, bounds)
    print(
        f"{options.model.name}, llama-cpp-python {llama_cpp.__version__}, medians of {options.runs} runs, "
        f"{options.slots} slots of {whole.setup.context} tokens, {options.tokens} tokens written, load {load:.1f} at the start."
    )
    if load > IDLE:
        print("\n**The machine was not idle: these figures compare nothing.**")
    print(f"\n{machine.describe(limits, options.model)}\n", flush=True)
    runs = take_turns(options.engines, whole, options.runs)
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        named = [
            {e: {name: asdict(f) for name, f in found.items()} for e, found in run.items()} for run in runs
        ]
        out.write_text(
            json.dumps(
                {"options": asdict(options), "limits": asdict(limits), "runs": named}, indent=1, default=str
            )
        )
    print("\n\n".join(report(options, whole, runs, bounds)))


def command_line() -> argparse.ArgumentParser:
    bundle = Bundle.load(EMBEDDED)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--model", type=Path, default=bundle.base, help="GGUF (default: the embedded bundle's)")
    add(
        "--index",
        type=Path,
        default=next(iter(bundle.indexes.values())),
        help="index folder with the passages",
    )
    add("--scenarios", nargs="+", choices=list(scenarios.TITLES), default=list(scenarios.TITLES))
    add("--engines", nargs="+", choices=list(ENGINES), help="default: all; with --growth this engine")
    add("--runs", type=int, default=3, help="turns of each engine (default 3)")
    add("--tokens", type=int, default=64, help="tokens that a visitor gets written (default 64)")
    add("--slots", type=int, default=4, help="visitors served at once (default 4)")
    add("--passage-tokens", type=int, default=250, help="length of a passage (default 250)")
    add("--growth", action="store_true", help="how cost grows, instead of the scenarios")
    add("--no-reference", dest="reference", action="store_false", help="without llama-bench and the bars")
    add("--out", type=Path, help="JSON file for the figures of every run")
    return parser


def main() -> None:
    args = vars(command_line().parse_args())
    out = args.pop("out")
    args["engines"] = args["engines"] or ([THIS] if args["growth"] else list(ENGINES))
    args["reference"] &= not args["growth"]
    options = Options(**args)
    if options.reference or LLAMA_SERVER in options.engines:
        try:
            built()
        except ToolsMissing as error:
            raise SystemExit(str(error)) from error
    measure(options, out)


if __name__ == "__main__":
    main()
