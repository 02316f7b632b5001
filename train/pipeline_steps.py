"""The steps of `python -m train all`: each a command of its own, its command line, what it reads and what it writes.

A recipe is known by its prompts alone: with a `rag` prompt its documents are indexed, and the first prompt that is a kind of
generator is the kind of the bundle's.
"""

from __future__ import annotations

import argparse
import importlib
import json
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from types import ModuleType
from typing import Any

from space.bundle import KINDS
from train.chat_examples import GROUNDED
from train.errors import BadOption
from train.recipes import available

BASE = "microsoft/Phi-3-mini-4k-instruct"
EMBEDDER = "intfloat/multilingual-e5-small"
SPLITS = ("train", "validation", "test")
Table = dict[str, Any]
TABLES = (
    "prepare",
    "ground",
    "sft",
    "export",
    "export-embedder",
    "index",
    "originals",
    "bundle",
    "evaluate",
    "publish",
)
"""The steps in their order; each has a table of its name in the configuration."""


@dataclass(frozen=True)
class Job:
    """One run: the corpus, the folder of all that is made, and the options of the steps by their tables."""

    recipe: str
    source: Path
    out: Path
    name: str
    tables: dict[str, Table] = field(default_factory=dict)
    repo: str | None = None

    @property
    def grounded(self) -> bool:
        return "rag" in available()[self.recipe].TEMPLATES

    @property
    def data(self) -> Path:
        return self.out / "data"

    @property
    def bundle(self) -> Path:
        return self.out / "bundle"

    @property
    def base(self) -> str:
        return str(self.tables.get("sft", {}).get("base", BASE))

    def gguf(self, kind: str) -> Path:
        """The first exported file of a kind; before the export a name that only stands for it."""
        record = self.out / "gguf" / "export.json"
        files = json.loads(record.read_text(encoding="utf-8"))["files"] if record.is_file() else []
        found = [self.out / "gguf" / entry["path"] for entry in files if entry["kind"] == kind]
        return found[0] if found else self.out / "gguf" / f"{kind}.gguf"


@dataclass(frozen=True)
class Step:
    """A command: `defaults` may be changed by its table, `fixed` may not. `outputs` tell whether it has to run again."""

    name: str
    module: str
    fixed: list[str]
    inputs: list[Path]
    outputs: list[Path]
    defaults: list[str] = field(default_factory=list)

    def load(self) -> ModuleType:
        return importlib.import_module(self.module)

    def parse(self, table: Table) -> argparse.Namespace:
        """The options as the command itself reads them. Raises BadOption for an option that `train all` gives."""
        parser = argparse.ArgumentParser(prog=f"the table [{self.name}]", add_help=False, allow_abbrev=False)
        self.load().add_arguments(parser)
        first = list(
            takewhile(lambda part: not part.startswith("--"), self.fixed)
        )  # a recipe before its options
        return parser.parse_args(
            [*first, *self.defaults, *self._given(parser, table), *self.fixed[len(first) :]]
        )

    def _given(self, parser: argparse.ArgumentParser, table: Table) -> list[str]:
        known = {flag: action for action in _actions(parser) for flag in action.option_strings}
        fixed = {part.split("=")[0] for part in self.fixed if part.startswith("--")}
        given = []
        for key, value in table.items():
            flag = "--" + key.replace("_", "-")
            action = known.get(flag)
            if flag in fixed and not isinstance(action, argparse._AppendAction):
                reason = f"`train all` gives {flag} itself"
                raise BadOption(option=f"[{self.name}] {key}", value=value, reason=reason)
            if isinstance(value, bool):
                off = isinstance(action, argparse.BooleanOptionalAction)
                given += [flag] if value else [flag.replace("--", "--no-", 1)] if off else []
            else:
                values = value if isinstance(value, list) else [value]
                given += [f"{flag}={one}" for one in values]
        return given


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """The options of a command and of its sub-commands."""
    found = []
    for action in parser._actions:
        found.append(action)
        if isinstance(action, argparse._SubParsersAction):
            found += [inner for sub in action.choices.values() for inner in _actions(sub)]
    return found


def steps(job: Job) -> list[Step]:
    """The steps of a job in their order; those after the export name its files once it has written them."""
    wanted = {
        "prepare": _prepare(job),
        **({"ground": _ground(job)} if "ground" in job.tables else {}),
        "sft": _sft(job),
        "export": _export(job),
        **(_indexing(job) if job.grounded else {}),
        "originals": _originals(job),
        "bundle": _bundle(job),
        **({} if nothing_held_out(job) else {"evaluate": _evaluate(job)}),
        **({"publish": _publish(job, job.repo)} if job.repo else {}),
    }
    return [wanted[name] for name in TABLES if name in wanted]


