"""Reads what is to be indexed: a documents.jsonl or a folder of .txt and .md files.

Used by `python -m index build SOURCE ...` and `python -m index embedder SOURCE... --out DIR`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

from index.errors import BadSource, EmptyDocuments, NoDocuments, UnreadableText

_LISTED = 10
_TEXT_SUFFIXES = (".txt", ".md")
_FRONT_MATTER = re.compile(r"---\n(\w[^\n]*:.*?)\n---[ \t]*(\n|\Z)", re.S)
_TITLE = re.compile(r"^title:[ \t]*(\S.*)$", re.M)
_TOPICS = re.compile(r"^topics:[ \t]*\[(.*)\][ \t]*$", re.M)
_HEADING = re.compile(r"\s*#+ +(.+)")


@dataclass(frozen=True)
class Document:
    """One text to index; `source` is what a visitor may be shown (a URL, a file name)."""

    id: str
    title: str
    text: str
    source: str
    topics: tuple[str, ...] = ()

    @property
    def heading(self) -> str:
        """What is known of the whole text, by which BM25 finds each of its passages too."""
        return "\n".join([self.title, *self.topics])


def read_documents(source: Path) -> list[Document]:
    """The documents of `source`: a .jsonl file (id, title, text, source, topics a line) or a folder, searched recursively,
    whose files may have `title: ...` and `topics: [a, b]` in a front matter.

    Raises BadSource, UnreadableText, NoDocuments, and EmptyDocuments naming every document without text.
    """
    if source.is_dir():
        documents = list(_from_folder(source))
    elif source.is_file() and source.suffix == ".jsonl":
        documents = list(_from_jsonl(source))
    else:
        raise BadSource(path=source)
    if not documents:
        raise NoDocuments(path=source)
    empty = [d.id for d in documents if not d.text.strip()]
    if empty:
        shown = ", ".join(empty[:_LISTED]) + (" …" if len(empty) > _LISTED else "")
        raise EmptyDocuments(count=len(empty), names=shown)
    return documents


def documents_sha256(documents: Iterable[Document]) -> str:
    """The hash of all that an index takes from its documents, by which it knows its corpus."""
    digest = hashlib.sha256()
    for document in documents:
        digest.update(json.dumps(astuple(document), ensure_ascii=False).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def read_text(path: Path) -> str:
    """A text file as str: UTF-8 (with or without BOM), UTF-16 with BOM, otherwise Windows-1252.

    Raises UnreadableText when it holds NUL characters or bytes that are none of these.
    """
    raw = path.read_bytes()
    encodings = ["utf-16"] if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text.replace("\r\n", "\n").replace("\r", "\n")
    raise UnreadableText(path=path)


def _from_folder(folder: Path) -> Iterator[Document]:
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in _TEXT_SUFFIXES and p.is_file()):
        name = path.relative_to(folder).as_posix()
        front, text = _front_matter(read_text(path))
        title = _TITLE.search(front) or _HEADING.match(text)
        topics = _TOPICS.search(front)
        yield Document(
            name,
            title.group(1).strip("\"' ") if title else path.stem,
            text,
            name,
            tuple(topic.strip("\"' ") for topic in topics.group(1).split(",")) if topics else (),
        )


def _front_matter(text: str) -> tuple[str, str]:
    """YAML front matter between two lines `---` at the very beginning, and what follows it."""
    found = _FRONT_MATTER.match(text)
    return (found.group(1), text[found.end() :]) if found else ("", text)


def _from_jsonl(path: Path) -> Iterator[Document]:
    seen: set[str] = set()
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            document = Document(
                str(row["id"]),
                str(row.get("title") or row["id"]),
                row["text"],
                str(row.get("source") or row["id"]),
                tuple(map(str, row.get("topics") or ())),
            )
            if not isinstance(document.text, str) or document.id in seen:
                raise ValueError
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadSource(path=f"{path}:{number}") from error
        seen.add(document.id)
        yield document
