"""Two runs with one seed, each step in two processes of different hash seeds: the same bytes.

pytest tests/test_reproducible.py
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from space.prompts import SPEECH
from tests import tiny
from tests.embedders import static_embedder

ROOT = Path(__file__).parents[1]
STEPS = (
    "-m train sft --data data --base {base} --out {out}/run --max-steps 4 --batch 2 --accumulation 1",
    "-m train export --base {base} --adapter {out}/run/adapter --out {out}/gguf --quantize Q4_K_M --without-parity",
    "-m index build data/documents.jsonl --embedder embedder --out {out}/index",
)
TIMED = {"checkpoints", "loss.csv", "loss.png", "run.json", "export.json"}
"""Of these the bytes may differ: seconds, and the optimizer's state."""


@pytest.fixture(scope="module")
def folder(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, `a` and `b`, of every step."""
    root = tmp_path_factory.mktemp("reproducible")
    write_data(root / "data")
    static_embedder(root / "embedder")
    for seed, out in (("1", "a"), ("2", "b")):
        for step in STEPS:
            command = [sys.executable, *step.format(base=tiny_model, out=out).split()]
            environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
            done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr[-3000:]
    return root


def write_data(folder: Path) -> None:
    """A prepared corpus of the project's own talks."""
    folder.mkdir()
    texts = [line for line in tiny.talk_paragraphs() if 20 < len(line.split()) < 60]
    for name, answers in (("train", texts[:12]), ("validation", texts[12:15]), ("test", [])):
        rows = [{"messages": SPEECH.example(text, field="física", topics="el tiempo")} for text in answers]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    manifest = {"format": 1, "recipe": "speech", "recipe_version": 1, "corpus_sha256": "0" * 64}
    (folder / "prepared.json").write_text(json.dumps(manifest), "utf-8")
    documents = [
        {"id": str(n), "title": f"Charla {n}", "text": text, "source": ""} for n, text in enumerate(texts)
    ]
    lines = "".join(json.dumps(document) + "\n" for document in documents)
    (folder / "documents.jsonl").write_text(lines, "utf-8")


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file that a run must give again."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not TIMED & set(path.relative_to(folder).parts)
    }


@pytest.mark.parametrize("step", ["run", "gguf", "index"])
def test_the_same_bytes(step: str, folder: Path) -> None:
    first, second = digests(folder / "a" / step), digests(folder / "b" / step)
    different = sorted(name for name in first | second if first.get(name) != second.get(name))
    assert different == []
    assert first
