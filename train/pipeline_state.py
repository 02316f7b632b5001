"""What `python -m train all` has done: each step's options, inputs and outputs by their hashes, in all.json of its folder.

A step whose options and inputs are the same, and whose outputs are still what it wrote, is not run again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from space.files import file_sha256
from train.errors import AllOutputTaken, BundlePartInvalid

STATE = "all.json"
FORMAT = 1
MISSING = "missing"
Facts = dict[str, str]


@dataclass(frozen=True)
class Done:
    """A step that was run: options as texts, hashes by path; `said` is the last line that it returned."""

    options: Facts
    inputs: Facts
    outputs: Facts
    seconds: float
    finished: str
    said: str = ""


@dataclass
class State:
    """all.json: the steps `done`, and of one that was `begun` and perhaps interrupted its options and inputs."""

    path: Path
    done: dict[str, Done] = field(default_factory=dict)
    begun: dict[str, dict[str, Facts]] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path) -> State:
        """The state in `folder`. Raises AllOutputTaken for a folder with other things in it, BundlePartInvalid."""
        path = folder / STATE
        if not path.is_file():
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                raise AllOutputTaken(path=folder)
            return cls(path)
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            done = {name: Done(**step) for name, step in data["done"].items()}
            return cls(path, done, data["begun"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BundlePartInvalid(
                path=path, reason=f"it is damaged ({error}); give another --out"
            ) from error

    def begin(self, name: str, options: Facts, inputs: Facts) -> None:
        self.begun[name] = {"options": options, "inputs": inputs}
        self.done.pop(name, None)
        self._write()

    def was_begun(self, name: str, options: Facts, inputs: Facts) -> bool:
        """Whether the step was begun, with the same options and inputs, and not ended."""
        return self.begun.get(name) == {"options": options, "inputs": inputs}

    def end(self, name: str, done: Done) -> None:
        self.done[name] = done
        self.begun.pop(name, None)
        self._write()

    def _write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        steps = {name: asdict(step) for name, step in self.done.items()}
        text = json.dumps(
            {"format": FORMAT, "done": steps, "begun": self.begun}, ensure_ascii=False, indent=1
        )
        draft = self.path.with_suffix(".json.part")
        draft.write_text(text + "\n", encoding="utf-8")
        draft.replace(self.path)


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What two records do not have in common, as `name: before → now`, hashes by name only."""
    found = []
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name, "–"), now.get(name, "–")
        if old != new:
            short = len(old) < 64 and len(new) < 64
            found.append(f"{name} {old} → {new}" if short else name)
    return found


def hashes(paths: Iterable[Path], root: Path) -> Facts:
    """The hash of each file or folder, by its name under `root` (elsewhere by its whole name)."""
    return {
        str(path.relative_to(root) if path.is_relative_to(root) else path): sha256(path) for path in paths
    }


def sha256(path: Path) -> str:
    """The hash of a file, or of the names and hashes of all files in a folder; MISSING for neither."""
    if path.is_file():
        stat = path.stat()
        return _file(path, stat.st_size, stat.st_mtime_ns)
    if not path.is_dir():
        return MISSING
    digest = hashlib.sha256()
    for file in sorted(one for one in path.rglob("*") if one.is_file()):
        digest.update(f"{file.relative_to(path)} {sha256(file)}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


@cache
def _file(path: Path, _size: int, _changed: int) -> str:
    return file_sha256(path)


def as_facts(values: Mapping[str, Any], root: Path) -> Facts:
    """Options as texts, their paths under `root` without it, so that a moved folder is still the same run."""
    return {name: str(value).replace(f"{root}/", "") for name, value in sorted(values.items())}
