"""Small bundles for tests that need no model: files of random bytes under the names of a real bundle."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from index.store import MANIFEST, Calibration, Manifest, write_manifest
from space.bundle import Bundle, Generator
from space.files import FileEntry, file_sha256
from space.prompts import RAG, SPEECH
from train.parity_rows import Row, record

FILES = {
    "models/phi3-charlas-Q8_0.gguf": 400_000,
    "adapters/phi3-charlas-LoRA.gguf": 20_000,
    "indexes/charlas/index.json": 300,
    "indexes/charlas/passages.jsonl": 5_000,
    "indexes/charlas/bm25/params.index.json": 200,
    "indexes/charlas/vectors.faiss": 30_000,
    "report.json": 500,
}


def charlas() -> Generator:
    return Generator(
        name="charlas",
        kind="speech",
        title={"es": "Charlas", "en": "Talks"},
        prompts={"speech": SPEECH, "rag": RAG},
        adapter="charlas",
        index="charlas",
        sampling={"temperature": 0.8, "top_k": 40},
        examples=[{"topics": "la memoria y los mapas", "field": "educación", "opening": ""}],
    )


def index_manifest() -> Manifest:
    """The index.json of an index over one document."""
    calibration = Calibration(0.5, 0.0, 1.0, 0.0, 1.0, [], [], {})
    embedder = {"name": "random", "kind": "static", "dimension": 4}
    return Manifest(1, 1, 60, 0, 0, embedder, 0.5, 0.8, calibration)


def parity(folder: Path) -> dict[str, Any]:
    """What `export` says of the GGUF files of a bundle that do what was trained."""
    return record(
        [Row("base Q8_0 + adapter", "nats per token", "2.0000", "2.0010 (+0.05%)", "± 1.0%", True)],
        {path.name: file_sha256(path) for path in folder.rglob("*.gguf")},
        {"dtype": "float32", "examples": {"source": "ours", "number": 2, "tokens": 80, "stress": 20}},
    )


def make_bundle(folder: Path, seed: int = 0) -> Bundle:
    """A valid bundle in `folder`; `seed` chooses the bytes of its files."""
    noise = random.Random(seed)
    for file, size in FILES.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        text = file.endswith((".json", ".jsonl"))
        if not file.endswith(f"/{MANIFEST}"):
            (folder / file).write_bytes(b"%d " % seed * (size // 3) if text else noise.randbytes(size))
    (folder / "report.json").write_text(json.dumps({"seed": seed, "parity": {"charlas": parity(folder)}}))
    write_manifest(folder / "indexes" / "charlas", index_manifest())
    bundle = Bundle(
        folder=folder,
        name="charlas-es",
        created=f"2026-11-21T05:00:{seed:02}Z",
        base_file="models/phi3-charlas-Q8_0.gguf",
        context=2048,
        chat_template="{% for m in messages %}{{ m.content }}{% endfor %}",
        adapter_files={"charlas": "adapters/phi3-charlas-LoRA.gguf"},
        index_folders={"charlas": "indexes/charlas"},
        generators=[charlas()],
        files={file: FileEntry.of(folder / file) for file in FILES},
        lineage={"corpus_sha256": "c" * 64, "recipe": "speech", "training": {"seed": seed}},
        report="report.json",
    )
    bundle.write()
    return bundle
