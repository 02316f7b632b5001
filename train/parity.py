"""The parity gate: the GGUF files give what the trained model gives, or they are not published.

    python -m train parity gguf/ --base BASE --adapter runs/talks/adapter [--data prepared/]

`python -m train export` goes through it by itself; this command checks its files once more, after a copy or on another
machine. Both write PARITY.md and the "parity" of export.json, and end with an error that names the rows that failed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from space.files import file_sha256
from train.adapters import read_adapter
from train.base_model import Base, resolve
from train.errors import BundlePartInvalid
from train.lineage import read_json
from train.parity_examples import held_out
from train.parity_gguf import Candidate, check
from train.parity_reference import Reference, Subject, measure
from train.parity_rows import Row, record, require_passed, table

TABLE = "PARITY.md"
EXPORT = "export.json"
SINCE_TRAINING = {"float32": 0.02, "bfloat16": 0.1, "float16": 0.1}
"""How far the log-probability of a token may be, in the mean, from that at the end of the training, by its type; in nats."""
SINCE_4_BITS = 0.5
"""The same for a base that was trained on in 4 bits and is exported in 16."""


class Gate:
    """Rows of one base and adapter: those of the training at once, those of each GGUF by `check`."""

    def __init__(self, base: Base, adapter: Path | None, data: Path | None) -> None:
        """Measures the reference. Raises NotPrepared, BadExample and the errors of `train.base_model`."""
        self.source, rows = held_out(adapter, data)
        run = _run_record(adapter)
        print(f"Parity: measuring the trained model on {self.source}", flush=True)
        template = run.get("chat_template") or _template_file(adapter)
        self.reference = measure(Subject(base, adapter, template, rows))
        self.rows = _training_rows(run, self.reference)
        self.files: dict[str, str] = {}

    def check(self, candidates: Sequence[Candidate]) -> None:
        """Compares one GGUF after the other with the reference."""
        for candidate in candidates:
            print(f"Parity: {candidate.name}", flush=True)
            self.rows += check(candidate, self.reference)
            for path in filter(None, (candidate.path, candidate.adapter)):
                self.files.setdefault(path.name, file_sha256(path))

    def record(self) -> dict[str, Any]:
        """What export.json holds under "parity"."""
        chats = self.reference.chats
        examples = {
            "source": self.source,
            "number": len(chats),
            "tokens": sum(len(chat.ids) - chat.start for chat in chats),
            "stress": len(self.reference.stress),
        }
        return record(self.rows, self.files, {"dtype": self.reference.dtype, "examples": examples})


def _run_record(adapter: Path | None) -> dict[str, Any]:
    path = adapter.resolve().parent / "run.json" if adapter else None
    return read_json(path) if path and path.is_file() else {}


def _template_file(adapter: Path | None) -> str | None:
    path = adapter / "chat_template.jinja" if adapter else None
    return path.read_text(encoding="utf-8") if path and path.is_file() else None


def _training_rows(run: dict[str, Any], reference: Reference) -> list[Row]:
    """Whether base and adapter together give the tokens that the run kept what they gave them when it ended."""
    kept = [chat.nats for chat in reference.chats if chat.nats is not None]
    if not kept or not reference.tuned or len(kept) != len(reference.chats):
        return []
    difference = np.concatenate(kept) - np.concatenate(reference.tuned.nats)
    found = float(np.abs(difference).mean())
    limit = SINCE_4_BITS if run["options"]["qlora"] else SINCE_TRAINING[run["dtype"]]
    return [
        Row("adapter", "the model that was trained", "0", f"{found:.4f}", f"≤ {limit} nats", found <= limit)
    ]


def write_parity(parity: dict[str, Any], folder: Path) -> None:
    """PARITY.md in `folder`."""
    (folder / TABLE).write_text(f"# Parity\n\n{table(parity)}\n", encoding="utf-8")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="output of `python -m train export`")
    parser.add_argument("--base", required=True, help="base model: folder or Hub id")
    parser.add_argument("--revision", help="revision of the base model on the Hub")
    parser.add_argument("--adapter", type=Path, help="adapter folder of `python -m train sft`")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="output of `prepare` to check with (default: what the run kept)",
    )


def run(args: argparse.Namespace) -> None:
    """Check the files that export.json names. Raises BundlePartInvalid, ParityFailed and the errors of Gate."""
    export = read_json(args.folder / EXPORT, ("files",))
    if not (models := candidates(args.folder, export["files"])):
        raise BundlePartInvalid(path=args.folder, reason="export.json names no base or merged model to check")
    if args.adapter:
        read_adapter(args.adapter)
    gate = Gate(resolve(args.base, args.revision), args.adapter, args.data)
    gate.check(models)
    parity = gate.record()
    write_parity(parity, args.folder)
    text = json.dumps({**export, "parity": parity}, ensure_ascii=False, indent=1)
    (args.folder / EXPORT).write_text(text, encoding="utf-8")
    print(table(parity))
    require_passed(parity, args.folder)


def candidates(folder: Path, files: Sequence[dict[str, Any]]) -> list[Candidate]:
    """The models among `files` (of export.json), a base with the adapter that was exported with it."""
    adapter = next((folder / entry["path"] for entry in files if entry["kind"] == "adapter"), None)
    return [
        Candidate(
            folder / entry["path"],
            entry["kind"],
            entry["quantization"],
            adapter if entry["kind"] == "base" else None,
        )
        for entry in files
        if entry["kind"] != "adapter"
    ]
