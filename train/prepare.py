"""Turns a corpus into training examples: `python -m train prepare RECIPE SOURCE --out DIR [--skip-bad] [--seed 0]`.

Writes train.jsonl, validation.jsonl, test.jsonl, documents.jsonl, report.json, report.md, report.html, README.md (a data
card) and, last, prepared.json into a folder beside DIR that then takes DIR's name: DIR is complete or as it was before.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from train import sampling
from train.audit import Audit
from train.corpus import Corpus, Document
from train.data_card import data_card
from train.errors import BadOption, NothingLeft, OutputNotOurs
from train.example_files import ExampleFiles
from train.processes import Processes
from train.recipes import Example, Recipe, available
from train.report import build, to_markdown
from train.report_html import to_html
from train.split import (
    SPLITS,
    assign,
    assign_latest,
    drop_exact_duplicates,
    drop_repeated_paragraphs,
    drop_shared_paragraphs,
    group_near_duplicates,
)

FORMAT = 1
MANIFEST = "prepared.json"
_SHARED_OPTIONS = ("command", "recipe", "source", "out", "force", "processes")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One sub-command a recipe, with the recipe's own options."""
    recipes = parser.add_subparsers(dest="recipe", required=True, metavar="RECIPE")
    for name, recipe in available().items():
        summary = (recipe.__doc__ or "").splitlines()[0]
        command = recipes.add_parser(name, help=summary, description=summary)
        command.add_argument("source", type=Path, help="a folder or one file, of the kinds in docs/corpus.md")
        command.add_argument("--out", type=Path, required=True, help="folder to write")
        command.add_argument(
            "--skip-bad",
            action="store_true",
            help="leave bad files out, listed in the report, instead of stopping",
        )
        command.add_argument("--seed", type=int, default=0, help="of the split and of --share")
        command.add_argument(
            "--force", action="store_true", help="replace --out even if it is not an earlier output"
        )
        sampling.add_arguments(command)
        command.add_argument(
            "--processes",
            type=int,
            help="how many work at once (as many as cores once a second is not enough); the output is the same",
        )
        recipe.add_arguments(command)


def run(args: argparse.Namespace) -> None:
    """Prepares and writes. Raises the errors of train/errors.py that reading, the recipe and writing have."""
    _check_output(args.out, args.force)
    if args.processes is not None and args.processes < 1:
        raise BadOption(option="--processes", value=args.processes, reason="give 1 or more")
    sampling.check(args)
    recipe = available()[args.recipe]
    corpus = Corpus(args.source, Audit(), args.skip_bad, Processes(args.processes))
    documents, examples = prepare(recipe, corpus, args)
    with replacing(args.out) as folder:
        with ExampleFiles(folder) as written:
            for example in examples:
                written.add(example)
        if not written.splits:
            raise _nothing_left(corpus, args)
        report = build(args, corpus, documents, written)
        manifest = {
            "format": FORMAT,
            "recipe": args.recipe,
            "recipe_version": recipe.VERSION,
            "corpus_sha256": corpus.sha256,
            "templates": {name: template.to_json() for name, template in recipe.TEMPLATES.items()},
            "counts": report["counts"],
            "options": {key: value for key, value in vars(args).items() if key not in _SHARED_OPTIONS},
        }
        with (folder / "documents.jsonl").open("w", encoding="utf-8") as file:
            for document in documents:
                file.write(json.dumps(_document_json(document), ensure_ascii=False) + "\n")
        for name, text in (
            ("report.json", json.dumps(report, ensure_ascii=False, indent=1) + "\n"),
            ("report.md", to_markdown(report)),
            ("report.html", to_html(report)),
            ("README.md", data_card(report, manifest)),
            (MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1) + "\n"),
        ):
            (folder / name).write_text(text, encoding="utf-8")
    sizes = ", ".join(f"{split} {report['counts']['examples'][split]}" for split in SPLITS)
    print(
        f"{args.out}: {len(documents)} documents, examples: {sizes}. "
        f"What was kept and dropped: {args.out / 'report.md'}, or in a browser report.html"
    )


def prepare(
    recipe: Recipe, corpus: Corpus, args: argparse.Namespace
) -> tuple[list[Document], Iterable[Example]]:
    """The clean documents with their split, and the examples, to be read once."""
    audit, processes = corpus.audit, Processes(args.processes)
    documents = sampling.sample(recipe.documents(corpus, args), args.share, args.seed, audit)
    documents = drop_repeated_paragraphs(documents, audit, processes)
    documents = drop_exact_duplicates(documents, audit, processes)
    groups = group_near_duplicates(documents, processes)
    if getattr(recipe, "IN_ORDER", False):
        documents = assign_latest(documents, groups, audit)
    else:
        for group in groups.near_duplicates:
            ids = " ~ ".join(documents[index].id for index in group)
            audit.kept("near-duplicate documents, together in one split", ids, len(group))
        assign(documents, groups, args.seed)
    return documents, recipe.examples(drop_shared_paragraphs(documents, audit, processes), args, audit)


@contextmanager
def replacing(out: Path) -> Iterator[Path]:
    """A new folder beside `out`, which takes its place when all went well and is gone when it did not."""
    out = out.absolute()
    out.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        yield new
        new.chmod(0o755)
        if out.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{out.name}.old.", dir=out.parent))
            out.rename(old / out.name)
            new.rename(out)
            shutil.rmtree(old)
        else:
            new.rename(out)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _nothing_left(corpus: Corpus, args: argparse.Namespace) -> NothingLeft:
    hint = (
        "Look at the reasons; without --speaker, texts that have no labels are all taken."
        if "speaker" in args
        else "Look at the reasons."
    )
    return NothingLeft(path=corpus.source, dropped=corpus.audit.summary("dropped"), hint=hint)


def _check_output(out: Path, force: bool) -> None:
    if out.is_file():
        raise OutputNotOurs(path=out)
    if out.is_dir() and any(out.iterdir()) and not (out / MANIFEST).is_file() and not force:
        raise OutputNotOurs(path=out)


def _document_json(document: Document) -> dict[str, object]:
    return {
        "id": document.id,
        "title": document.title,
        "text": document.text,
        "source": document.source,
        "date": document.date,
        "speaker": document.speaker,
        "topics": document.topics,
        "split": document.split,
    }
