"""`python -m train all` for a mayor's conferences, questions and a chat: from our own texts to a bundle on a Hub that writes.

pytest tests/test_all_recipes.py

They run on the tiny random base, in a process beside the test. The speech recipe, and a run that is
killed, are in tests/test_all.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from space import chatting
from space import generators as gen
from space.bundle import Bundle
from space.frames import Grounded, Speech
from space.question_frames import Ask
from space.questions import questions
from space.report_view import page, read_report, titles_of
from space.settings import Settings
from space.studio import Studio
from tests.embedders import static_embedder
from tests.hub_client import Visitor
from tests.hub_server import serving
from tests.space_app import ROOT
from train.card_figures import figures

TEXTS = ROOT / "train" / "texts"
SOURCES = {"conference": "conferences", "questions": "readings", "chat": "chat"}
CONFIG = """
[sft]
base = "{base}"
max-steps = 2
batch = 1
accumulation = 1
[export]
name = "phi3-tiny"
quantize = "Q8_0"
[evaluate]
samples = 1
limit = 1
"""
OPTIONS = {
    "conference": """
[prepare]
speaker = "Rosario Quiñones Beltrán"
min-words = 60
max-words = 200
[ground]
limit = 4
[index]
embedder = "{embedder}"
words = 60
""",
    "questions": """
[prepare]
types = "short"
""",
    "chat": """
[prepare]
persona = "Lucía Ferreyra"
max-chars = 1500
""",
}
RUNNER = """
import json, os, sys
os.environ["OMP_NUM_THREADS"] = "1"  # torch's threads spin on each other where cores are busy
from train.__main__ import main
for command in json.loads(sys.argv[1]):
    print("-- run", flush=True)
    if status := main(command):
        sys.exit(status)
"""


@dataclass(frozen=True)
class Run:
    """What one recipe left: its folder, what its dry run and its run said, and whether each repository is private."""

    folder: Path
    planned: str
    said: str
    private: list[bool]

    @property
    def bundle(self) -> Bundle:
        return Bundle.load(self.folder / "bundle")


@pytest.fixture(scope="module")
def runs(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """The three recipes, one after the other in one process, which loads its libraries once; planned first, published at the end."""
    place = tmp_path_factory.mktemp("recipes")
    static_embedder(place / "embedder")
    commands = []
    for recipe, source in SOURCES.items():
        text = (CONFIG + OPTIONS[recipe]).format(base=tiny_model, embedder=place / "embedder")
        (place / f"{recipe}.toml").write_text(text, "utf-8")
        command = ["all", recipe, str(TEXTS / source), "--repo", f"me/{recipe}"]
        command += ["--config", str(place / f"{recipe}.toml"), "--out", str(place / recipe)]
        commands += [[*command, "--dry-run"], command]
    with serving() as hub:
        maker = Visitor(hub.url, place / "maker", "hf_owner")
        done = maker.run("-c", RUNNER, json.dumps(commands), timeout=280)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
        repos = [(name, repo.private) for (_, name), repo in hub.store.repos.items()]
    said = done.stdout.split("-- run\n")[1:]
    return {
        recipe: Run(
            place / recipe,
            said[2 * n],
            said[2 * n + 1],
            [private for name, private in repos if f"/{recipe}-" in name],
        )
        for n, recipe in enumerate(SOURCES)
    }


@contextmanager
def studio(bundle: Bundle) -> Iterator[Studio]:
    opened = Studio(bundle, Settings(threads=1, parallel=1))
    try:
        yield opened
    finally:
        opened.engine().close()  # type: ignore[attr-defined]  # always the engine of this process


def report_of(run: Run) -> tuple[dict[str, Any], str]:
    """The bundle's report, and the page that shows it."""
    report = read_report(run.bundle)
    return report, page(report, titles_of(run.bundle), "es")


