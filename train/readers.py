"""Files with a format of their own as plain text: which module of this package reads which suffix.

Such a module has `read_text(raw: bytes, name: str, audit: Audit) -> Reading`, with a blank line between paragraphs, and raises
NotText for what it cannot read.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from train.audit import Audit

Meta = dict[str, str | list[str]]
"""What a file says of its text, by the column names of train/tables.py."""
READERS = {
    ".html": "train.read_html",
    ".htm": "train.read_html",
    ".xhtml": "train.read_html",
    ".docx": "train.read_docx",
    ".pdf": "train.read_pdf",
    ".srt": "train.read_subtitles",
    ".vtt": "train.read_subtitles",
}


@dataclass(frozen=True)
class Reading:
    """A text, its paragraphs separated by a blank line, and what its file says of it."""

    text: str
    meta: Meta = field(default_factory=dict)


def read(raw: bytes, name: str, audit: Audit) -> Reading:
    """The text of the file `name`, whose suffix is one of READERS. Raises NotText."""
    module = importlib.import_module(READERS[PurePosixPath(name).suffix.lower()])
    reading: Reading = module.read_text(raw, name, audit)
    return reading


def title_of(name: str) -> str:
    """A title out of a file's name: "03-la-casa_azul.txt" is "La casa azul"."""
    stem = re.sub(r"[-_]+", " ", PurePosixPath(name).stem)
    return re.sub(r"^\d+\s+", "", stem).strip().capitalize() or name
