"""Where a bundle comes from: corpus, recipe, training, conversion, library versions, code revision.

`python -m train bundle` gathers it from the files that the earlier steps left: prepared.json, export.json beside a
GGUF (which carries run.json of the training).
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from index.documents import documents_sha256, read_documents
from space.files import file_sha256
from space.lineage import compare, text_sha256
from train.adapters import ADAPTER_WEIGHTS
from train.base_model import Base
from train.chat_examples import examples_sha256
from train.errors import BundlePartInvalid

LIBRARIES = ("llama-cpp-python", "gguf", "faiss-cpu", "tokenizers", "huggingface-hub")
MACHINE_PATH = re.compile(r"(?<![\w.:/\\-])(?:[A-Za-z]:[\\/]|/)(?:[\w.@~+-]+[\\/])+([\w.@~+-]*)")


def read_json(path: Path, needs: tuple[str, ...] = ()) -> dict[str, Any]:
    """A JSON object with the keys `needs`, from a file that another step wrote. Raises BundlePartInvalid."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundlePartInvalid(path=path, reason=str(error)) from error
    if not isinstance(value, dict):
        raise BundlePartInvalid(path=path, reason="it is not a JSON object")
    if missing := [key for key in needs if key not in value]:
        raise BundlePartInvalid(path=path, reason=f"it has no {', '.join(missing)}")
    return value


def read_prepared(data: Path) -> dict[str, Any]:
    """prepared.json in `data`. Raises BundlePartInvalid."""
    return read_json(data / "prepared.json", ("corpus_sha256", "recipe", "recipe_version", "templates"))


def converted(base: Base, adapter: Path | None) -> dict[str, Any]:
    """What export.json says of a base model, an adapter folder, and the run that trained it (run.json beside the folder).

    Raises LineageMismatch for an adapter that is not the run's, BundlePartInvalid. The parity gate compares the bases.
    """
    lineage: dict[str, Any] = {"base": base.to_json(), "code_revision": code_revision(), "run": None}
    if adapter is None:
        return lineage
    lineage["adapter"] = {"sha256": file_sha256(adapter / ADAPTER_WEIGHTS)}
    path = adapter.resolve().parent / "run.json"
    if path.is_file():
        run = lineage["run"] = read_json(path)
        trained = {"sha256": run.get("adapter_sha256")}
        where = f"run.json of {adapter.resolve().parent.name}"
        compare("sha256", where, trained, adapter.name, lineage["adapter"], "python -m train sft")
    return lineage


def gather(data: Path, base: Path, adapter: Path | None, index: Path | None) -> dict[str, Any]:
    """The lineage of a generator prepared in `data`, served by the GGUFs `base` and `adapter`, without paths of this machine.

    `documents_sha256` is that of the documents in `data`, which `index` must have read. Raises BundlePartInvalid for a GGUF that
    is not the file its export.json describes, or whose adapter was trained on other data or other prompts than those of
    `data`: serving would then ask what training never saw.
    """
    prepared = read_prepared(data)
    own = _exported(base)
    tuned = _exported(adapter) if adapter else own
    # A base is exported beside its adapter, and its record tells of a run that the base had no part in.
    training = {"base": tuned["base"]} | ((tuned["run"] or {}) if adapter else {}) if tuned else {}
    _check_same_data(training, prepared, data)
    if template := training.get("chat_template"):
        training["chat_template_sha256"] = text_sha256(template)
    if adapter and (peft := tuned.get("adapter")):
        training["adapter_sha256"] = peft["sha256"]
    documents = data / "documents.jsonl"
    lineage = {
        **{key: prepared[key] for key in ("corpus_sha256", "recipe", "recipe_version")},
        **(
            {"documents_sha256": documents_sha256(read_documents(documents))}
            if index and documents.is_file()
            else {}
        ),
        "counts": prepared.get("counts", {}),
        "options": prepared.get("options", {}),
        **({"base": own["base"]} if own else {}),
        "training": {
            key: value for key, value in training.items() if key not in ("libraries", "chat_template", "data")
        },
        "libraries": {**training.get("libraries", {}), **library_versions()},
        "code_revision": code_revision(),
    }
    without_paths: dict[str, Any] = without_machine_paths(lineage)
    return without_paths


def _exported(gguf: Path) -> dict[str, Any]:
    """The lineage in the export.json beside `gguf`, {} without one."""
    found: dict[str, Any] = export_record(gguf)["lineage"] if (gguf.parent / "export.json").is_file() else {}
    return found


def _check_same_data(training: dict[str, Any], prepared: dict[str, Any], data: Path) -> None:
    trained = training.get("data") or {}
    if training.get("data_sha256") and all(
        (data / name).is_file() for name in ("train.jsonl", "validation.jsonl")
    ):
        found = {"data_sha256": examples_sha256(data)}
        compare("data_sha256", "the adapter's training", training, str(data), found, "python -m train sft")
    for key in ("recipe", "recipe_version", "corpus_sha256", "templates"):
        if key in trained and trained[key] != prepared[key]:
            reason = f"the adapter was trained with another {key}; give the --data that it was trained on"
            raise BundlePartInvalid(path=data / "prepared.json", reason=reason)


def export_record(gguf: Path) -> dict[str, Any]:
    """export.json beside `gguf`, after comparing the file with what it says. Raises BundlePartInvalid."""
    record = read_json(gguf.parent / "export.json", ("files", "lineage"))
    for entry in record["files"]:
        if PurePosixPath(entry["path"]).name == gguf.name and entry["sha256"] != (
            actual := file_sha256(gguf)
        ):
            reason = f"its sha256 is {actual}, export.json says {entry['sha256']}; export it again"
            raise BundlePartInvalid(path=gguf, reason=reason)
    return record


def library_versions() -> dict[str, str]:
    """The versions of the libraries that convert, index and serve."""
    return {name: importlib.metadata.version(name) for name in LIBRARIES}


def code_revision() -> str | None:
    """The git commit of this code, with `-dirty` for changed files; None outside a git checkout."""
    command = ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def without_machine_paths(value: Any) -> Any:
    """`value` with every absolute path in its texts cut to its last part, so that no folder of the maker is published."""
    if isinstance(value, dict):
        return {key: without_machine_paths(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_machine_paths(item) for item in value]
    if not isinstance(value, str):
        return value
    for flavour in (PurePosixPath(value), PureWindowsPath(value)):
        if flavour.is_absolute():
            return flavour.name
    return MACHINE_PATH.sub(r"\1", value)
