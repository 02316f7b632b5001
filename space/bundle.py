"""The bundle: what a Space needs to serve some generators, described by bundle.json with every file's SHA-256.

    python -m space check BUNDLE      verifies a bundle and prints what is in it

bundle.json (format 1) is written last, so a folder without it is not a bundle. It ends with its own SHA-256 (older ones do not).
Hashes, and that the parts belong together (space/lineage.py), are verified on every load:
SHA-256 runs at about 1 GB/s on one core, which is 0.06 s for the embedded bundle and about 2 s for a 2.2 GB model
that has to be read from the disk anyway.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from index.store import MANIFEST as INDEX_MANIFEST
from space.errors import BundleInvalid, BundleMissing, BundlePathUnsafe, ManifestChanged
from space.files import REPO, REVISION, SHA256, FileEntry, HubSource
from space.lineage import check_lineage
from space.prompts import PromptTemplate
from space.question_list import can_be_asked

MANIFEST = "bundle.json"
FORMAT = 1
KINDS = ("speech", "rag", "questions", "chat")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
SEAL = re.compile(rb'(?<=\n "sha256": ")[0-9a-f]{64}(?="\n}\n\Z)')
"""Where bundle.json has its own hash: of all its bytes, with 64 zeros in this place."""


@dataclass(frozen=True)
class Generator:
    """What a visitor uses. `adapter` and `index` are keys of the bundle's; `threshold` None means the index's own;
    `values` are what the prompts ask for and no visitor gives, such as the `persona` of a chat."""

    name: str
    kind: str
    title: dict[str, str]
    prompts: dict[str, PromptTemplate]
    adapter: str | None = None
    index: str | None = None
    sampling: dict[str, float] = field(default_factory=dict)
    words_per_minute: int = 130
    threshold: float | None = None
    examples: list[dict[str, str]] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Bundle:
    """A bundle in `folder`. `base`, `adapters` and `indexes` are paths on this disk; `context` is in tokens."""

    folder: Path
    name: str
    created: str
    base_file: str
    context: int
    chat_template: str
    adapter_files: dict[str, str]
    index_folders: dict[str, str]
    generators: list[Generator]
    files: dict[str, FileEntry]
    lineage: dict[str, Any] = field(default_factory=dict)
    report: str | None = None
    originals: dict[str, str] = field(default_factory=dict)
    """The file of 8-grams (space/originals.py) that each generator's texts are compared with."""

    @property
    def base(self) -> Path:
        return self.folder / self.base_file

    @property
    def adapters(self) -> dict[str, Path]:
        return {name: self.folder / path for name, path in self.adapter_files.items()}

    @property
    def indexes(self) -> dict[str, Path]:
        return {name: self.folder / path for name, path in self.index_folders.items()}

    @classmethod
    def load(cls, folder: Path, verify: bool = True) -> Bundle:
        """The bundle in `folder`. Raises a BundleError; `verify=False` reads bundle.json alone."""
        try:
            raw = (folder / MANIFEST).read_bytes()
            text = raw.decode("utf-8")
        except (FileNotFoundError, NotADirectoryError):
            raise BundleMissing(folder=folder) from None
        except UnicodeDecodeError as error:
            raise BundleInvalid(folder=folder, reason=f"it is not UTF-8 text ({error})") from error
        bundle = _Reader(folder).bundle(text)
        _check_seal(folder, raw)
        if verify:
            bundle.verify()
        return bundle

    def verify(self) -> None:
        """Compares every file with its entry, and the parts with each other and the lineage.

        Raises BundlePathUnsafe, BundleFileMissing, BundleFileMismatch, BundleInvalid or LineageMismatch.
        """
        for file, entry in self.files.items():
            entry.verify(self.folder, file)
        check_lineage(self)

    def write(self) -> Path:
        """Writes bundle.json into `folder`, atomically; the files it names must be there. Returns its path."""
        text = self.text()
        _Reader(self.folder).bundle(text)  # what `load` would refuse is never written
        path = self.folder / MANIFEST
        part = path.with_suffix(".json.part")
        part.write_text(text, encoding="utf-8")
        return part.replace(path)

    def text(self) -> str:
        """bundle.json as a text, with its own hash at the end."""
        open_ = json.dumps(self.to_json() | {"sha256": "0" * 64}, ensure_ascii=False, indent=1) + "\n"
        return SEAL.sub(_seal(open_.encode()).encode(), open_.encode()).decode()

    def to_json(self) -> dict[str, Any]:
        """bundle.json as a dict."""
        return {
            "format": FORMAT,
            "name": self.name,
            "created": self.created,
            "base": self.base_file,
            "context": self.context,
            "chat_template": self.chat_template,
            "adapters": self.adapter_files,
            "indexes": self.index_folders,
            "generators": [_generator_json(generator) for generator in self.generators],
            "files": {file: _entry_json(entry) for file, entry in self.files.items()},
            "lineage": self.lineage,
            "report": self.report,
            "originals": self.originals,
        }


