"""The texts inside a .zip, read in memory: used by train/corpus.py for recipes that take .zip files.

Nothing is extracted, so that no path in an archive is followed; sizes are bounded, whatever the archive declares.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from train.audit import Audit
from train.decoding import NotText

MAX_TEXT = 256 * 2**20
"""Bytes of one text, unpacked: thirty times the largest export that WhatsApp writes (40,000 messages)."""
MAX_FILES = 100_000


def texts_of(path: Path, name: str, suffixes: tuple[str, ...], audit: Audit) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each file of the archive with one of the `suffixes`; the others are counted by their kind.

    Raises NotText for what is no archive, is damaged or encrypted, is too large or holds no such file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            files = [
                info for info in archive.infolist() if not info.is_dir() and not _is_hidden(info.filename)
            ]
            if len(files) > MAX_FILES:
                raise NotText(f"it holds more than {MAX_FILES} files")
            wanted = [info for info in files if PurePosixPath(info.filename).suffix.lower() in suffixes]
            others = Counter(
                PurePosixPath(info.filename).suffix.lower() or "no suffix"
                for info in files
                if info not in wanted
            )
            for suffix, number in others.items():
                audit.dropped(f"files in a .zip that are not read ({suffix})", name, number)
            if not wanted:
                raise NotText(f"there is no {' or '.join(suffixes)} in it")
            for info in wanted:
                with archive.open(info) as file:
                    raw = file.read(MAX_TEXT + 1)
                if len(raw) > MAX_TEXT:
                    raise NotText(f"{info.filename} in it is larger than {MAX_TEXT // 2**20} MB")
                yield f"{name}/{info.filename}", raw
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError) as error:
        raise NotText(f"it cannot be read as a ZIP: {error}") from error


def _is_hidden(name: str) -> bool:
    """Whether a program left the file there for itself (".DS_Store", "__MACOSX/…"); ".." is none of a name's."""
    return any(re.match(r"\.[^.]|__MACOSX", part) for part in PurePosixPath(name).parts)
