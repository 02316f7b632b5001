"""Turns a corpus into training examples: `python -m train prepare RECIPE SOURCE --out DIR [--skip-bad] [--seed 0]`.

Writes train.jsonl, validation.jsonl, test.jsonl, documents.jsonl, report.json, report.md and, last, prepared.json into a
folder beside DIR that then takes DIR's name: DIR is complete or as it was before.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from train.audit import Audit
from train.corpus import Corpus, Document
from train.errors import NothingLeft, OutputNotOurs
from train.recipes import Example, Recipe, available
from train.report import build, to_markdown
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
_SHARED_OPTIONS = ("command", "recipe", "source", "out", "force")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One sub-command a recipe, with the recipe's own options."""
    recipes = parser.add_subparsers(dest="recipe", required=True, metavar="RECIPE")
    for name, recipe in available().items():
        summary = (recipe.__doc__ or "").splitlines()[0]
        command = recipes.add_parser(name, help=summary, description=summary)
        command.add_argument(
            "source", type=Path, help="a folder, or a .txt, .md, .csv, .tsv, .jsonl or .json file"
        )
        command.add_argument("--out", type=Path, required=True, help="folder to write")
        command.add_argument(
            "--skip-bad",
            action="store_true",
            help="leave bad files out, listed in the report, instead of stopping",
        )
        command.add_argument("--seed", type=int, default=0, help="of the split")
        command.add_argument(
            "--force", action="store_true", help="replace --out even if it is not an earlier output"
        )
        recipe.add_arguments(command)


def run(args: argparse.Namespace) -> None:
    """Prepares and writes. Raises the errors of train/errors.py that reading, the recipe and writing have."""
    _check_output(args.out, args.force)
    recipe = available()[args.recipe]
    audit = Audit()
    corpus = Corpus(args.source, audit, args.skip_bad)
    documents, examples = prepare(recipe, corpus, args)
    report = build(args, corpus, documents, examples)
    manifest = {
        "format": FORMAT,
        "recipe": args.recipe,
        "recipe_version": recipe.VERSION,
        "corpus_sha256": corpus.sha256,
        "templates": {name: template.to_json() for name, template in recipe.TEMPLATES.items()},
        "counts": report["counts"],
        "options": {key: value for key, value in vars(args).items() if key not in _SHARED_OPTIONS},
    }
    contents = {
        f"{split}.jsonl": _lines(e.to_json() for e in examples if e.document.split == split)
        for split in SPLITS
    }
    contents["documents.jsonl"] = _lines(map(_document_json, documents))
    contents["report.json"] = json.dumps(report, ensure_ascii=False, indent=1) + "\n"
    contents["report.md"] = to_markdown(report)
    contents[MANIFEST] = json.dumps(manifest, ensure_ascii=False, indent=1) + "\n"
    write_atomically(args.out, contents)
    sizes = ", ".join(f"{split} {report['counts']['examples'][split]}" for split in SPLITS)
    print(
        f"{args.out}: {len(documents)} documents, examples: {sizes}. What was kept and dropped: {args.out / 'report.md'}"
    )


def prepare(recipe: Recipe, corpus: Corpus, args: argparse.Namespace) -> tuple[list[Document], list[Example]]:
    """The clean documents with their split, and the examples. Raises NothingLeft when there are none."""
    audit = corpus.audit
    documents = drop_exact_duplicates(drop_repeated_paragraphs(recipe.documents(corpus, args), audit), audit)
    groups = group_near_duplicates(documents)
    if getattr(recipe, "IN_ORDER", False):
        documents = assign_latest(documents, groups, audit)
    else:
        for group in groups.near_duplicates:
            ids = " ~ ".join(documents[index].id for index in group)
            audit.kept("near-duplicate documents, together in one split", ids, len(group))
        assign(documents, groups, args.seed)
    examples = recipe.examples(drop_shared_paragraphs(documents, audit), args, audit)
    if not examples:
        hint = (
            "Look at the reasons; without --speaker, texts that have no labels are all taken."
            if "speaker" in args
            else "Look at the reasons."
        )
        raise NothingLeft(path=corpus.source, dropped=audit.summary("dropped"), hint=hint)
    return documents, examples


def write_atomically(out: Path, contents: dict[str, str]) -> None:
    """Writes the files, in order, to a new folder beside `out`, which then replaces it."""
    out = out.absolute()
    out.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        for name, text in contents.items():
            (new / name).write_text(text, encoding="utf-8")
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


def _check_output(out: Path, force: bool) -> None:
    if out.is_file():
        raise OutputNotOurs(path=out)
    if out.is_dir() and any(out.iterdir()) and not (out / MANIFEST).is_file() and not force:
        raise OutputNotOurs(path=out)


def _lines(rows: Iterable[dict[str, object]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


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