@pytest.mark.e2e
@pytest.mark.parametrize("recipe", SOURCES)
def test_every_step_was_run_and_published(runs: dict[str, Run], recipe: str) -> None:
    run = runs[recipe]
    done = re.findall(r"^== (\d+)/(\d+) ([\w-]+): done in", run.said, re.M)
    assert len(done) == int(done[-1][1])
    assert done[-1][2] == "publish"
    assert re.fullmatch(rf"ORADOR_BUNDLE=me/{recipe}-gguf@[0-9a-f]{{40}}", run.said.splitlines()[-1])
    assert len(run.private) == (3 if recipe == "conference" else 2)
    assert set(run.private) == {recipe == "chat"}  # a chat that imitates a person stays private


@pytest.mark.e2e
@pytest.mark.parametrize("recipe", SOURCES)
def test_the_plan_covered_what_was_written(runs: dict[str, Run], recipe: str) -> None:
    run = runs[recipe]
    rows = dict(re.findall(r"^  ([\w-]+)  (.*)$", run.planned, re.M))
    assert rows.keys() >= json.loads((run.folder / "all.json").read_text("utf-8"))["done"].keys()
    total = re.search(r"([\d,.]+) (kB|MB)$", rows["together"].strip())
    assert total
    planned = float(total[1].replace(",", "")) * {"kB": 1e3, "MB": 1e6}[total[2]]
    written = sum(path.stat().st_size for path in run.folder.rglob("*") if path.is_file())
    assert written < planned < 3 * written


@pytest.mark.e2e
def test_the_mayor_gives_a_speech(runs: dict[str, Run]) -> None:
    run = runs["conference"]
    with studio(run.bundle) as served:
        *_, speech = gen.finetuned(served, Speech("el agua", minutes=1, seed=1, generator="conference"))
        asked = Grounded("el agua", minutes=1, seed=1, generator="conference", passages=2, threshold=-1)
        *_, grounded = gen.rag(served, asked)
    assert speech.text.strip()
    assert grounded.text.strip()
    assert "Rosario" in json.dumps(run.bundle.lineage, ensure_ascii=False)
    report, shown = report_of(run)
    measured = report["evaluation"]["sets"]["conference"]["conditions"]
    assert measured.keys() == {"base", "conference", "base + RAG", "conference + RAG"}
    assert report["evaluation"]["texts"]["conference"]["conditions"].keys() == {*measured, "author"}
    assert "¿Habla como su autor?" in shown


@pytest.mark.e2e
def test_questions_are_asked(runs: dict[str, Run]) -> None:
    run = runs["questions"]
    text = (TEXTS / "talks" / "02-el-reloj-de-la-piedra.md").read_text("utf-8")[-900:]
    with studio(run.bundle) as served:
        *_, asked = questions(served, Ask(text, 2, "both", seed=1, generator="questions"))
    assert [item.kind for item in asked.items] == ["short", "truefalse"]
    report, shown = report_of(run)
    found = report["evaluation"]["questions"]["questions"]
    for ways in found["techniques"].values():
        assert ways["served"]["asked"] == ways["free"]["asked"] == 4
        assert 0 < ways["served"]["items"] <= 4
    assert len(found["techniques"]) == 4
    assert "Preguntas que el texto responde" in shown
    assert "| questions_few_shot | served |" in "\n".join(figures(report))


@pytest.mark.e2e
def test_lucia_answers(runs: dict[str, Run]) -> None:
    run = runs["chat"]
    with studio(run.bundle) as served:
        *_, reply = chatting.chat(served, chatting.Talk("¿Cómo va la panadería?", seed=1, generator="chat"))
    assert reply.persona == "Lucía Ferreyra"
    assert any(bubble.strip() for bubble in reply.bubbles)
    assert run.bundle.lineage["options"]["consent"]["persona"] == "Lucía Ferreyra"
    assert "Tomás" not in json.dumps(run.bundle.lineage["options"], ensure_ascii=False)
    report, shown = report_of(run)
    assert report["evaluation"]["sets"]["chat"]["conditions"].keys() == {"base", "chat"}
    assert report["evaluation"]["texts"]["chat"]["conditions"]["chat"]["texts"] == 1
    assert "Lo que escribe" in shown
