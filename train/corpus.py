"""Reads a maker's corpus: a folder of texts and tables, or one file. Used by `python -m train prepare RECIPE SOURCE`.

Texts are .txt and .md, with an optional `---` front matter; tables are .csv, .tsv, .jsonl and .json (train/tables.py).
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from train.archives import texts_of
from train.audit import Audit
from train.clean import plain_text
from train.decoding import NotText, decode
from train.errors import BadFile, NothingToRead
from train.tables import TABLES, BadRow, as_list, column, read_rows

Parsed = TypeVar("Parsed")
TEXTS = (".txt", ".md")
_NOT_CORPUS = re.compile(r"^(readme|licen[sc]e|changelog|contributing|requirements)\b", re.I)
_MONTHS = "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split()  # noqa: SIM905
_LONG_DATE = re.compile(
    rf"\b(\d{{1,2}})\s+de\s+({'|'.join(_MONTHS)}|setiembre)\s*(?:de|del|,)?\s*(\d{{4}})\b", re.I
)
_ISO_DATE = re.compile(r"\b((?:1[5-9]|20)\d\d)-(\d\d)-(\d\d)\b")
_DAY_FIRST = re.compile(r"\b(\d{1,2})[-/.](\d{1,2})[-/.]((?:1[5-9]|20)\d\d)\b")
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
    sections: list[list[str]] = dataclasses.field(default_factory=list)
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


class Corpus:
    """The documents of `source`, read one file at a time; `sha256` is of all files read, known after iteration."""

    def __init__(self, source: Path, audit: Audit, skip_bad: bool = False) -> None:
        self.source, self.audit, self.skip_bad = source, audit, skip_bad
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Over the relative path and the bytes of each file, in the order of their paths."""
        return self._hash.hexdigest()

    def __iter__(self) -> Iterator[Document]:
        """Documents in the order of their paths and rows. Raises NothingToRead, and BadFile unless `skip_bad`."""
        return self.each(self._documents, TEXTS + TABLES)

    def each(
        self, parse: Callable[[str, str], Iterable[Parsed]], suffixes: tuple[str, ...]
    ) -> Iterator[Parsed]:
        """What `parse(text, name)` gives for each file with one of the `suffixes`, in the order of their paths; with
        ".zip" among them, also for the files in archives.

        Raises NothingToRead and, when the bytes are no text or `parse` raises NotText, BadFile unless `skip_bad`.
        """
        files = self._files(suffixes)
        root = self.source if self.source.is_dir() else self.source.parent
        for path in tqdm(files, desc="reading", unit="file", disable=None):  # None: only on a terminal
            name = path.relative_to(root).as_posix()
            try:
                contents = self._contents(path, name, suffixes)
                parsed = [item for inner, raw in contents for item in parse(self._text(raw, inner), inner)]
            except NotText as error:
                if not self.skip_bad:
                    raise BadFile(path=path, reason=error) from error
                self.audit.skipped_file(name, str(error))
                continue
            yield from parsed

    def _files(self, wanted: tuple[str, ...]) -> list[Path]:
        kinds = ", ".join(wanted)
        if not self.source.exists():
            raise NothingToRead(path=self.source, kinds=kinds, found="nothing, the path does not exist")
        if not self.source.is_dir():
            if self.source.suffix.lower() not in wanted:
                raise NothingToRead(
                    path=self.source, kinds=kinds, found=f"a {self.source.suffix or 'suffixless'} file"
                )
            return [self.source]
        suffixes: Counter[str] = Counter()
        files = []
        for path in sorted(self.source.rglob("*")):
            inside = path.relative_to(self.source)
            if not path.is_file() or any(part.startswith((".", "__MACOSX")) for part in inside.parts):
                continue
            suffixes[path.suffix.lower() or path.name] += 1
            if path.suffix.lower() not in wanted:
                self.audit.skipped_file(
                    inside.as_posix(), f"not a kind that is read ({path.suffix or 'no suffix'})"
                )
            elif _NOT_CORPUS.match(path.name):
                self.audit.skipped_file(inside.as_posix(), "a note about the files, by its name")
            else:
                files.append(path)
        if not files:
            found = ", ".join(f"{n} {suffix}" for suffix, n in suffixes.most_common(8)) or "no files"
            raise NothingToRead(path=self.source, kinds=kinds, found=found)
        return files

    def _contents(self, path: Path, name: str, suffixes: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
        if path.suffix.lower() == ".zip":
            inside = tuple(suffix for suffix in suffixes if suffix != ".zip")
            yield from texts_of(path, name, inside, self.audit)
        else:
            yield name, path.read_bytes()

    def _text(self, raw: bytes, name: str) -> str:
        self._hash.update(f"{name}\0{len(raw)}\0".encode() + raw)
        decoded = decode(raw)
        self.audit.kept("files read", name)
        if decoded.encoding not in ("utf-8", "utf-8-sig"):
            self.audit.repaired(f"encoding: {decoded.encoding} read as such", name)
        self.audit.repaired("double encodings undone (Ã³ → ó)", name, decoded.repaired)
        return decoded.text

    def _documents(self, text: str, name: str) -> Iterator[Document]:
        suffix = Path(name).suffix.lower()
        if suffix in TEXTS:
            yield _from_text(plain_text(text, self.audit, name), name)
            return
        try:
            rows = list(read_rows(text, suffix))
        except BadRow as error:
            raise NotText(str(error)) from error
        for number, row in rows:
            if isinstance(row, BadRow):
                if not self.skip_bad:
                    raise NotText(str(row)) from row
                self.audit.dropped("rows that cannot be read", f"{name}: {row}")
            else:
                yield self._from_row(row, f"{name}#{number}")

    def _from_row(self, row: dict[str, object], name: str) -> Document:
        def value(key: str) -> str:
            return " ".join(plain_text(str(row.get(key) or ""), self.audit, name).split())

        fields = value("field")
        return Document(
            id=name,
            title=value("title") or name,
            source=value("source") or name,
            raw=plain_text(str(row.get("text") or ""), self.audit, name),
            date=find_date(value("date")),
            speaker=value("speaker") or None,
            field=", ".join(as_list(fields)[:2]) or None if fields.startswith(("[", "{")) else fields or None,
            topics=as_list(row.get("topics")),
        )


def find_date(text: str) -> str | None:
    """The first date of `text` as YYYY-MM-DD: "1 de mayo de 2020", "2020-05-01" or, day first, "01/05/2020"."""
    if match := _LONG_DATE.search(text):
        name = match[2].lower().replace("setiembre", "septiembre")
        return _date(match[3], str(_MONTHS.index(name) + 1), match[1])
    if match := _ISO_DATE.search(text):
        return _date(match[1], match[2], match[3])
    if match := _DAY_FIRST.search(text):
        return _date(match[3], match[2], match[1])
    return None


def _date(year: str, month: str, day: str) -> str | None:
    valid = 1 <= int(month) <= 12 and 1 <= int(day) <= 31
    return f"{year}-{int(month):02}-{int(day):02}" if valid else None


def _from_text(text: str, name: str) -> Document:
    meta, body = _front_matter(text)
    title, body = (meta["title"], body) if isinstance(meta.get("title"), str) else _heading(body, name)
    dates = [
        date
        for line in body.lstrip().split("\n")[:6]
        if len(line.split()) <= 12 and (date := find_date(line))
    ]
    scalar = {key: " ".join(value) if isinstance(value, list) else value for key, value in meta.items()}
    return Document(
        id=name,
        title=str(title),
        source=scalar.get("source") or name,
        raw=body,
        date=find_date(scalar.get("date", ""))
        or next(iter(dates), None)
        or find_date(Path(name).stem.replace("_", " ")),
        speaker=scalar.get("speaker") or None,
        field=scalar.get("field") or None,
        topics=as_list(meta.get("topics")),
    )


def _front_matter(text: str) -> tuple[dict[str, str | list[str]], str]:
    """The `key: value` lines between two `---` at the start, by our column names, and the rest."""
    lines = text.lstrip("\n").split("\n")
    if lines[0].strip() != "---":
        return {}, text
    end = next((i for i, line in enumerate(lines[1:], 1) if line.strip() in ("---", "...")), None)
    if end is None or not any(_PAIR.match(line) for line in lines[1:end]):
        return {}, text
    meta: dict[str, str | list[str]] = {}
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
    return re.sub(r"^\d+\s+", "", re.sub(r"[-_]+", " ", Path(name).stem)).strip().capitalize() or name, body
