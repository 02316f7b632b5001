"""The whole path: transcripts → examples → adapter → GGUF → index → bundle → Hub → Space → a program that reads a text.

    make demo-train        # shows every step and how long it took

Every step is a command of its own in a process of its own. The transcripts are ../shared/data/amlo_sample, or, where
that is absent, the project's own talks. The base model is tiny and random, so what it says is noise: the quality of the
texts is not what is shown here.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SHARED_DATA
from tests.hub_client import Visitor
from tests.space_app import ROOT, running_app
from tests.tiny import TALKS

READER = """
import json, sys
from gradio_client import Client
client = Client(sys.argv[1], verbose=False)
seen = {}
for name, arguments in json.loads(sys.argv[2]).items():
    steps = list(client.submit(**arguments, api_name=name))
    texts = [step[0] for step in steps]
    seen[name] = {"updates": len(texts), "text": texts[-1], "prefixes": all(
        later.startswith(earlier) for earlier, later in zip(texts[:-2], texts[1:-1]))}
    seen[name]["passages"] = steps[-1][1] if name == "/rag" else []
print(json.dumps(seen))
"""


@contextmanager
def step(name: str) -> Iterator[None]:
    started = time.monotonic()
    print(f"\n== {name}", flush=True)
    yield
    print(f"   {time.monotonic() - started:.0f} s", flush=True)


def command(*arguments: str | Path) -> str:
    """`python ARGUMENTS`, which must succeed; its output."""
    done = subprocess.run([sys.executable, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    print(done.stdout[-600:])
    return done.stdout


@contextmanager
def hub_process() -> Iterator[str]:
    """The Hub on loopback, in a process of its own; yields its address."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "tests.hub_server"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        yield process.stdout.readline().strip().removeprefix("HF_ENDPOINT=")
    finally:
        process.terminate()
        process.wait(timeout=10)


def prepare(out: Path) -> None:
    sample = SHARED_DATA / "amlo_sample"
    if sample.is_dir():
        recipe = [
            "conference",
            sample,
            "--speaker",
            "Andrés Manuel López Obrador",
            "--max-words",
            "200",
            "--min-words",
            "80",
        ]
    else:
        recipe = ["speech", TALKS, "--max-words", "200"]
    command("-m", "train", "prepare", *recipe, "--out", out)


@pytest.mark.e2e
def test_from_transcripts_to_a_streamed_text(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, run, gguf, index, bundle = (tmp_path / name for name in ("data", "demo", "gguf", "index", "bundle"))
    with step("prepare: transcripts to examples"):
        prepare(data)
    with step("sft: LoRA on the examples"):
        sizes = "--max-steps 4 --batch 1 --accumulation 4 --learning-rate 1e-3"
        command("-m", "train", "sft", "--data", data, "--base", tiny_model, "--out", run, *sizes.split())
    with step("export: GGUF, quantized"):
        command(
            "-m",
            "train",
            "export",
            "--base",
            tiny_model,
            "--adapter",
            run / "adapter",
            "--out",
            gguf,
            "--name",
            "phi3-tiny",
        )
    with step("index: an embedder and an index over the documents"):
        small = "--dimension 64 --vocabulary 4000 --epochs 1 --max-minutes 0.5"
        command(
            "-m",
            "index",
            "embedder",
            data / "documents.jsonl",
            "--out",
            tmp_path / "embedder",
            *small.split(),
        )
        command(
            "-m",
            "index",
            "build",
            data / "documents.jsonl",
            "--embedder",
            tmp_path / "embedder",
            "--out",
            index,
        )
    with step("bundle"):
        files = {f["kind"]: gguf / f["path"] for f in json.loads((gguf / "export.json").read_text())["files"]}
        parts = ["--base", files["base"], "--adapter", files["adapter"], "--index", index, "--data", data]
        command("-m", "train", "bundle", *parts, "--name", "demo", "--out", bundle)
        assert "demo" in command("-m", "space", "check", bundle)
    with hub_process() as endpoint:
        with step("publish: three repositories, one commit each"):
            maker = Visitor(endpoint, tmp_path / "maker", "hf_owner")
            done = maker.publish(bundle, "--repo", "me/demo", "--adapter", run / "adapter")
            assert done.returncode == 0, done.stderr
            print(done.stdout)
            reference = re.findall(r"me/demo-gguf@[0-9a-f]{40}", done.stdout)[-1]
        with step("serve: a Space in another process, and a reader in a third"):
            monkeypatch.delenv("HF_HUB_OFFLINE")
            monkeypatch.setenv("HF_ENDPOINT", endpoint)
            seen = serve_and_read(reference, tmp_path)
    assert seen["/finetuned"]["updates"] >= 3
    assert seen["/rag"]["updates"] >= 3
    assert seen["/finetuned"]["prefixes"]
    assert seen["/rag"]["prefixes"]
    assert seen["/finetuned"]["text"]
    assert seen["/rag"]["text"]
    documents = {
        json.loads(line)["id"] for line in (data / "documents.jsonl").read_text("utf-8").splitlines()
    }
    assert seen["/rag"]["passages"]
    assert {passage["document"] for passage in seen["/rag"]["passages"]} <= documents


def serve_and_read(reference: str, folder: Path) -> dict[str, dict[str, Any]]:
    """What a gradio_client in its own process gets from a Space that pulls `reference`."""
    with running_app(folder / "app.log", bundle=reference, cache=str(folder / "cache"), threads=2) as url:
        asked = {
            "/finetuned": {"topics": "el agua, los pueblos", "minutes": 1, "seed": 3},
            "/rag": {"topics": "el agua, los pueblos", "minutes": 1, "seed": 3, "threshold": 0},
        }
        seen: dict[str, dict[str, Any]] = json.loads(
            command("-c", READER, url, json.dumps(asked)).splitlines()[-1]
        )
        return seen
