"""Folders as `python -m train prepare` leaves them, with conversations of the tests' own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from space.bundle import Bundle
from space.prompts import RAG, SPEECH

CONTEXT = 1024
"""That of the tiny model: a bundle that says more is not written anew."""


def copied(bundle: Path, folder: Path) -> Path:
    """A copy of the tests' bundle that a report can be added to."""
    shutil.copytree(bundle, folder)
    replace(Bundle.load(folder), context=CONTEXT).write()
    return folder


def conversation(document: str, answer: str, topics: str = "mar, barcas y redes") -> dict[str, Any]:
    """One speech of `document`."""
    values = {"topics": topics, "field": "pesca"}
    return {"messages": SPEECH.example(answer, **values), "values": values, "document": document}


def prepared(folder: Path, rows: Mapping[str, Sequence[dict[str, Any]]]) -> Path:
    """`folder` with the conversations of each split."""
    folder.mkdir(parents=True)
    for split in ("train", "validation", "test"):
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows.get(split, ())]
        (folder / f"{split}.jsonl").write_text("".join(lines), "utf-8")
    templates = {"speech": SPEECH.to_json(), "rag": RAG.to_json()}
    manifest = {"corpus_sha256": "a" * 64, "recipe": "speech", "recipe_version": 1, "templates": templates}
    (folder / "prepared.json").write_text(json.dumps(manifest), "utf-8")
    return folder
