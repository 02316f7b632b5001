"""Rows of .csv, .tsv, .jsonl and .json files by our column names, whatever the headers are called.

Used by `python -m train prepare`. Column names: COLUMNS.
"""

from __future__ import annotations

import ast
import csv
import io
import json
import re
import sys
import unicodedata
from collections.abc import Iterator
from typing import Any

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json")
COLUMNS = {
    "title": "title titulo talk_title talk__name nombre_charla name",
    "speaker": "speaker main_speaker speaker_1 orador oradora ponente conferencista conferenciante autor author speaker_name",
    "field": "field occupation speaker_occupation occupations speaker_1_occupation campo ocupacion profesion area",
    "topics": "topics tags temas tematicas topicos etiquetas keywords palabras_clave",
    "text": "transcript text content transcripcion texto contenido discurso",
    "date": "date fecha recorded_date published_date film_date",
    "source": "source url link fuente enlace",
    "number": "number numero num id talk_id",
}
_BY_NAME = {
    name: (column, rank) for column, names in COLUMNS.items() for rank, name in enumerate(names.split())
}
_DELIMITERS = ",;\t|"


class BadRow(Exception):
    """A row or a table that cannot be read; the message names the line and the cause."""


Row = tuple[int, dict[str, object] | BadRow]


def column(header: str) -> str | None:
    """Our name for a header ("Título" → "title"), or None."""
    found = _BY_NAME.get(_plain(header))
    return found[0] if found else None


def as_list(value: object) -> list[str]:
    """The items of a cell: a list, "['a', 'b']", "{0: ['a']}", "a, b" or "a; b"; without repetitions."""
    if isinstance(value, str):
        text = value.strip()
        if text.startswith(("[", "{")):
            return as_list(_literal(text))
        items = re.split(r"[;|]" if re.search(r"[;|]", text) else r",", text)
    elif isinstance(value, dict):
        items = [item for part in value.values() for item in as_list(part)]
    elif isinstance(value, list | tuple | set):
        items = [item for part in value for item in (as_list(part) if not isinstance(part, str) else [part])]
    else:
        items = []
    return list(dict.fromkeys(item.strip(" \"'\t\n") for item in items if item.strip(" \"'\t\n")))


def as_field(cell: str) -> str | None:
    """A person's occupation in words, "Author/educator" with a comma between; of a list the first two."""
    items = as_list(cell)[:2] if cell.startswith(("[", "{")) else re.split(r"\s*[/|;]\s*", cell)
    return ", ".join(filter(None, items)) or None


def headers(text: str, suffix: str) -> set[str]:
    """Our names of the columns that a .csv, .tsv, .jsonl or .ndjson begins with; of a table's beginning too."""
    text = text.lstrip()
    first = text.partition("\n")[0]
    try:
        if suffix in (".jsonl", ".ndjson"):
            found = json.loads(first)
            names = list(found) if isinstance(found, dict) else []
        else:
            text, delimiter = _dialect(text, suffix)
            names = next(csv.reader(io.StringIO(text), delimiter=delimiter), [])
    except (ValueError, csv.Error):
        return set()
    return set(_by_our_names(dict.fromkeys(names, True)))


def read_rows(text: str, suffix: str, texts: bool = True) -> Iterator[Row]:
    """(number from 1, its values by our names, or the BadRow that it is). Raises BadRow when the table cannot be read at all,
    and with `texts` when it has no column with the text."""
    if suffix in (".csv", ".tsv"):
        yield from _csv_rows(*_dialect(text, suffix), texts)
    elif suffix in (".jsonl", ".ndjson"):
        yield from _json_lines(text, texts)
    else:
        yield from _json_rows(text, texts)


def _dialect(text: str, suffix: str) -> tuple[str, str]:
    """The table without Excel's own declaration, and its delimiter."""
    if match := re.match(r"sep=(.)\n", text):
        return text[match.end() :], match[1]
    return text, "\t" if suffix == ".tsv" else _delimiter(text)


