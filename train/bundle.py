"""Assembles a bundle: base and adapter GGUF, index and prompts, with every file's SHA-256.

    python -m train bundle --base F.gguf --adapter charlas=F-LoRA.gguf --index charlas=INDEX --data PREPARED --out BUNDLE

The folder is written beside OUT and takes its name when it is whole; an older bundle of that name is replaced.
`assemble` takes any number of adapters, indexes and generators; the command makes a bundle of one generator.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from space.bundle import MANIFEST, NAME, Bundle, Generator
from space.files import FileEntry
from space.prompts import PromptTemplate
from train.errors import BadOption, BundleOutputTaken, BundlePartInvalid
from train.lineage import gather, read_prepared

MAX_CONTEXT = 4096
"""Default limit in tokens: the key-value cache of Phi-3-mini takes 384 KiB per token, 1.5 GiB here."""
SAMPLING = {"temperature": 0.8, "top_p": 0.95, "top_k": 40, "min_p": 0.05, "repeat_penalty": 1.1}


@dataclass(frozen=True)
class BundleSpec:
    """What goes into a bundle. `context` None is the model's own, at most MAX_CONTEXT tokens."""

    name: str
    base: Path
    generators: list[Generator]
    adapters: dict[str, Path] = field(default_factory=dict)
    indexes: dict[str, Path] = field(default_factory=dict)
    context: int | None = None
    lineage: dict[str, Any] = field(default_factory=dict)
    report: Path | None = None


@dataclass(frozen=True)
class GgufFacts:
    """What a bundle takes from the metadata of a base GGUF; `context` in tokens."""

    architecture: str
    chat_template: str
    context: int

    @classmethod
    def read(cls, path: Path) -> GgufFacts:
        """Raises BundlePartInvalid for a file that is no GGUF, or has no chat template or context length."""
        metadata = _Metadata(path)
        architecture = metadata.need("general.architecture")
        context = int(metadata.need(f"{architecture}.context_length"))
        return cls(architecture, metadata.need("tokenizer.chat_template"), context)

    def check_adapter(self, path: Path) -> None:
        """Raises BundlePartInvalid for a file that is no adapter of this architecture."""
        metadata = _Metadata(path)
        kind, architecture = metadata.need("general.type"), metadata.need("general.architecture")
        if (kind, architecture) != ("adapter", self.architecture):
            reason = f"it is a {kind} for {architecture}, an adapter for {self.architecture} is needed"
            raise BundlePartInvalid(path=path, reason=reason)


class _Metadata:
    def __init__(self, path: Path) -> None:
        from gguf import GGUFReader

        self.path = path
        try:
            self.reader = GGUFReader(path)
        except (OSError, ValueError, IndexError) as error:
            raise BundlePartInvalid(path=path, reason=f"it is not a readable GGUF ({error})") from error

    def need(self, key: str) -> str:
        field = self.reader.get_field(key)
        if field is None:
            raise BundlePartInvalid(
                path=self.path, reason=f"its metadata has no {key}; export it with `train export`"
            )
        return str(field.contents())


