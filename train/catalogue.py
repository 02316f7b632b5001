"""Tables of titles, speakers and topics without the texts, joined to transcripts that lie elsewhere: used by train/corpus.py.

The layout of the public TED data: one table of talks, the transcripts in a second table or as files. A transcript belongs to
the row that matches by address, else by file name (the title's words or the address's last part), else by title, else by
number (of the row's own column, or its place in the table). What two rows share matches neither.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from train.audit import Audit
from train.dates import cell_date
from train.decoding import NotText, decode, decoded
from train.documents import Document
from train.tables import BadRow, as_field, as_list, headers, read_rows

UNMATCHED = "metadata and transcripts without each other"
_HEAD = 2**16  # bytes that hold the headers of any real table
_NUMBERED = re.compile(r"(\d{1,6})(?:$|[\s._)-]+(?!\d))")


def has_no_texts(path: Path) -> bool:
    """Whether a table names talks (by title or address, and something else) but holds no text."""
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".tsv", ".jsonl", ".ndjson"):
        return False
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if len(head) == _HEAD and b"\0" not in head:  # no character of several bytes in two
        head = head[: head.rfind(b"\n") + 1] or head
    try:
        found = headers(decode(head).text, suffix)
    except NotText:
        return False
    return "text" not in found and bool(found & {"title", "source"}) and len(found) > 1


@dataclass
class _Row:
    table: str
    place: int
    values: dict[str, str]
    field: str | None
    topics: list[str]
    matched: bool = False

    @property
    def shown(self) -> str:
        return self.values["title"] or self.values["source"]


class Catalogue:
    """The rows of all such tables; false while there is none."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        self._rows: list[_Row] = []
        self._keys: dict[tuple[str, str], _Row | None] = {}

    def __bool__(self) -> bool:
        return bool(self._rows)

    def add(self, raw: bytes, name: str) -> list[None]:
        """Takes the rows of a table; those that cannot be read are counted. Raises NotText."""
        text = decoded(raw, name, self._audit)
        try:
            for place, row in read_rows(text, PurePosixPath(name).suffix.lower(), texts=False):
                if isinstance(row, BadRow):
                    self._audit.dropped("metadata rows that cannot be read", f"{name}: {row}")
                else:
                    self._take(name, place, row)
        except BadRow as error:
            raise NotText(str(error)) from error
        return []

    def describe(self, documents: Iterable[Document], files: list[str]) -> Iterator[Document]:
        """The documents with what their row says; `files` are the names of all, to tell what their numbers mean."""
        self._number(files)
        missing: list[dict[str, Any]] = []
        for document in documents:
            how, row = self._find(document)
            if row is None:
                self._audit.kept("transcripts without a row in the metadata", document.id)
                missing.append({"missing": "row", "of": document.id, "title": document.title})
                yield document
                continue
            row.matched = True
            self._audit.kept(f"transcripts joined to their metadata by {how}", f"{document.id} = {row.shown}")
            yield _described(document, row)
        for row in self._rows:
            if not row.matched:
                self._audit.dropped(
                    "metadata rows without a transcript", f"{row.table}#{row.place}: {row.shown}"
                )
                missing.append(
                    {"missing": "transcript", "of": f"{row.table}#{row.place}", "title": row.shown}
                )
        self._audit.tables[UNMATCHED] = missing

    def _take(self, table: str, place: int, row: dict[str, object]) -> None:
        names = ("title", "source", "number", "speaker", "date")
        values = {name: " ".join(str(row.get(name) or "").split()) for name in names}
        field = as_field(" ".join(str(row.get("field") or "").split()))
        taken = _Row(table, place, values, field, as_list(row.get("topics")))
        if not taken.shown:
            self._audit.dropped("metadata rows without title and address", f"{table}#{place}")
            return
        self._rows.append(taken)
        title, source = values["title"], values["source"]
        self._key("address", _address(source), taken)
        self._key("title", _slug(title), taken)
        self._key("title", _slug(f"{values['speaker']} {title}") if values["speaker"] else "", taken)
        for name in {_slug(title), _slug(f"{values['speaker']} {title}"), _slug(_last_part(source))}:
            self._key("file name", name, taken)
        self._key("number", str(int(values["number"])) if values["number"].isdecimal() else "", taken)

    def _key(self, kind: str, key: str, row: _Row) -> None:
        if key:
            other = self._keys.get((kind, key), row)
            self._keys[kind, key] = row if other is row else None

    def _number(self, files: list[str]) -> None:
        """Numbers of rows that have none: their places, when the numbered files agree with them."""
        numbers = [int(found[1]) for name in files if (found := _NUMBERED.match(PurePosixPath(name).stem))]
        if any(row.values["number"] for row in self._rows) or len({row.table for row in self._rows}) != 1:
            return
        first = 0 if 0 in numbers else 1
        places = {str(number + first): row for number, row in enumerate(self._rows)}
        if len(set(numbers)) == len(numbers) and all(str(number) in places for number in numbers):
            for place, row in places.items():
                self._key("number", place, row)

    def _find(self, document: Document) -> tuple[str, _Row | None]:
        file = PurePosixPath(document.id)
        stem = file.stem if "#" not in file.name else ""
        number = _NUMBERED.match(stem)
        tries = [
            ("address", _address(document.source)),
            ("file name", _slug(stem)),
            ("file name", _slug(stem.lstrip("0123456789"))),
            ("title", _slug(document.title)),
            ("number", str(int(number[1])) if number else ""),
        ]
        for how, key in tries:
            if key and (row := self._keys.get((how, key))):
                return how, row
        return "", None


def _described(document: Document, row: _Row) -> Document:
    """The row's title; speaker, field, topics, date and source where the transcript itself names none."""
    values = row.values
    return replace(
        document,
        title=values["title"] or document.title,
        source=values["source"] if "://" not in document.source and values["source"] else document.source,
        speaker=document.speaker or values["speaker"] or None,
        field=document.field or row.field,
        topics=document.topics or row.topics,
        date=document.date or cell_date(values["date"]),
    )


def _address(text: str) -> str:
    """The host and path of an address, without what varies between copies of it; "" for what is none."""
    match = re.match(r"https?://(?:www\.)?([^?#\s]+)", text.strip(), re.I)
    return re.sub(r"/(?:transcript|transcripci[oó]n)$", "", match[1].rstrip("/").lower()) if match else ""


def _last_part(source: str) -> str:
    return _address(source).rsplit("/", 1)[-1]


def _slug(text: str) -> str:
    """The letters and digits of a text in lower case, without accents, with one space between words."""
    plain = unicodedata.normalize("NFD", text.lower())
    kept = "".join(c for c in plain if not unicodedata.combining(c))
    return " ".join(re.findall(r"[^\W_]+", kept))
