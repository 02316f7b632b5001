"""An index folder on disk: index.json, written last, names every other file with its size and SHA-256.

    index.json  passages.jsonl  vectors.faiss  bm25/…  embedder/…

`python -m index build` writes it, `index.search.Index.load` reads it. A folder without index.json is no index.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from index.errors import FileMismatch, IndexNotFound, OutputExists, UnknownFormat
from index.passages import Passage

FORMAT = 1
MANIFEST = "index.json"
PASSAGES = "passages.jsonl"
VECTORS = "vectors.faiss"
BM25 = "bm25"
EMBEDDER = "embedder"


@dataclass(frozen=True)
class Calibration:
    """How raw scores become relevance; see index/calibrate.py.

    Centers and scales: of the best cosine and the best coverage of the unrelated queries. `unrelated`, `related`: the evidence of the best
    hit of unrelated queries and of sentences taken out of the corpus, sorted. `recall`: of the latter, at 5, by kind of search.
    """

    dense_weight: float
    dense_center: float
    dense_scale: float
    lexical_center: float
    lexical_scale: float
    unrelated: list[float]
    related: list[float]
    recall: dict[str, float]


@dataclass(frozen=True)
class Manifest:
    """index.json; `documents_sha256` (index/documents.py) is None in an older one."""

    documents: int
    passages: int
    words: int
    cut_sentences: int
    truncated_passages: int
    embedder: dict[str, Any]
    threshold: float
    high: float
    calibration: Calibration
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    format: int = FORMAT
    documents_sha256: str | None = None


def read_manifest(folder: Path) -> Manifest:
    """index.json of `folder`. Raises IndexNotFound, UnknownFormat."""
    try:
        data = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise IndexNotFound(path=folder) from error
    try:
        if data["format"] != FORMAT:
            raise ValueError(data["format"])
        data.pop("created", None)  # of indexes before 2026-11-22: two builds of one corpus differed by it
        return Manifest(**{**data, "calibration": Calibration(**data["calibration"])})
    except (KeyError, TypeError, ValueError) as error:
        raise UnknownFormat(path=folder, reason=error) from error


def verify_files(folder: Path, manifest: Manifest) -> None:
    """Compares every file with the manifest. Raises FileMismatch naming the file and both hashes."""
    for name, expected in manifest.files.items():
        path = folder / name
        found = _describe(path) if path.is_file() else {"sha256": "missing"}
        if found["sha256"] != expected["sha256"]:
            raise FileMismatch(path=path, expected=expected["sha256"], found=found["sha256"])


def write_passages(folder: Path, passages: list[Passage]) -> None:
    with (folder / PASSAGES).open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(asdict(passage), ensure_ascii=False) + "\n" for passage in passages)


def read_passages(folder: Path) -> list[Passage]:
    with (folder / PASSAGES).open(encoding="utf-8") as stream:
        return [Passage(**json.loads(line)) for line in stream]


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Hashes every file of `folder` into `manifest.files`, then writes index.json."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file())
    manifest.files.update({p.relative_to(folder).as_posix(): _describe(p) for p in paths})
    text = json.dumps(asdict(manifest), ensure_ascii=False, indent=1)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


@contextmanager
def atomic_folder(out: Path) -> Iterator[Path]:
    """A scratch folder that becomes `out` when the block ends well, and disappears when it does not.

    An index already at `out` is replaced; any other non-empty folder is OutputExists.
    """
    if out.exists() and any(out.iterdir()) and not (out / MANIFEST).is_file():
        raise OutputExists(path=out)
    out.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        yield scratch
        scratch.chmod(0o755)
        if out.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{out.name}-old-", dir=out.parent))
            out.replace(old)
            scratch.replace(out)
            shutil.rmtree(old)
        else:
            scratch.replace(out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _describe(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        return {"sha256": hashlib.file_digest(stream, "sha256").hexdigest(), "size": path.stat().st_size}
