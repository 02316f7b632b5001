"""A bundle that serves: the tiny random model with its adapter, and an index over the project's talks with random vectors."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from index.build import BuildOptions, build_index
from index.documents import read_documents
from space.bundle import Bundle
from space.files import FileEntry
from tests.bundles import charlas
from tests.embedders import TALKS, static_embedder
from train.tokenizer import CHAT_TEMPLATE

CONTEXT = 32768
"""Far more than the tiny model was made for: its text is noise anyway, and a long one can be interrupted."""


def make_space_bundle(folder: Path, model: Path, adapter: Path) -> Bundle:
    """Writes the bundle into `folder`: the generators `charlas` (adapter and index) and `base` (neither)."""
    talks = folder.parent / "talks"
    talks.mkdir(parents=True)
    for path in sorted(TALKS.glob("*.md"))[:12]:
        shutil.copy(path, talks)
    static_embedder(folder.parent / "embedder")
    for name, source in (("models", model), ("adapters", adapter)):
        (folder / name).mkdir(parents=True)
        shutil.copy(source, folder / name)
    options = BuildOptions(embedder=str(folder.parent / "embedder"), words=60)
    build_index(read_documents(talks), folder / "indexes" / "charlas", options)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    bundle = Bundle(
        folder=folder,
        name="orador-tiny-es",
        created="2026-11-21T00:00:00Z",
        base_file=f"models/{model.name}",
        context=CONTEXT,
        chat_template=CHAT_TEMPLATE,
        adapter_files={"charlas": f"adapters/{adapter.name}"},
        index_folders={"charlas": "indexes/charlas"},
        generators=[charlas(), replace(charlas(), name="base", adapter=None, index=None, examples=[])],
        files={str(path.relative_to(folder)): FileEntry.of(path) for path in files},
        lineage={"license": "CC0-1.0"},
    )
    bundle.write()
    return bundle
