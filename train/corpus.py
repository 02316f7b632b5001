"""Reads a maker's corpus: a folder of texts and tables, or one file. Used by `python -m train prepare RECIPE SOURCE`.

Each file's bytes become documents by train/documents.py, or whatever a recipe's own `parse` gives; a table of titles and
speakers without texts describes the documents of the other files (train/catalogue.py).
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TypeVar

from tqdm import tqdm

from train.archives import texts_of
from train.audit import Audit
from train.catalogue import Catalogue, has_no_texts
from train.decoding import NotText, decoded
from train.documents import KINDS, Document, documents_of
from train.errors import BadFile, NothingToRead
from train.processes import AUTOMATIC, Processes
from train.readers import READERS

Parsed = TypeVar("Parsed")
_NOT_CORPUS = re.compile(r"^(readme|licen[sc]e|changelog|contributing|requirements)\b", re.I)
_NOTE = "a note about the files, by its name"


class Corpus:
    """The documents of `source`, read one file at a time; `sha256` is of all files read, known after iteration."""

    def __init__(
        self, source: Path, audit: Audit, skip_bad: bool = False, processes: Processes = AUTOMATIC
    ) -> None:
        self.source, self.audit, self.skip_bad, self._processes = source, audit, skip_bad, processes
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Over the relative path and the bytes of each file, in the order of their paths."""
        return self._hash.hexdigest()

    def __iter__(self) -> Iterator[Document]:
        """Documents in the order of their paths and rows. Raises NothingToRead, and BadFile unless `skip_bad`."""
        files = self._files((*KINDS, ".zip"))
        tables = [path for path in files if has_no_texts(path)]
        if len(tables) == len(files):  # nothing that they could describe: each is read, and refused by name
            tables = []
        catalogue = Catalogue(self.audit)
        for _ in self._parsed(tables, catalogue.add, KINDS):  # it gives nothing
            pass
        described = frozenset(tables)
        texts = [path for path in files if path not in described]
        documents = self._documents(texts)
        names = [path.name for path in texts]
        yield from catalogue.describe(documents, names) if catalogue else documents

    def _documents(self, files: list[Path]) -> Iterator[Document]:
        """The documents of the files; in several processes only where reading costs more than what follows."""
        costly = any(path.suffix.lower() in (*READERS, ".zip") for path in files)
        processes = self._processes if costly else Processes(1)
        read = partial(_read, skip_bad=self.skip_bad)
        aside = Audit()
        contents = self._contents(files, KINDS, aside)
        for path, name, found in processes.map(read, contents, self.audit, together=4):
            if isinstance(found, NotText):
                self._bad(path, name, found, self.audit)
            else:
                yield from found
        self.audit.add(aside)

    def each(
        self, parse: Callable[[str, str], Iterable[Parsed]], suffixes: tuple[str, ...]
    ) -> Iterator[Parsed]:
        """What `parse(text, name)` gives for each file with one of the `suffixes`, in the order of their paths; with
        ".zip" among them, also for the files in archives.

        Raises NothingToRead and, when the bytes are no text or `parse` raises NotText, BadFile unless `skip_bad`.
        """

        def parse_bytes(raw: bytes, name: str) -> Iterable[Parsed]:
            return parse(decoded(raw, name, self.audit), name)

        return self._parsed(self._files(suffixes), parse_bytes, suffixes)

    def _parsed(
        self,
        files: list[Path],
        parse: Callable[[bytes, str], Iterable[Parsed]],
        suffixes: tuple[str, ...],
    ) -> Iterator[Parsed]:
        aside = Audit()
        for path, name, raw in self._contents(files, suffixes, aside):
            try:
                parsed = list(parse(raw, name))
            except NotText as error:
                self._bad(path, name, error, self.audit)
            else:
                self.audit.kept("files read", name)
                yield from parsed
        self.audit.add(aside)

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
                self.audit.skipped_file(inside.as_posix(), _NOTE)
            else:
                files.append(path)
        if not files:
            found = ", ".join(f"{n} {suffix}" for suffix, n in suffixes.most_common(8)) or "no files"
            raise NothingToRead(path=self.source, kinds=kinds, found=found)
        return files

    def _contents(
        self, files: list[Path], suffixes: tuple[str, ...], audit: Audit
    ) -> Iterator[tuple[Path, str, bytes]]:
        """The file, the name (in an archive, of what is in it) and the bytes of each text.

        What it counts goes into an `audit` aside: others read ahead, and the report is the same however far they do.
        """
        root = self.source if self.source.is_dir() else self.source.parent
        inside = tuple(suffix for suffix in suffixes if suffix != ".zip")
        for path in tqdm(files, desc="reading", unit="file", disable=None):  # None: only on a terminal
            name = path.relative_to(root).as_posix()
            try:
                zipped = path.suffix.lower() == ".zip"
                contents = texts_of(path, name, inside, audit) if zipped else [(name, path.read_bytes())]
                for inner, raw in contents:
                    if zipped and _NOT_CORPUS.match(PurePosixPath(inner).name):
                        audit.skipped_file(inner, _NOTE)
                        continue
                    self._hash.update(f"{inner}\0{len(raw)}\0".encode() + raw)
                    yield path, inner, raw
            except NotText as error:
                self._bad(path, name, error, audit)

    def _bad(self, path: Path, name: str, error: NotText, audit: Audit) -> None:
        """Leaves a file out, or raises BadFile."""
        if not self.skip_bad:
            inside = name.partition(f"{path.name}/")[2]
            raise BadFile(path=f"{path}/{inside}" if inside else path, reason=error) from error
        audit.skipped_file(name, str(error))


def _read(
    content: tuple[Path, str, bytes], audit: Audit, skip_bad: bool
) -> tuple[Path, str, list[Document] | NotText]:
    """The documents of one file, or why it has none; it depends on nothing else, so that any process may do it."""
    path, name, raw = content
    try:
        documents = documents_of(raw, name, skip_bad, audit)
    except NotText as error:
        return path, name, error
    audit.kept("files read", name)
    return path, name, documents
