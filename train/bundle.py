"""Assembles a bundle: base and adapter GGUF, index and prompts, with every file's SHA-256.

    python -m train bundle --base F.gguf --adapter charlas=F-LoRA.gguf --index charlas=INDEX --data PREPARED --out BUNDLE
    python -m train bundle --base F.gguf --adapter preguntas=F2-LoRA.gguf --data PREPARED2 --kind questions --add-to BUNDLE

The folder is written beside BUNDLE and takes its name when it is whole; an older bundle of that name is replaced. The
first command makes a bundle of one generator, the second adds a generator of the same base to a bundle.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from space.bundle import MANIFEST, NAME, Bundle, Generator
from space.files import FileEntry, file_sha256
from space.lineage import with_parts
from space.originals import Originals
from space.prompts import PromptTemplate
from train.errors import BadOption, BundleOutputTaken, BundlePartInvalid
from train.gguf_facts import GgufFacts
from train.lineage import gather, read_json, read_prepared, without_machine_paths
from train.parity_rows import parity_report

REPORT = "report.json"
MAX_CONTEXT = 4096
"""Default limit in tokens: the key-value cache of Phi-3-mini takes 384 KiB per token, 1.5 GiB here."""
SAMPLING: dict[str, float] = {
    "temperature": 0.8,
    "top_p": 0.95,
    "top_k": 40,
    "min_p": 0.05,
    "repeat_penalty": 1.1,
}
CAREFUL = {"temperature": 0.5, "repeat_penalty": 1.05}
"""For questions, which repeat words of the text."""


@dataclass(frozen=True)
class BundleSpec:
    """What goes into a bundle. `context` None is the model's own, at most MAX_CONTEXT tokens; `reports` become one
    report.json, each under its name; `originals` are files of `train originals` by generator."""

    name: str
    base: Path
    generators: list[Generator]
    adapters: dict[str, Path] = field(default_factory=dict)
    indexes: dict[str, Path] = field(default_factory=dict)
    context: int | None = None
    lineage: dict[str, Any] = field(default_factory=dict)
    reports: dict[str, Any] = field(default_factory=dict)
    originals: dict[str, Path] = field(default_factory=dict)


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
            report=REPORT if spec.reports else None,
            originals={name: _originals_file(name) for name in spec.originals},
        )
        bundle = replace(bundle, lineage=with_parts(bundle))
        bundle.write()
        bundle.verify()
        if out.exists():
            out.rename(Path(parent) / "old")
        staging.rename(out)
    return Bundle.load(out, verify=False)


def joined(spec: BundleSpec, folder: Path) -> BundleSpec:
    """The bundle in `folder` with the parts of `spec` added: `assemble` writes it. The name, context and lineage stay;
    the lineage of each new generator goes to `lineage["generators"]` under its name.

    Raises BundlePartInvalid for another base, BadOption for a name that is taken or a context, or a BundleError.
    """
    old = Bundle.load(folder)
    if file_sha256(spec.base) != (expected := old.files[old.base_file].sha256):
        reason = f"the bundle's base is {old.base.name} with sha256 {expected}; a bundle has one base"
        raise BundlePartInvalid(path=spec.base, reason=reason)
    if spec.context is not None:
        raise BadOption(option="--context", value=spec.context, reason=f"{folder} has {old.context} tokens")
    reports = read_json(folder / old.report) if old.report else {}
    taken = [
        *({g.name for g in old.generators} & {g.name for g in spec.generators}),
        *(old.adapters.keys() & spec.adapters.keys()),
        *(old.indexes.keys() & spec.indexes.keys()),
        *((reports.keys() & spec.reports.keys()) - {"parity"}),
    ]
    if parity := reports.get("parity", {}) | spec.reports.get("parity", {}):
        reports["parity"] = parity
    if taken:
        names = ", ".join(sorted(set(taken)))
        raise BadOption(option="--name", value=names, reason=f"{folder} has that already; give another name")
    lineages = old.lineage.get("generators", {}) | {g.name: spec.lineage for g in spec.generators}
    return BundleSpec(
        name=old.name,
        base=old.base,
        generators=[*old.generators, *spec.generators],
        adapters={**old.adapters, **spec.adapters},
        indexes={**old.indexes, **spec.indexes},
        context=old.context,
        lineage={**old.lineage, "generators": lineages},
        reports={**spec.reports, **reports},
        originals={**{name: folder / file for name, file in old.originals.items()}, **spec.originals},
    )


def add_report(folder: Path, name: str, report: Any) -> Bundle:
    """Puts what was measured into the report of the bundle in `folder`, in place of an older `name`. Raises a BundleError."""
    old = Bundle.load(folder)
    spec = joined(BundleSpec(old.name, old.base, []), folder)
    return assemble(replace(spec, reports={**spec.reports, name: report}), folder)


def _copy(spec: BundleSpec, staging: Path) -> list[str]:
    """Copies the parts and returns their paths in the bundle. Not hard links: llama.cpp quantizes into an existing
    file in place, which would change the bundle too."""
    sources: dict[str, Path] = {}
    parts = [(f"models/{spec.base.name}", spec.base)]
    parts += [(f"adapters/{path.name}", path) for path in spec.adapters.values()]
    parts += [(_originals_file(name), path) for name, path in spec.originals.items()]
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
    if spec.reports:
        text = json.dumps(spec.reports, ensure_ascii=False, indent=1) + "\n"
        (staging / REPORT).write_text(text, encoding="utf-8")
    return [*sources, *([REPORT] if spec.reports else [])]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--base", type=Path, required=True, metavar="F.gguf", help="the base model")
    parser.add_argument("--adapter", metavar="[NAME=]F-LoRA.gguf", help="the generator's adapter")
    parser.add_argument("--index", metavar="[NAME=]DIR", help="the generator's index")
    parser.add_argument(
        "--originals", type=Path, metavar="FILE", help="what `originals` wrote, to compare its texts with"
    )
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="output of `prepare`: prompts, lineage"
    )
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--out", type=Path, metavar="BUNDLE", help="folder to write")
    place.add_argument(
        "--add-to", type=Path, metavar="BUNDLE", help="bundle of this base to add a generator to"
    )
    parser.add_argument(
        "--name", help="name of bundle and generator; default: that of the --out or --data folder"
    )
    parser.add_argument("--kind", default="speech", choices=("speech", "rag", "questions", "chat"))
    parser.add_argument("--title-es", help="what visitors read in Spanish; default: the name")
    parser.add_argument("--title-en", help="what visitors read in English; default: the name")
    parser.add_argument(
        "--examples",
        type=Path,
        metavar="FILE.json",
        help='[{"topics": "…", "field": "…", "opening": ""}], for questions [{"title": "…", "text": "…", "number": "3"}]',
    )
    parser.add_argument("--context", type=int, help=f"tokens; default: the model's, at most {MAX_CONTEXT}")
    parser.add_argument(
        "--words-per-minute", type=int, default=130, help="speaking rate; default: %(default)s"
    )
    parser.add_argument(
        "--temperature",
        type=float,
        help=f"at the page's middle creativity; default: {SAMPLING['temperature']}, for questions {CAREFUL['temperature']}",
    )
    parser.add_argument(
        "--threshold", type=float, help="similarity a passage must reach; default: the index's own"
    )
    parser.add_argument(
        "--report",
        action="append",
        default=[],
        metavar="[NAME=]FILE.json",
        help="what was measured: pretraining=pretrain.json, evaluation=evaluation.json; several are one report",
    )
    parser.add_argument(
        "--without-parity",
        action="store_true",
        help="take GGUF files although `export` found that they do not do what was trained",
    )
    parser.add_argument("--license", help="identifier, such as apache-2.0 or cc-by-4.0; the page shows it")


def run(args: argparse.Namespace) -> None:
    spec = spec_of(args)
    if args.add_to:
        spec = joined(spec, args.add_to)
    folder = args.out or args.add_to
    bundle = assemble(spec, folder)
    size = sum(entry.size for entry in bundle.files.values())
    names = ", ".join(generator.name for generator in bundle.generators)
    print(f"{folder}: {bundle.name} ({names}), {len(bundle.files)} files, {size:,} bytes.")
    print(f"Look at it: python -m space check {folder}")


def spec_of(args: argparse.Namespace) -> BundleSpec:
    """The bundle of one generator that the command line describes."""
    name = args.name or (args.out or args.data).resolve().name
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
        sampling=SAMPLING
        | (CAREFUL if args.kind == "questions" else {})
        | ({} if args.temperature is None else {"temperature": args.temperature}),
        words_per_minute=args.words_per_minute,
        threshold=args.threshold,
        examples=_examples(args.examples) if args.examples else [],
        values=_values(args.data, args.kind),
    )
    reports = dict(_named(text, Path(text).stem) for text in args.report)
    measured = {name: without_machine_paths(read_json(path)) for name, path in reports.items()}
    adapter, index = next(iter(adapters.values()), None), next(iter(indexes.values()), None)
    measured |= parity_report(generator.adapter or generator.name, args.base, adapter, args.without_parity)
    lineage = gather(args.data, args.base, adapter, index)
    lineage |= {"license": args.license} if args.license else {}
    originals = {generator.name: _checked_originals(args.originals, args.data)} if args.originals else {}
    return BundleSpec(
        name, args.base, [generator], adapters, indexes, args.context, lineage, measured, originals
    )


def templates(data: Path) -> dict[str, PromptTemplate]:
    """The prompts that the examples in `data` were written with."""
    return {
        name: PromptTemplate.from_json(messages)
        for name, messages in read_prepared(data)["templates"].items()
    }


def _originals_file(generator: str) -> str:
    return f"originals/{generator}.bin"


def _checked_originals(path: Path, data: Path) -> Path:
    """`path`, after a look whether it is whole and made of `data`. Raises OriginalsInvalid, BundlePartInvalid."""
    corpora = {corpus["corpus_sha256"] for corpus in Originals.load(path).corpora}
    if read_prepared(data)["corpus_sha256"] not in corpora:
        reason = f"it is not made of the texts in {data}; make it with `python -m train originals`"
        raise BundlePartInvalid(path=path, reason=reason)
    return path


def _values(data: Path, kind: str) -> dict[str, str]:
    """What the prompts of a kind ask for and no visitor gives: of a chat the persona."""
    if kind != "chat":
        return {}
    persona = read_prepared(data).get("options", {}).get("persona")
    if not isinstance(persona, str):
        reason = "its options have no persona; prepare it with `train prepare chat`"
        raise BundlePartInvalid(path=data / "prepared.json", reason=reason)
    return {"persona": persona}


def _named(text: str, default: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    return (name, Path(path)) if equals else (default, Path(text))


def _examples(path: Path) -> list[dict[str, str]]:
    try:
        examples: list[dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundlePartInvalid(path=path, reason=str(error)) from error
    return examples
