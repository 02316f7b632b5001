"""`train all --dry-run`: every step has figures, they grow with what is done, and the table says them.

pytest tests/test_plan.py

That the disk planned covers what a run writes is held by tests/test_all_recipes.py.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import pytest

from tests.embedders import static_embedder
from train.estimates import STEPS, estimate
from train.pipeline_plan import notes, size, summary, table
from train.pipeline_state import State
from train.pipeline_steps import TABLES, Job
from train.plan import Plan
from train.plan_facts import Base, Corpus, Embedder, Estimate, Known, Machine, embedder_of, machine_of
from train.sft_options import Options

OPTIONS = Options(data=Path("data"), base="base", out=Path("out"), dtype="float32", optimizer="adamw_torch")
MACHINE = Machine(2e11, 2e10, (2e11, "CPU"), 2, 24e9)
PLAN = Plan(
    examples=100,
    validation=5,
    dropped=0,
    tokens=80_000,
    trained_tokens=60_000,
    longest=1000,
    steps=32,
    adapter_parameters=25_000_000,
    memory_bytes=3 * 10**9,
    seconds=3600.0,
    basis="",
)
PHI3 = Base(parameters=3.8e9, kv=393_216, context=4096, tokenizer=2e6)
KNOWN = Known(
    measured={"prepare": Estimate(1, 2e8, 5e5), "ground": Estimate(1, 2e8, 5e5)},
    corpus=Corpus(1e6, 160_000, [800.0] * 10, 10, 800, 1.6),
    base=PHI3,
    plan=PLAN,
    options=OPTIONS,
    machine=MACHINE,
    kind="speech",
    embedder=Embedder(236e6, 21.3e6, 384, 471e6),
)
ARGUMENTS = argparse.Namespace(
    quantize="Q4_K_M", merge=False, outtype="f16", without_parity=False, samples=24, limit=None
)
HARDER = {
    "machine": replace(MACHINE, flops=1e11, bandwidth=1e10, training=(1e11, "CPU")),
    "base": replace(PHI3, parameters=7.6e9, tokenizer=4e6),
    "corpus": replace(KNOWN.corpus, size=2e6, words=320_000, held=[800.0] * 20, answers=20),
}
GROWS = {
    "machine": ("export", "index", "evaluate"),
    "base": ("export", "bundle", "evaluate", "publish"),
    "corpus": ("index", "originals", "bundle", "evaluate", "publish"),
}
"""Steps that take longer with half the machine, twice the model, twice the texts."""


def of(step: str, known: Known = KNOWN, **options: object) -> Estimate:
    return estimate(step, argparse.Namespace(**{**vars(ARGUMENTS), **options}), known)


@pytest.mark.parametrize("step", TABLES)
def test_every_step_has_figures(step: str) -> None:
    found = of(step)
    assert found.seconds > 0
    assert found.memory > 1e8
    assert found.disk > 0 or step == "publish"
    assert found.scratch > 0 or step != "export"


@pytest.mark.parametrize(("changed", "step"), [(key, step) for key, steps in GROWS.items() for step in steps])
def test_more_work_takes_longer(changed: str, step: str) -> None:
    known = replace(KNOWN, **{changed: HARDER[changed]})  # type: ignore[arg-type]
    assert of(step, known).seconds > of(step).seconds


def test_options_count() -> None:
    assert of("export", quantize="Q4_K_M,Q8_0").disk == pytest.approx(3.8e9 * (4.9 + 8.5) / 8, rel=0.02)
    assert of("export", merge=True).seconds > 1.3 * of("export").seconds
    assert of("export", without_parity=True).seconds < of("export").seconds
    assert of("evaluate", samples=4, limit=2).seconds < of("evaluate").seconds / 3
    assert of("evaluate", replace(KNOWN, embedder=None)).seconds < of("evaluate").seconds
    for kind in ("questions", "chat"):
        assert of("evaluate", replace(KNOWN, kind=kind)).seconds != of("evaluate").seconds
    often = replace(KNOWN, options=replace(OPTIONS, eval_steps=1))
    assert of("sft", often).seconds > of("sft").seconds


def test_phi3_is_as_it_was_measured() -> None:
    """On two cores: 25 to 36 tokens a second read, 3.5 to 5.3 written (Q4_K_M)."""
    assert 20 < 1000 / KNOWN.read(1000) < 40
    assert 2.0 < 100 / KNOWN.written(100) < 5.3
    assert 3.3e9 < of("evaluate").memory < 9e9


def test_the_embedder_is_known_by_its_files(tmp_path: Path) -> None:
    static_embedder(tmp_path / "static")
    found = embedder_of(str(tmp_path / "static"))
    written = sum(path.stat().st_size for path in (tmp_path / "static").iterdir())
    assert (found.parameters, found.dimension, found.size, found.download) == (0, 64, written, 0)
    assert embedder_of("intfloat/multilingual-e5-small").download > 4e8


def test_the_machine_is_measured() -> None:
    machine = machine_of(OPTIONS)
    assert machine.flops > 1e8
    assert machine.bandwidth > 1e8
    assert machine.memory > 1e9


def test_the_table_adds_up(tmp_path: Path) -> None:
    rows = [
        ("prepare", None, Estimate()),
        ("sft", "not done yet", of("sft")),
        ("export", "other", of("export")),
    ]
    lines = table(rows)
    assert len({line.index("B ") for line in lines[3:]}) == 1  # figures stand under each other
    assert lines[1].split() == ["prepare", "–", "–", "–", "done"]
    assert size(of("sft").disk + of("export").disk) in lines[-1]
    assert lines[-1].startswith("together")
    said = notes(rows, State(tmp_path / "all.json"))
    assert any("7.6 GB more of disk while it runs" in line for line in said)
    whole = "\n".join(summary(Job("speech", tmp_path, tmp_path / "run", "x"), KNOWN, rows))
    assert "at most about" in whole
    assert "are free" in whole


def test_no_step_is_forgotten() -> None:
    assert {*STEPS, *KNOWN.measured} == set(TABLES)


@pytest.mark.parametrize(("count", "shown"), [(0, "0"), (5e3, "5 kB"), (2.4e7, "24 MB"), (7.6e9, "7.6 GB")])
def test_bytes_for_a_person(count: float, shown: str) -> None:
    assert size(count) == shown
