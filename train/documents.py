"""One file of a corpus as documents: title, date, speaker, topics and text of each. Used by train/corpus.py.

Texts are .txt and .md, with an optional `---` front matter; tables are .csv, .tsv, .jsonl and .json (train/tables.py);
.html, .docx, .pdf, .srt and .vtt have a module each.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

from train.audit import Audit
from train.clean import plain_text
from train.dates import cell_date, find_date
from train.decoding import NotText, decoded
from train.read_subtitles import without_times
from train.readers import READERS, Meta, read, title_of
from train.tables import TABLES, BadRow, as_field, as_list, column, read_rows

TEXTS = (".txt", ".md")
KINDS = (*TEXTS, *READERS, *TABLES)
"""Suffixes of the files that documents are read from."""
_ITEM = re.compile(r"^\s*-\s+(.+)$")
_PAIR = re.compile(r"^([\w áéíóúñÁÉÍÓÚÑ_-]{1,40}):(?:\s+(.*))?$")


@dataclasses.dataclass
class Document:
    """One text of the corpus. `sections` are what must stay in order but may be cut between (turns of one speaker);
    each is a list of paragraphs. `raw` is the text as read, before a recipe cleans it."""

    id: str
    title: str
    source: str
    raw: str = ""
    date: str | None = None
    speaker: str | None = None
    field: str | None = None
    topics: list[str] = dataclasses.field(default_factory=list)
    sections: Sequence[list[str]] = dataclasses.field(default_factory=list)
    split: str = "train"

    @property
    def paragraphs(self) -> list[str]:
        return [paragraph for section in self.sections for paragraph in section]

    @property
    def text(self) -> str:
        """The clean text, paragraphs separated by a blank line."""
        return "\n\n".join(self.paragraphs)

    @property
    def words(self) -> int:
        return sum(len(paragraph.split()) for paragraph in self.paragraphs)


def documents_of(raw: bytes, name: str, skip_bad: bool, audit: Audit) -> list[Document]:
    """The documents of the file `name` with the bytes `raw`, in order; it depends on nothing else.

    What was repaired or dropped goes into `audit`. Raises NotText; of a table's bad rows only unless `skip_bad`.
    """
    suffix = Path(name).suffix.lower()
    if suffix in READERS:
        reading = read(raw, name, audit)
        body = plain_text(reading.text, audit, name)
        first, _, rest = body.lstrip().partition("\n\n")
        if first.split() == str(reading.meta.get("title", "")).split():  # the title again, over its text
            body = rest
        return [_document(reading.meta, body, name)]
    text = decoded(raw, name, audit)
    if suffix in TEXTS:
        meta, body = _front_matter(plain_text(text, audit, name))
        return [_document(meta, without_times(body, name, audit), name)]
    return _from_table(text, name, skip_bad, audit)


def _from_table(text: str, name: str, skip_bad: bool, audit: Audit) -> list[Document]:
    result = []
    try:
        for number, row in read_rows(text, Path(name).suffix.lower()):
            if not isinstance(row, BadRow):
                result.append(_from_row(row, f"{name}#{number}", audit))
            elif skip_bad:
                audit.dropped("rows that cannot be read", f"{name}: {row}")
            else:
                raise row
    except BadRow as error:
        raise NotText(str(error)) from error
    return result


def _from_row(row: dict[str, object], name: str, audit: Audit) -> Document:
    def value(key: str) -> str:
        return " ".join(plain_text(str(row.get(key) or ""), audit, name).split())

    return Document(
        id=name,
        title=value("title") or name,
        source=value("source") or name,
        raw=plain_text(str(row.get("text") or ""), audit, name),
        date=cell_date(value("date")),
        speaker=value("speaker") or None,
        field=as_field(value("field")),
        topics=as_list(row.get("topics")),
    )


def _document(meta: Meta, body: str, name: str) -> Document:
    title = meta.get("title")
    title, body = (title, body) if title and isinstance(title, str) else _heading(body, name)
    dates = [
        date
        for line in body.lstrip().split("\n")[:6]
        if len(line.split()) <= 12 and (date := find_date(line))
    ]
    scalar = {key: " ".join(value) if isinstance(value, list) else value for key, value in meta.items()}
    return Document(
        id=name,
        title=title,
        source=scalar.get("source") or name,
        raw=body,
        date=find_date(scalar.get("date", ""))
        or next(iter(dates), None)
        or find_date(Path(name).stem.replace("_", " ")),
        speaker=scalar.get("speaker") or None,
        field=scalar.get("field") or None,
        topics=as_list(meta.get("topics")),
    )


def _front_matter(text: str) -> tuple[Meta, str]:
    """The `key: value` lines between two `---` at the start, by our column names, and the rest."""
    lines = text.lstrip("\n").split("\n")
    if lines[0].strip() != "---":
        return {}, text
    end = next((i for i, line in enumerate(lines[1:], 1) if line.strip() in ("---", "...")), None)
    if end is None or not any(_PAIR.match(line) for line in lines[1:end]):
        return {}, text
    meta: Meta = {}
    key: str | None = None
    for line in lines[1:end]:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if (item := _ITEM.match(line)) and key is not None:
            values = meta.get(key) or []
            meta[key] = [*(values if isinstance(values, list) else [values]), item[1].strip(" \"'")]
        elif pair := _PAIR.match(line):
            key = column(pair[1]) or pair[1].strip().lower()
            meta[key] = (pair[2] or "").strip().strip("\"'")
        elif key is not None and isinstance(meta[key], str) and line.startswith((" ", "\t")):
            meta[key] = f"{meta[key]} {line.strip()}".strip()
        else:
            raise NotText(f"its front matter has a line that is not `key: value`: {line.strip()[:60]!r}")
    return meta, "\n".join(lines[end + 1 :])


def _heading(body: str, name: str) -> tuple[str, str]:
    """The title (a Markdown heading, or a short first line set apart from the text) and the body without it."""
    lines = body.lstrip("\n").split("\n")
    first, following = lines[0].strip(), (lines[1].strip() if len(lines) > 1 else "")
    if match := re.match(r"#{1,3}\s+(.+?)\s*#*$", first):
        return match[1], "\n".join(lines[1:])
    if re.fullmatch(r"(-{3,}|={3,})", following) and len(first) > 3 and first != "---":
        return first, "\n".join(lines[2:])
    if (
        3 < len(first) <= 200
        and not first.endswith((".", "!", "?", ",", ";"))
        and not following
        and len(lines) > 2
    ):
        return first, "\n".join(lines[1:])
    return title_of(name), body
