"""A file of a bundle: its size, its SHA-256, where it lies on the Hub; `python -m space check BUNDLE` verifies them all."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from space.errors import BundleFileMismatch, BundleFileMissing, BundlePathUnsafe

SHA256 = re.compile(r"[0-9a-f]{64}")
REVISION = re.compile(r"[0-9a-f]{40}")
REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class HubSource:
    """Where a file lies on the Hub: `type` is "model" or "dataset", `revision` 40 hex digits."""

    repo: str
    type: str
    revision: str
    path: str


@dataclass(frozen=True)
class FileEntry:
    """A file of the bundle; `hub` is None for a file that lies beside bundle.json itself. `size` in bytes."""

    sha256: str
    size: int
    hub: HubSource | None = None

    @classmethod
    def of(cls, path: Path) -> FileEntry:
        """The entry of a file on this disk."""
        return cls(sha256=file_sha256(path), size=path.stat().st_size)

    def verify(self, folder: Path, file: str) -> None:
        """Compares `file` in `folder` with this entry. Raises BundlePathUnsafe, BundleFileMissing or BundleFileMismatch."""
        path = folder / file
        if not path.resolve().is_relative_to(folder.resolve()):
            raise BundlePathUnsafe(folder=folder, file=file)
        if not path.is_file():
            raise BundleFileMissing(folder=folder, file=file, expected=self.sha256)
        actual, size = file_sha256(path), path.stat().st_size
        if (actual, size) != (self.sha256, self.size):
            raise BundleFileMismatch(
                file=file, expected=self.sha256, expected_size=self.size, actual=actual, actual_size=size
            )


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def link_or_copy(source: Path, target: Path) -> None:
    """Gives a finished file a second name, or copies it where the two are on different disks."""
    target.parent.mkdir(parents=True, exist_ok=True)
    real = source.resolve()  # the Hub's cache names its blobs by symbolic links
    try:
        os.link(real, target)
    except OSError:
        shutil.copyfile(real, target)
