"""`python -m train all`: what is done is not done again, what changed is, and every wrong option is told before it costs time.

pytest tests/test_all.py            # the quick steps
pytest tests/test_all.py -m e2e     # all of them, killed in between, to a Hub on loopback
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.embedders import TALKS, static_embedder
from tests.hub_client import Visitor
from tests.hub_server import serving
from tests.space_app import ROOT
from train.__main__ import main
from train.errors import AllOutputTaken, BadOption
from train.pipeline import described, make_room, outlook, read_tables, run_step
from train.pipeline_state import State
from train.pipeline_steps import Job, steps
from train.recipes import available

QUICK = ("prepare", "index", "originals")


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("embedder")
    static_embedder(folder)
    return folder


@pytest.fixture
def talks(tmp_path: Path) -> Path:
    """Some talks as a corpus of one's own."""
    folder = tmp_path / "talks"
    folder.mkdir()
    for path in sorted(TALKS.glob("*.md"))[:12]:
        shutil.copy(path, folder)
    return folder


@pytest.fixture
def job(talks: Path, embedder: Path, tmp_path: Path) -> Job:
    return Job("speech", talks, tmp_path / "run", "charlas", {"index": {"embedder": str(embedder)}})


def ran(job: Job, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The quick steps of a job, as a new process would run them; those that were run."""
    capsys.readouterr()
    for name in QUICK:
        run_step(job, name, State.open(job.out))
    text = capsys.readouterr().out
    done = re.findall(r"^== \d+/\d+ ([\w-]+): done in", text, re.M)
    left = re.findall(r"^== \d+/\d+ ([\w-]+): not run again, nothing changed", text, re.M)
    assert sorted([*done, *left]) == sorted(QUICK)
    return done


def with_options(job: Job, step: str, **options: Any) -> Job:
    tables = job.tables | {step: job.tables.get(step, {}) | options}
    return Job(job.recipe, job.source, job.out, job.name, tables)


def test_what_did_not_change_is_not_run_again(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran(job, capsys) == list(QUICK)
    written = {path: path.stat().st_mtime_ns for path in job.out.rglob("*") if path.is_file()}
    assert ran(job, capsys) == []
    assert {path: path.stat().st_mtime_ns for path in job.out.rglob("*") if path.is_file()} == written


def test_what_changed_is_run_again_with_what_depends_on_it(
    job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    ran(job, capsys)
    words = with_options(job, "index", words=60)
    assert dict(outlook(words, State.open(job.out)))["index"] == "other options (words 200 → 60)"
    assert ran(words, capsys) == ["index"]
    assert ran(words, capsys) == []
    (job.out / "originals.bin").unlink()
    assert ran(words, capsys) == ["originals"]
    next(job.source.glob("*.md")).unlink()
    assert "other input" in str(dict(outlook(words, State.open(job.out)))["prepare"])
    assert ran(words, capsys) == list(QUICK)
    # Shorter examples are others, but the documents are the same: the index stays.
    assert ran(with_options(words, "prepare", max_words=200), capsys) == ["prepare", "originals"]
    assert ran(with_options(words, "prepare", max_words=200), capsys) == []


def test_a_moved_folder_is_still_the_same_run(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    ran(job, capsys)
    moved = Job(job.recipe, job.source, job.out.rename(job.out.with_name("moved")), job.name, job.tables)
    assert ran(moved, capsys) == []


def test_a_file_that_an_option_names_is_an_input(job: Job, tmp_path: Path) -> None:
    examples = tmp_path / "examples.json"
    examples.write_text("[]")
    job = with_options(job, "bundle", examples=str(examples), report=[f"pretraining={examples}"])
    step = next(step for step in steps(job) if step.name == "bundle")
    before = described(job, step, step.parse(job.tables["bundle"]))[1]
    examples.write_text('[{"topics": "el mar"}]')
    after = described(job, step, step.parse(job.tables["bundle"]))[1]
    assert {name for name in before if before[name] != after[name]} == {str(examples)}


def test_a_step_that_fails_is_told_and_goes_on(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = with_options(job, "index", words=3)
    run_step(wrong, "prepare", State.open(job.out))
    with pytest.raises(Exception, match="at least 20"):
        run_step(wrong, "index", State.open(job.out))
    assert "index failed after" in capsys.readouterr().out
    assert ran(job, capsys) == ["index", "originals"]


def test_an_earlier_training_is_set_aside(job: Job) -> None:
    sft = next(step for step in steps(job) if step.name == "sft")
    args, folder = sft.parse({}), job.out / "sft"
    for seen in ("first", "second"):
        (folder / "adapter").mkdir(parents=True)
        (folder / "adapter" / "weights").write_text(seen)
        make_room(job, sft, args, same=False)
        assert not folder.exists()
        assert (job.out / "sft.before" / "adapter" / "weights").read_text() == seen
    whole, torn = (folder / "checkpoints" / f"checkpoint-{number}" for number in (1, 2))
    for checkpoint in (whole, torn):
        checkpoint.mkdir(parents=True)
    (whole / "trainer_state.json").write_text("{}")
    make_room(job, sft, args, same=True)
    assert args.resume
    assert whole.is_dir()
    assert not torn.exists()


@pytest.mark.parametrize("recipe", available())
def test_every_recipe_has_its_steps(recipe: str, talks: Path, tmp_path: Path) -> None:
    job = Job(recipe, talks, tmp_path / "run", "x", repo="me/x")
    found = {step.name: step.parse({}) for step in steps(job)}
    grounded = "rag" in available()[recipe].TEMPLATES
    assert {"index", "export-embedder"} <= found.keys() if grounded else "index" not in found
    assert list(found)[-3:] == ["bundle", "evaluate", "publish"]
    assert found["bundle"].kind in available()[recipe].TEMPLATES
    assert found["sft"].base == found["export"].base == "microsoft/Phi-3-mini-4k-instruct"


def test_options_reach_their_commands(job: Job) -> None:
    tables = {
        "prepare": {"max-words": 200, "skip-bad": True},
        "sft": {
            "base": "ana/b",
            "revision": "r",
            "qlora": True,
            "gradient-checkpointing": False,
            "learning_rate": 2e-4,
        },
        "export": {"quantize": "Q8_0,F16", "merge": False},
        "evaluate": {"data": ["otra=runs/otra"]},
    }
    job = Job(job.recipe, job.source, job.out, job.name, job.tables | tables)
    found = {step.name: step.parse(job.tables.get(step.name, {})) for step in steps(job)}
    assert (found["prepare"].max_words, found["prepare"].skip_bad) == (200, True)
    sft = found["sft"]
    assert (sft.base, sft.qlora, sft.gradient_checkpointing, sft.learning_rate) == (
        "ana/b",
        True,
        False,
        2e-4,
    )
    assert (found["export"].base, found["export"].revision, found["export"].merge) == ("ana/b", "r", False)
    assert found["evaluate"].data == ["otra=runs/otra", f"charlas={job.data}"]
    assert "export-embedder" not in found


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[sft]\nlearningrate = 1", "unrecognized arguments: --learningrate=1"),
        ("[sft]\nepochs = 'many'", "invalid float value"),
        ("[publish]\nprivat = true", "unrecognized arguments: --privat"),
        ("[export]\nout = 'x'", r"\[export\] out is x: `train all` gives --out itself"),
        ("[training]\nepochs = 1", "training is no table of a step"),
        ("epochs = 1", "epochs is no table of a step"),
        ("[sft", "--config is .*run.toml"),
    ],
)
def test_a_wrong_configuration_is_told_before_anything_runs(
    job: Job, tmp_path: Path, capsys: pytest.CaptureFixture[str], toml: str, said: str
) -> None:
    (tmp_path / "run.toml").write_text(toml)
    command = ["all", "speech", str(job.source), "--repo", "me/x", "--config", str(tmp_path / "run.toml")]
    try:
        status: object = main([*command, "--out", str(job.out)])
    except SystemExit as error:
        status = error.code
    assert status == 2
    assert re.search(said, capsys.readouterr().err)
    assert not job.out.exists()


def test_wrong_places_are_told(job: Job, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(AllOutputTaken, match="mine"):
        State.open(tmp_path / "mine")
    with pytest.raises(BadOption, match="absent"):
        read_tables(tmp_path / "absent.toml")
    assert main(["all", "speech", str(tmp_path / "absent"), "--out", str(job.out)]) == 2
    assert main(["all", "speech", str(job.source), "--repo", "x", "--out", str(job.out)]) == 2
    assert "it is owner/name" in capsys.readouterr().err


# ---- the whole path ----------------------------------------------------------------------------------------------

CONFIG = """
[prepare]
max-words = 200
[ground]
limit = 10
[sft]
base = "{base}"
max-steps = 4
eval-steps = 1
batch = 1
accumulation = 1
[export]
name = "phi3-tiny"
quantize = "Q8_0"
[index]
embedder = "{embedder}"
words = 60
[evaluate]
samples = 1
limit = 1
"""


@pytest.fixture
def command(tiny_model: Path, embedder: Path, talks: Path, tmp_path: Path) -> Callable[..., list[str]]:
    """`python -m train all` over the talks with the tiny random base; its configuration is in run.toml."""
    config = tmp_path / "run.toml"
    config.write_text(CONFIG.format(base=tiny_model, embedder=embedder))
    return lambda *more: [
        *("-m", "train", "all", "speech", str(talks), "--config", str(config)),
        *("--out", str(tmp_path / "run"), *more),
    ]


def killed(command: list[str], at: str, times: int) -> str:
    """The output of a process that is killed (SIGKILL) when its output has said `at` so often."""
    process = subprocess.Popen(
        [sys.executable, "-u", *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if at in line:
            times -= 1
        if not times:
            break
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)
    assert not times, "".join(lines)[-3000:]
    return "".join(lines)


@pytest.mark.e2e
def test_killed_gone_on_and_published(command: Callable[..., list[str]], tmp_path: Path) -> None:
    run = tmp_path / "run"
    with serving() as hub:
        maker = Visitor(hub.url, tmp_path / "maker", "hf_owner")
        dry = maker.run(*command("--dry-run"), timeout=300)
        assert dry.returncode == 0, dry.stderr
        assert not run.exists()
        for word in ("sft", "evaluate", "together", "memory", "disk", "are free"):
            assert word in dry.stdout
        killed(command(), "'eval_loss'", 3)
        done = maker.run(*command(), timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
        assert "It goes on from its last checkpoint." in done.stdout
        assert "prepare: not run again" in done.stdout
        assert f"ORADOR_BUNDLE={run}/bundle python app.py" in done.stdout
        assert json.loads((run / "sft" / "run.json").read_text())["steps"] == 4
        published = maker.run(*command("--repo", "me/charlas"), timeout=300)
        assert published.returncode == 0, published.stderr[-3000:]
        reference = published.stdout.splitlines()[-1].removeprefix("ORADOR_BUNDLE=")
        check = maker.run("-m", "space", "check", reference, "--cache", tmp_path / "cache", timeout=120)
        assert check.returncode == 0, check.stderr
        for line in (
            "generator charlas",
            "evaluation: models/",
            "parts           each as it was put together",
        ):
            assert line in check.stdout
        again = maker.run(*command("--repo", "me/charlas"), timeout=300)
        assert "done in" not in again.stdout.replace("All done in", "")
        assert again.stdout.splitlines()[-1] == f"ORADOR_BUNDLE={reference}"
