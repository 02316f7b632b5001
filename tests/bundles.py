"""Small bundles for tests that need no model: files of random bytes under the names of a real bundle."""

from __future__ import annotations

import random
from pathlib import Path

from space.bundle import Bundle, Generator
from space.files import FileEntry
from space.prompts import RAG, SPEECH

FILES = {
    "models/phi3-charlas-Q8_0.gguf": 400_000,
    "adapters/phi3-charlas-LoRA.gguf": 20_000,
    "indexes/charlas/index.json": 300,
    "indexes/charlas/passages.jsonl": 5_000,
    "indexes/charlas/bm25/params.index.json": 200,
    "indexes/charlas/vectors.faiss": 30_000,
    "report.json": 100,
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


def make_bundle(folder: Path, seed: int = 0) -> Bundle:
    """A valid bundle in `folder`; `seed` chooses the bytes of its files."""
    noise = random.Random(seed)
    for file, size in FILES.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        text = file.endswith((".json", ".jsonl"))
        (folder / file).write_bytes(b"%d " % seed * (size // 3) if text else noise.randbytes(size))
    (folder / "report.json").write_text(f'{{"seed": {seed}}}'.ljust(FILES["report.json"]))
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