def assemble(spec: BundleSpec, out: Path) -> Bundle:
    """Writes the bundle into `out`, whole or not at all, and loads it back verified.

    Raises BundlePartInvalid, BadOption, BundleOutputTaken, or a BundleError when the parts do not fit together.
    """
    if out.is_file() or (out.is_dir() and not (out / MANIFEST).is_file() and any(out.iterdir())):
        raise BundleOutputTaken(path=out)
    facts = GgufFacts.read(spec.base)
    for path in spec.adapters.values():
        facts.check_adapter(path)
    context = spec.context if spec.context is not None else min(facts.context, MAX_CONTEXT)
    if not 1 <= context <= facts.context:
        raise BadOption(
            option="--context", value=context, reason=f"{spec.base.name} has {facts.context} tokens"
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as parent:
        staging = Path(parent) / "new"
        files = _copy(spec, staging)
        bundle = Bundle(
            folder=staging,
            name=spec.name,
            created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            base_file=f"models/{spec.base.name}",
            context=context,
            chat_template=facts.chat_template,
            adapter_files={name: f"adapters/{path.name}" for name, path in spec.adapters.items()},
            index_folders={name: f"indexes/{name}" for name in spec.indexes},
            generators=spec.generators,
            files={file: FileEntry.of(staging / file) for file in files},
            lineage=spec.lineage,
            report="report.json" if spec.report else None,
        )
        bundle.write()
        bundle.verify()
        if out.exists():
            out.rename(Path(parent) / "old")
        staging.rename(out)
    return Bundle.load(out, verify=False)


def _copy(spec: BundleSpec, staging: Path) -> list[str]:
    """Copies the parts and returns their paths in the bundle. Not hard links: llama.cpp quantizes into an existing
    file in place, which would change the bundle too."""
    sources: dict[str, Path] = {}
    parts = [(f"models/{spec.base.name}", spec.base)]
    parts += [(f"adapters/{path.name}", path) for path in spec.adapters.values()]
    parts += [("report.json", spec.report)] if spec.report else []
    for name, folder in spec.indexes.items():
        if not (folder / "index.json").is_file():
            raise BundlePartInvalid(
                path=folder, reason="it has no index.json; build it with `python -m index build`"
            )
        inside = sorted(path for path in folder.rglob("*") if path.is_file())
        parts += [(f"indexes/{name}/{path.relative_to(folder).as_posix()}", path) for path in inside]
    for file, source in parts:
        if not source.is_file():
            raise BundlePartInvalid(path=source, reason="there is no such file")
        if file in sources:
            raise BundlePartInvalid(path=source, reason=f"another part is called {file} too; rename one")
        sources[file] = source
        (staging / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, staging / file)
    return list(sources)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--base", type=Path, required=True, metavar="F.gguf", help="the base model")
    parser.add_argument("--adapter", metavar="[NAME=]F-LoRA.gguf", help="the generator's adapter")
    parser.add_argument("--index", metavar="[NAME=]DIR", help="the generator's index")
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="output of `prepare`: prompts, lineage"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="BUNDLE", help="folder to write")
    parser.add_argument("--name", help="name of bundle and generator; default: the folder's")
    parser.add_argument("--kind", default="speech", choices=("speech", "rag", "questions", "chat"))
    parser.add_argument("--title-es", help="what visitors read in Spanish; default: the name")
    parser.add_argument("--title-en", help="what visitors read in English; default: the name")
    parser.add_argument(
        "--examples", type=Path, metavar="FILE.json", help='[{"topics": "…", "field": "…", "opening": ""}]'
    )
    parser.add_argument("--context", type=int, help=f"tokens; default: the model's, at most {MAX_CONTEXT}")
    parser.add_argument(
        "--words-per-minute", type=int, default=130, help="speaking rate; default: %(default)s"
    )
    parser.add_argument(
        "--threshold", type=float, help="similarity a passage must reach; default: the index's own"
    )
    parser.add_argument("--report", type=Path, metavar="FILE.json", help="evaluation report to carry along")
    parser.add_argument("--license", help="identifier, such as apache-2.0 or cc-by-4.0; the page shows it")


def run(args: argparse.Namespace) -> None:
    bundle = assemble(spec_of(args), args.out)
    size = sum(entry.size for entry in bundle.files.values())
    print(
        f"{args.out}: {bundle.name}, {len(bundle.files)} files, {size:,} bytes. Look at it: python -m space check {args.out}"
    )


def spec_of(args: argparse.Namespace) -> BundleSpec:
    """The bundle of one generator that the command line describes."""
    name = args.name or args.out.resolve().name
    if not NAME.fullmatch(name):
        raise BadOption(option="--name", value=name, reason="it is made of letters, digits, '.', '_' and '-'")
    adapters, indexes = (dict([_named(text, name)]) if text else {} for text in (args.adapter, args.index))
    generator = Generator(
        name=next(iter(adapters or indexes), name),
        kind=args.kind,
        title={"es": args.title_es or name, "en": args.title_en or args.title_es or name},
        prompts=templates(args.data),
        adapter=next(iter(adapters), None),
        index=next(iter(indexes), None),
        sampling=SAMPLING,
        words_per_minute=args.words_per_minute,
        threshold=args.threshold,
        examples=_examples(args.examples) if args.examples else [],
    )
    lineage = gather(args.data, [args.base, *adapters.values()])
    lineage |= {"license": args.license} if args.license else {}
    return BundleSpec(name, args.base, [generator], adapters, indexes, args.context, lineage, args.report)


def templates(data: Path) -> dict[str, PromptTemplate]:
    """The prompts that the examples in `data` were written with."""
    return {
        name: PromptTemplate.from_json(messages)
        for name, messages in read_prepared(data)["templates"].items()
    }


def _named(text: str, default: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    return (name, Path(path)) if equals else (default, Path(text))


def _examples(path: Path) -> list[dict[str, str]]:
    try:
        examples: list[dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundlePartInvalid(path=path, reason=str(error)) from error
    return examples
