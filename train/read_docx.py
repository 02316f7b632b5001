"""A Word file (.docx) as plain text, by python-docx: used by train/readers.py.

The visible text of all paragraphs in their order: of tables, text boxes, content controls and links, with tracked insertions
and without tracked deletions. Page headers and footers, footnotes and tables of contents are left out and counted.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from typing import Any

from train.archives import MAX_TEXT
from train.audit import Audit
from train.decoding import NotText
from train.readers import Meta, Reading

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_NOT_SHOWN = f"{_W}moveFrom", "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_MARKS = {f"{_W}tab": " ", f"{_W}br": "\n", f"{_W}cr": "\n", f"{_W}noBreakHyphen": "-"}
_UNNAMED = re.compile(
    r"(?:word document|documento?\d*|untitled|sin t[ií]tulo|microsoft word.*|.*\.docx?)", re.I
)


def read_text(raw: bytes, name: str, audit: Audit) -> Reading:
    """The paragraphs and the title that the file gives itself. Raises NotText, also for old or encrypted Word files."""
    import docx
    from docx.opc.exceptions import PackageNotFoundError

    _check(raw)
    try:
        document = docx.Document(io.BytesIO(raw))
    except (PackageNotFoundError, ValueError, KeyError, SyntaxError, zipfile.BadZipFile, zlib.error) as error:
        raise NotText(f"it cannot be read as a Word file: {error}") from error
    styles = {style.style_id: style.name or "" for style in document.styles}
    title, paragraphs = "", []
    for element in document.element.body.iter(f"{_W}p"):
        if any(parent.tag in _NOT_SHOWN for parent in element.iterancestors()):
            continue
        text, style = _text(element), styles.get(element.style or "", "").lower()
        if style.startswith("toc"):
            audit.dropped("Word: lines of tables of contents", text, int(bool(text)))
        elif style == "title" and not title:
            title = " ".join(text.split())
        elif text:
            paragraphs.append(text)
    _count_left_out(document, name, audit)
    if not paragraphs:
        raise NotText("it is a Word file without text (a scan must be read by an OCR program first)")
    given = (document.core_properties.title or "").strip()
    title = title or ("" if _UNNAMED.fullmatch(given) else given)
    meta: Meta = {"title": title} if title else {}
    return Reading("\n\n".join(paragraphs), meta)


def _check(raw: bytes) -> None:
    """Raises NotText for what is no .docx, or would unpack to more than MAX_TEXT."""
    if raw.startswith(b"\xd0\xcf\x11\xe0"):
        raise NotText("it is an old Word file (.doc) or one with a password; save it as .docx without one")
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            size = sum(info.file_size for info in archive.infolist() if info.filename.endswith(".xml"))
    except zipfile.BadZipFile as error:
        raise NotText(f"it is no Word file, or a damaged one: {error}") from error
    if size > MAX_TEXT:
        raise NotText(f"its text is larger than {MAX_TEXT // 2**20} MB")


def _text(paragraph: Any) -> str:
    """What a reader sees of a w:p, without the text boxes anchored in it."""
    parts = []
    for element in paragraph.iter(f"{_W}t", *_MARKS):
        parents = list(element.iterancestors())
        nearest = next(parent for parent in parents if parent.tag == f"{_W}p")
        if nearest is paragraph and not any(parent.tag in _NOT_SHOWN for parent in parents):
            parts.append((element.text or "") if element.tag == f"{_W}t" else _MARKS[element.tag])
    return "".join(parts).strip()


def _count_left_out(document: Any, name: str, audit: Audit) -> None:
    for section in document.sections:
        for part in (section.header, section.footer):
            text = "" if part.is_linked_to_previous else " ".join(p.text for p in part.paragraphs).strip()
            audit.dropped("Word: page headers and footers", text, int(bool(text)))
    for relation in document.part.rels.values():
        if relation.reltype.endswith(("/footnotes", "/endnotes")):
            notes = relation.target_part.blob.count(b"<w:footnoteRef/>")
            notes += relation.target_part.blob.count(b"<w:endnoteRef/>")
            audit.dropped("Word: footnotes", name, notes)
