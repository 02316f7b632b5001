"""The text of a file that a visitor brings: .txt, .md, .docx or .pdf; used by `space/question_input.py`.

    text = read_file(Path("lectura.pdf"))

Small files with text in them, read in this process: limits of size, pages and time keep one visitor from stopping the others.
"""

from __future__ import annotations

import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from index.documents import read_text
from index.errors import UnreadableText
from space.inputs import visible
from space.text_errors import FileHasNoText, FileKindUnknown, FileTooLarge, FileUnreadable

KINDS = (".txt", ".md", ".docx", ".pdf")
MAX_BYTES = 1_000_000
"""Of a file; app.py lets no larger one be uploaded."""
MAX_UNPACKED = 20_000_000
"""Bytes of the XML in a .docx."""
MAX_PAGES = 200
PDF_SECONDS = 20.0


def read_file(path: Path) -> str:
    """The visible text, paragraphs parted by blank lines.

    Raises FileKindUnknown, FileTooLarge, FileUnreadable, and FileHasNoText (a scanned PDF).
    """
    readers: dict[str, Callable[[Path], str]] = {".docx": _word, ".pdf": _pdf, ".txt": _plain, ".md": _plain}
    kind = path.suffix.lower()
    if kind not in readers:
        raise FileKindUnknown(file=path.name, kinds=", ".join(KINDS))
    if (size := path.stat().st_size) > MAX_BYTES:
        raise FileTooLarge(file=path.name, size=f"{size / 1e6:.1f} MB", limit=f"{MAX_BYTES / 1e6:g} MB")
    text = visible(readers[kind](path)).text
    if not any(character.isalnum() for character in text):
        raise FileHasNoText(file=path.name)
    return text


def _plain(path: Path) -> str:
    try:
        return read_text(path)
    except UnreadableText as error:
        raise FileUnreadable(file=path.name, reason="it is not text") from error


def _word(path: Path) -> str:
    import docx
    from docx.opc.exceptions import PackageNotFoundError

    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > MAX_UNPACKED:
            limit = f"{MAX_UNPACKED / 1e6:g} MB"
            raise FileTooLarge(file=path.name, size=f"{size / 1e6:.0f} MB", limit=limit)
        document = docx.Document(str(path))
    except (
        PackageNotFoundError,
        ValueError,
        KeyError,
        SyntaxError,
        OSError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise FileUnreadable(file=path.name, reason=str(error)[:200]) from error
    return "\n\n".join(_blocks(document))


def _blocks(holder: Any) -> Iterator[str]:
    """The paragraphs of a document or of a table's cells, in order; merged cells once."""
    for block in holder.iter_inner_content():
        if hasattr(block, "rows"):
            for row in block.rows:
                for cell in dict.fromkeys(row.cells):
                    yield from _blocks(cell)
        else:
            yield block.text


def _pdf(path: Path) -> str:
    from pypdf import PdfReader
    from pypdf.errors import DependencyError, PyPdfError

    begun, pages = time.monotonic(), []
    try:
        reader = PdfReader(path)
        if len(reader.pages) > MAX_PAGES:
            raise FileTooLarge(file=path.name, size=f"{len(reader.pages)} p.", limit=f"{MAX_PAGES} p.")
        for page in reader.pages:
            pages.append(page.extract_text())
            if time.monotonic() - begun > PDF_SECONDS:
                raise FileTooLarge(file=path.name, size=f"> {PDF_SECONDS:g} s", limit=f"{PDF_SECONDS:g} s")
    except FileTooLarge:
        raise
    except (
        PyPdfError, DependencyError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OSError
    ) as error:  # fmt: skip
        raise FileUnreadable(file=path.name, reason=f"{type(error).__name__}: {error}"[:200]) from error
    return "\n\n".join(map(_joined, pages))


def _joined(page: str) -> str:
    """A page with the lines of a paragraph joined: a line goes on unless it ends a sentence or is much shorter than the longest."""
    lines = [line.strip() for line in page.split("\n")]
    width = max(map(len, lines), default=0)
    result = ""
    for line in lines:
        if not line:
            result = result.rstrip(" ") + "\n\n"
        elif result.endswith("-") and line[0].islower():
            result = result[:-1] + line
        else:
            result += ("" if not result or result.endswith("\n") else " ") + line
        if len(line) < width * 0.8 and line.endswith((".", "?", "!", ":", "»")):
            result += "\n\n"
    return result