def _seal(raw: bytes) -> str:
    return hashlib.sha256(SEAL.sub(b"0" * 64, raw)).hexdigest()


def _check_seal(folder: Path, raw: bytes) -> None:
    """Raises ManifestChanged, and BundleInvalid for a hash that is not in its place."""
    said = SEAL.search(raw)
    if said and said[0].decode() != (found := _seal(raw)):
        raise ManifestChanged(folder=folder, expected=said[0].decode(), found=found)
    if not said and "sha256" in json.loads(raw):
        raise BundleInvalid(folder=folder, reason="its own sha256 is not where and as it was written")


def _generator_json(generator: Generator) -> dict[str, Any]:
    prompts = {name: template.to_json() for name, template in generator.prompts.items()}
    return {**vars(generator), "prompts": prompts}


def _entry_json(entry: FileEntry) -> dict[str, Any]:
    return {"sha256": entry.sha256, "size": entry.size, "hub": vars(entry.hub) if entry.hub else None}


class _Reader:
    """Reads bundle.json, refusing by name and place what format 1 does not allow."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def bundle(self, text: str) -> Bundle:
        try:
            data = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise self.invalid(f"it is not JSON ({error})") from error
        if not isinstance(data, dict):
            raise self.invalid("it is not a JSON object")
        if data.get("format") != FORMAT:
            raise self.invalid(f"its format is {data.get('format')!r}, this version reads format {FORMAT}")
        files = {
            self.path(file): self.entry(entry, file) for file, entry in self.get(data, "files", dict).items()
        }
        bundle = Bundle(
            folder=self.folder,
            name=self.get(data, "name", str),
            created=self.get(data, "created", str),
            base_file=self.path(self.get(data, "base", str)),
            context=self.get(data, "context", int),
            chat_template=self.get(data, "chat_template", str),
            adapter_files=self.paths(data, "adapters"),
            index_folders=self.paths(data, "indexes"),
            generators=[self.generator(item) for item in self.get(data, "generators", list)],
            files=files,
            lineage=self.get(data, "lineage", dict),
            report=self.path(data["report"]) if data.get("report") is not None else None,
            originals=self.paths(data, "originals") if "originals" in data else {},
        )
        self.check(bundle)
        if unknown := sorted(data.keys() - bundle.to_json().keys() - {"sha256"}):
            raise self.invalid(f"this version does not know its {', '.join(unknown)}")
        return bundle

    def invalid(self, reason: str) -> BundleInvalid:
        return BundleInvalid(folder=self.folder, reason=reason)

    def get(self, data: Mapping[str, Any], key: str, kind: type, where: str = "") -> Any:
        place = f"{where}.{key}" if where else key
        if key not in data:
            raise self.invalid(f"it has no {place}")
        value = data[key]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self.invalid(f"{place} is {type(value).__name__}, not {kind.__name__}")
        return value

    def name(self, data: Mapping[str, Any], key: str, where: str) -> str | None:
        return None if data.get(key) is None else str(self.get(data, key, str, where))

    def path(self, value: object) -> str:
        if not isinstance(value, str) or not value:
            raise self.invalid(f"{value!r} is not a path")
        parts = value.split("/")
        if (
            any(part in ("", ".", "..") for part in parts)
            or re.search(r"[\\:\x00-\x1f]", value)
            or value == MANIFEST
        ):
            raise BundlePathUnsafe(folder=self.folder, file=value)
        return value

    def paths(self, data: Mapping[str, Any], key: str) -> dict[str, str]:
        return {name: self.path(value) for name, value in self.get(data, key, dict).items()}

    def entry(self, data: object, file: str) -> FileEntry:
        where = f"files[{file}]"
        if not isinstance(data, dict):
            raise self.invalid(f"{where} is not an object")
        sha256, size = self.get(data, "sha256", str, where), self.get(data, "size", int, where)
        if not SHA256.fullmatch(sha256) or size < 0:
            raise self.invalid(f"{where} has no valid sha256 and size")
        hub = data.get("hub")
        return FileEntry(sha256, size, self.source(hub, where) if hub is not None else None)

    def source(self, data: object, where: str) -> HubSource:
        if not isinstance(data, dict):
            raise self.invalid(f"{where}.hub is not an object")
        repo, kind, revision = (
            self.get(data, key, str, f"{where}.hub") for key in ("repo", "type", "revision")
        )
        if not REPO.fullmatch(repo) or kind not in ("model", "dataset") or not REVISION.fullmatch(revision):
            raise self.invalid(f"{where}.hub must name owner/repo, model or dataset, and a 40-hex revision")
        return HubSource(repo, kind, revision, self.path(data.get("path")))

    def generator(self, data: object) -> Generator:
        if not isinstance(data, dict):
            raise self.invalid("a generator is not an object")
        name = self.get(data, "name", str, "generators")
        where = f"generators[{name}]"
        try:
            prompts = self.get(data, "prompts", dict, where)
            templates = {key: PromptTemplate.from_json(messages) for key, messages in prompts.items()}
            for template in templates.values():
                _ = template.fields  # parses the braces
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise self.invalid(f"{where}.prompts are not lists of role and content ({error})") from error
        return Generator(
            name=name,
            kind=self.get(data, "kind", str, where),
            title=self.get(data, "title", dict, where),
            prompts=templates,
            adapter=self.name(data, "adapter", where),
            index=self.name(data, "index", where),
            sampling=self.get(data, "sampling", dict, where),
            words_per_minute=self.get(data, "words_per_minute", int, where),
            threshold=data.get("threshold"),
            examples=self.get(data, "examples", list, where),
            values=self.get(data, "values", dict, where) if "values" in data else {},
        )

    def check(self, bundle: Bundle) -> None:
        """What one part of bundle.json says of another."""
        single = [bundle.base_file, *bundle.adapter_files.values(), *bundle.originals.values()]
        for file in (*single, *filter(None, [bundle.report])):
            if file not in bundle.files:
                raise self.invalid(f"it gives no hash of {file}")
        for name, folder in bundle.index_folders.items():
            if f"{folder}/{INDEX_MANIFEST}" not in bundle.files:
                raise self.invalid(f"it gives no hash of {INDEX_MANIFEST}, a file of the index {name}")
        if bundle.context < 1 or not bundle.chat_template.strip():
            raise self.invalid("context and chat_template must not be empty")
        names = [generator.name for generator in bundle.generators]
        if not names or len(set(names)) < len(names):
            raise self.invalid("it needs at least one generator, each with a name of its own")
        if unknown := sorted(bundle.originals.keys() - set(names)):
            raise self.invalid(f"originals name no generator: {', '.join(unknown)}")
        for generator in bundle.generators:
            self.check_generator(bundle, generator)

    def check_generator(self, bundle: Bundle, generator: Generator) -> None:
        where = f"generators[{generator.name}]"
        if not NAME.fullmatch(generator.name):
            raise self.invalid(f"{where}: a name is made of letters, digits, '.', '_' and '-'")
        if generator.kind not in KINDS:
            raise self.invalid(f"{where}.kind is {generator.kind!r}, not one of {', '.join(KINDS)}")
        if generator.adapter is not None and generator.adapter not in bundle.adapter_files:
            raise self.invalid(f"{where}.adapter {generator.adapter!r} is not among the adapters")
        if generator.index is not None and generator.index not in bundle.index_folders:
            raise self.invalid(f"{where}.index {generator.index!r} is not among the indexes")
        grounded = generator.index is not None and generator.kind != "questions"
        needed = {generator.kind} | ({"rag"} if grounded else set())
        given = {key for key, template in generator.prompts.items() if template.messages}
        if missing := sorted(needed - given):
            raise self.invalid(f"{where}.prompts lack {', '.join(missing)}")
        if not all(isinstance(value, str) and value.strip() for value in generator.values.values()):
            raise self.invalid(f"{where}.values are texts")
        if generator.kind == "chat":
            asked = generator.prompts["chat"].fields | {"persona"}
            if missing := sorted(asked - generator.values.keys() - {"message"}):
                raise self.invalid(f"{where}.values lack {', '.join(missing)}")
        if set(generator.title) < {"es", "en"} or not all(
            isinstance(t, str) for t in generator.title.values()
        ):
            raise self.invalid(f"{where}.title must be given in es and en")
        numbers = [
            *generator.sampling.values(),
            *([] if generator.threshold is None else [generator.threshold]),
        ]
        if any(isinstance(n, bool) or not isinstance(n, int | float) for n in numbers):
            raise self.invalid(f"{where}: sampling and threshold are numbers")
        if generator.words_per_minute < 1:
            raise self.invalid(f"{where}.words_per_minute must be at least 1")
        texts = [
            t for item in generator.examples for t in (item.values() if isinstance(item, dict) else [None])
        ]
        if not all(isinstance(text, str) for text in texts):
            raise self.invalid(f"{where}.examples are objects of texts")
        if generator.kind == "questions" and not all(map(can_be_asked, generator.examples)):
            raise self.invalid(f"{where}.examples need a text, and a number and types that can be asked for")