def _csv_rows(text: str, delimiter: str, texts: bool) -> Iterator[Row]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        table = list(csv.reader(io.StringIO(text), delimiter=delimiter, strict=True))
    except csv.Error as first:
        try:
            table = list(
                csv.reader(
                    io.StringIO(text), delimiter=delimiter, escapechar="\\", doublequote=False, strict=True
                )
            )
        except csv.Error:
            line = _line_of_error(text, delimiter)
            raise BadRow(
                f"line {line} is not valid CSV ({first}); quote texts that hold quotes or line breaks"
            ) from first
    table = [row for row in table if any(cell.strip() for cell in row)]
    if not table:
        raise BadRow("the table has no rows")
    headers = table[0]
    if texts:
        _need_text(headers, "header")
    for number, row in enumerate(table[1:], 1):
        if len(row) > len(headers) and any(cell.strip() for cell in row[len(headers) :]):
            yield (
                number,
                BadRow(
                    f"row {number} has {len(row)} cells and the header {len(headers)}; quote texts that hold a {delimiter!r}"
                ),
            )
        else:
            yield number, _by_our_names(dict(zip(headers, row, strict=False)))


def _delimiter(text: str) -> str:
    """The delimiter that makes most headers of the first line known ones."""
    first = next((line for line in text.split("\n") if line.strip()), "")

    def known(delimiter: str) -> tuple[int, int]:
        cells = next(csv.reader([first], delimiter=delimiter))
        return sum(column(cell) is not None for cell in cells), len(cells)

    return max(_DELIMITERS, key=known)


def _line_of_error(text: str, delimiter: str) -> int:
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    try:
        for _ in reader:
            pass
    except csv.Error:
        pass
    return reader.line_num


def _json_lines(text: str, texts: bool) -> Iterator[Row]:
    number = 0
    for line, content in enumerate(text.split("\n"), 1):
        if content.strip():
            number += 1
            try:
                yield number, _object(json.loads(content), f"line {line}", texts)
            except ValueError as error:
                yield number, BadRow(f"line {line} is not JSON ({error})")
            except BadRow as error:
                yield number, error


def _json_rows(text: str, texts: bool) -> Iterator[Row]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise BadRow(f"it is not JSON ({error})") from error
    if isinstance(value, dict) and not any(column(key) == "text" for key in value):
        lists = [item for item in value.values() if isinstance(item, list)]
        value = lists[0] if len(lists) == 1 else [value]
    for number, item in enumerate(value if isinstance(value, list) else [value], 1):
        try:
            yield number, _object(item, f"entry {number}", texts)
        except BadRow as error:
            yield number, error


def _object(value: Any, where: str, texts: bool) -> dict[str, object]:
    if not isinstance(value, dict):
        raise BadRow(f"{where} is not an object with the columns {', '.join(COLUMNS)}")
    if texts:
        _need_text(list(value), where)
    row = _by_our_names(value)
    if not isinstance(row.get("text", ""), str):
        raise BadRow(f"{where}: the text is a {type(row['text']).__name__}, not a string")
    return row


def _need_text(headers: list[str], where: str) -> None:
    if not any(column(header) == "text" for header in headers):
        known = COLUMNS["text"].replace(" ", ", ")
        raise BadRow(
            f"{where}: no column with the text; call it one of: {known} (there are: {', '.join(map(str, headers))[:200]})"
        )


def _by_our_names(row: dict[str, Any]) -> dict[str, object]:
    found: dict[str, tuple[int, object]] = {}
    for header, value in row.items():
        name, rank = _BY_NAME.get(_plain(header), (None, 0))
        if name and value not in (None, "") and (name not in found or rank < found[name][0]):
            found[name] = (rank, value)
    return {name: value for name, (_, value) in found.items()}


def _plain(header: object) -> str:
    text = unicodedata.normalize("NFD", str(header)).encode("ascii", "ignore").decode().lower()
    return re.sub(r"\W+", "_", text).strip("_")


def _literal(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text.strip("[]{}")