def nothing_held_out(job: Job) -> bool:
    """Whether a prepared corpus is so small that all of it is trained on."""
    files = [job.data / f"{split}.jsonl" for split in SPLITS[1:]]
    return all(file.is_file() and not file.stat().st_size for file in files)


def _prepare(job: Job) -> Step:
    # The recipe's version is an option too: a newer recipe makes other examples of the same corpus.
    outputs = [*(job.data / f"{split}.jsonl" for split in SPLITS), job.data / "documents.jsonl"]
    fixed = [job.recipe, str(job.source), "--out", str(job.data)]
    return Step("prepare", "train.prepare", fixed, [job.source], [*outputs, job.data / "prepared.json"])


def _ground(job: Job) -> Step:
    return Step("ground", "train.ground", [str(job.data)], [job.data / "train.jsonl"], [job.data / GROUNDED])


def _examples(job: Job) -> list[Path]:
    """What is trained on; grounded conversations that no step of this job made are none of it."""
    grounded = [job.data / GROUNDED] if "ground" in job.tables else []
    return [job.data / "prepared.json", *(job.data / f"{split}.jsonl" for split in SPLITS[:2]), *grounded]


def _sft(job: Job) -> Step:
    run = job.out / "sft"
    fixed = ["--data", str(job.data), "--out", str(run)]
    outputs = [run / "adapter", run / "run.json"]
    return Step("sft", "train.sft", fixed, _examples(job), outputs, ["--base", job.base])


def _export(job: Job) -> Step:
    run, revision = job.out / "sft", job.tables.get("sft", {}).get("revision")
    fixed = ["--base", job.base, "--adapter", str(run / "adapter"), "--out", str(job.out / "gguf")]
    fixed += ["--revision", revision] if revision else []
    inputs = [run / "adapter", run / "run.json", run / "held_out.jsonl"]
    return Step("export", "train.export", fixed, inputs, [job.out / "gguf"], ["--adapter-name", job.name])


def _indexing(job: Job) -> dict[str, Step]:
    """The index and, for a model that is not ours, its conversion."""
    table, gguf = job.tables.get("index", {}), job.out / "embedder.gguf"
    model = str(table.get("embedder", EMBEDDER))
    documents = job.data / "documents.jsonl"
    fixed = [str(documents), "--out", str(job.out / "index")]
    convert = "embedder" not in table or "export-embedder" in job.tables
    fixed += ["--embedder-gguf", str(gguf)] if convert else []
    inputs = [documents, *([gguf] if convert else [])]
    index = Step("index", "index.build", fixed, inputs, [job.out / "index"], ["--embedder", model])
    made = Step("export-embedder", "train.embedder_gguf", [model, "--out", str(gguf)], [], [gguf])
    return {**({"export-embedder": made} if convert else {}), "index": index}


def _originals(job: Job) -> Step:
    out = job.out / "originals.bin"
    inputs = [job.data / "documents.jsonl", job.data / "train.jsonl"]
    return Step("originals", "train.originals", [str(job.data), "--out", str(out)], inputs, [out])


def _bundle(job: Job) -> Step:
    originals, index = job.out / "originals.bin", job.out / "index"
    fixed = ["--base", str(job.gguf("base")), "--adapter", f"{job.name}={job.gguf('adapter')}"]
    fixed += ["--index", f"{job.name}={index}"] if job.grounded else []
    fixed += ["--data", str(job.data), "--originals", str(originals), "--out", str(job.bundle)]
    templates = available()[job.recipe].TEMPLATES
    kinds = [kind for kind in KINDS if kind in templates and kind != "rag"]
    defaults = ["--name", job.name, *(["--kind", kinds[0]] if kinds else [])]
    inputs = [job.out / "gguf", originals, *([index] if job.grounded else [])]
    inputs += [job.data / "prepared.json", job.data / "documents.jsonl"]
    # bundle.json and report.json are written again by the evaluation, so they are not what tells.
    outputs = [job.bundle / part for part in ("models", "adapters", "indexes", "originals")]
    return Step("bundle", "train.bundle", fixed, inputs, outputs, defaults)


def _evaluate(job: Job) -> Step:
    fixed = [
        str(job.bundle),
        "--data",
        f"{job.name}={job.data}",
        "--out",
        str(job.out / "evaluation"),
        "--add",
    ]
    inputs = [job.bundle / part for part in ("models", "adapters", "indexes")]
    inputs += [job.data / f"{split}.jsonl" for split in SPLITS]
    outputs = [job.out / "evaluation" / "evaluation.json", job.bundle / "bundle.json"]
    return Step("evaluate", "train.evaluate", fixed, inputs, outputs)


def _publish(job: Job, repo: str) -> Step:
    adapter = job.out / "sft" / "adapter"
    fixed = [str(job.bundle), "--repo", repo, "--adapter", f"{job.name}={adapter}"]
    return Step("publish", "train.publish", fixed, [job.bundle / "bundle.json", adapter], [])
