"""Compares the models of a bundle on held-out texts of their authors, on the files and through the code that are served.

    python -m train evaluate BUNDLE --data charlas=runs/charlas --data chat=runs/chat --out runs/evaluation [--add]

NAME of `--data NAME=DIR` is a generator of the bundle and DIR the output of `prepare` that it was made from; another NAME is an
author that no generator speaks as, a control. Measured are the base, the adapter, both with passages of the index (never of
held-out documents), and the other adapters, as wrong authors: how well they predict held-out answers, and what they write. Of a
generator of questions the techniques are compared on held-out texts (train/evaluate_questions.py).
DIR of `--out` gets evaluation.json, report.html, plots (PNG) and the texts that were counted; `--add` puts the figures into the
bundle's report. `--samples 4 --limit 5` is quick.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from space.bundle import Bundle, Generator
from space.question_frames import Ask
from space.settings import Settings, available_cores
from space.studio import Studio
from train import generated, likelihood
from train.bundle import add_report
from train.card_figures import questions_table, table, texts_table
from train.chat_examples import read_prepared
from train.errors import BadOption
from train.evaluate_questions import compare
from train.evaluation_report import write_report
from train.held_out import BlindStudio, HeldOut, check_same_corpus, read_held_out
from train.judge import GgufJudge, Judge, NgramJudge
from train.scoring import Scorer

SAMPLES = 24
LISTS = 12
"""Texts that questions are asked about, at most: each gets two lists of each technique."""


@dataclass(frozen=True)
class Author:
    """One `--data`: whose texts they are, and the generator that speaks so, None for a control."""

    name: str
    folder: Path
    held_out: HeldOut
    generator: Generator | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path, metavar="BUNDLE")
    parser.add_argument("--data", action="append", required=True, metavar="NAME=DIR", help="from `prepare`")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write into")
    parser.add_argument("--samples", type=int, default=SAMPLES, help=f"texts a condition writes ({SAMPLES})")
    parser.add_argument("--limit", type=int, help="documents of each author, the first in their order (all)")
    parser.add_argument(
        "--judge", type=Path, metavar="F.gguf", help="third model (a 5-gram model of the training texts)"
    )
    parser.add_argument("--add", action="store_true", help="put the figures into the bundle's report")


def run(args: argparse.Namespace) -> None:
    """Evaluate and write. Raises BadOption, NothingToEvaluate, AnswerTooLong, BundlePartInvalid, or a BundleError."""
    for option in ("samples", "limit"):
        if (value := getattr(args, option)) is not None and value < 1:
            raise BadOption(option=f"--{option}", value=value, reason="1 or more")
    began, busy = time.monotonic(), time.process_time()
    bundle = Bundle.load(args.bundle)
    authors = [_author(bundle, name, path, args.limit) for name, path in _pairs(args.data)]
    args.out.mkdir(parents=True, exist_ok=True)
    threads = available_cores(os.environ)
    report: dict[str, Any] = {
        "bundle": bundle.name,
        "files": {
            file: bundle.files[file].sha256 for file in (bundle.base_file, *bundle.adapter_files.values())
        },
        "bootstrap": {"resamples": likelihood.RESAMPLES, "seed": likelihood.SEED, "over": "documents"},
        "sets": predictions(bundle, authors, threads),
        "texts": {
            author.name: texts(bundle, author, args, threads)
            for author in authors
            if author.generator and author.generator.kind in generated.KINDS
        },
        "questions": {
            author.name: found
            for author in authors
            if author.generator and author.generator.kind == "questions"
            if (found := asked(bundle, author, args.samples, threads))
        },
    }
    report["machine"] = {
        "threads": threads,
        "cpu_seconds": round(time.process_time() - busy, 1),
        "seconds": round(time.monotonic() - began, 1),
    }
    text = json.dumps(report, ensure_ascii=False, indent=1) + "\n"
    (args.out / "evaluation.json").write_text(text, "utf-8")
    if args.add:
        bundle = add_report(args.bundle, "evaluation", report)
    write_report(report, bundle, args.out)
    print("\n\n".join(filter(None, [table(report), texts_table(report), questions_table(report)])))
    print(
        f"\n{report['machine']['cpu_seconds']} s of CPU, {report['machine']['seconds']} s. {args.out}/report.html"
    )


def predictions(bundle: Bundle, authors: Iterable[Author], threads: int) -> dict[str, Any]:
    """How well each model predicts the held-out answers of each author."""
    scorer = Scorer(bundle.base, bundle.adapters, bundle.chat_template, bundle.context, threads)
    with closing(scorer):
        return {author.name: _predicted(bundle, author, scorer) for author in authors}


def _predicted(bundle: Bundle, author: Author, scorer: Scorer) -> dict[str, Any]:
    documents = author.held_out.documents
    conditions = likelihood.conditions(bundle, author.generator)
    result = author.held_out.to_json()
    prompts = None
    if author.generator and any(condition.rag for condition in conditions):
        studio = BlindStudio(bundle, Settings.from_env(), author.held_out.hidden)
        grounding = likelihood.Grounding(studio, author.generator)
        prompts = [grounding.prompts(document, scorer.fits) for document in documents]
        result["rag"] = grounding.found
    found = {c: likelihood.measure(scorer, documents, c, prompts) for c in conditions}
    return {**result, **likelihood.summarize(found)}


def texts(bundle: Bundle, author: Author, args: argparse.Namespace, threads: int) -> dict[str, Any]:
    """What the author's generator writes under each condition, counted beside the author's own texts."""
    assert author.generator is not None
    conditions = [c for c in likelihood.conditions(bundle, author.generator) if not c.control]
    adapters = {condition.name: condition.adapter for condition in conditions}
    tasks = generated.tasks(author.generator, author.held_out.documents)
    with closing(generated.Writers(bundle, author.generator, conditions, author.held_out.hidden)) as writers:
        found = generated.write_all(writers, conditions, tasks, args.samples)
    found = {generated.AUTHOR: generated.author_texts(author.generator, tasks), **found}
    (args.out / f"texts-{author.name}.md").write_text(generated.texts_markdown(found), "utf-8")
    with closing(_judge(bundle, author, args.judge, threads)) as judge:
        return {
            "prompts": len(tasks),
            "samples": args.samples,
            "seeds": [0, args.samples - 1],
            "asked_words": writers.asked,
            "judge": judge.name,
            "conditions": {
                name: generated.figures(written, judge) | {"adapter": adapters.get(name)}
                for name, written in found.items()
            },
        }


def asked(bundle: Bundle, author: Author, samples: int, threads: int) -> dict[str, Any]:
    """What the author's generator of questions asks about at most LISTS held-out texts by each technique."""
    assert author.generator is not None
    rows = [row for held in author.held_out.documents for row in held.conversations]
    contexts = list(dict.fromkeys(row["values"]["text"] for row in rows))
    studio = Studio(bundle, Settings(threads=threads, parallel=1))
    wanted = Ask("", 4, "both", seed=0, generator=author.generator.name)
    with closing(studio.engine()):  # type: ignore[type-var]  # always the engine of this process
        found = compare(studio, wanted, contexts, min(samples, LISTS))
    if not found:
        print(f"{author.name}: no held-out text is long enough to ask about and fits the context")
    return found


def _judge(bundle: Bundle, author: Author, path: Path | None, threads: int) -> Judge:
    if path is not None:
        return GgufJudge(path, bundle.context, threads)
    rows = read_prepared(author.folder).train
    answers = (m["content"] for row in rows for m in row["messages"] if m["role"] == "assistant")
    return NgramJudge(Scorer(bundle.base, {}, bundle.chat_template, 64, threads), answers)


def _author(bundle: Bundle, name: str, folder: Path, limit: int | None) -> Author:
    generator = next((g for g in bundle.generators if g.name == name), None)
    if generator:
        check_same_corpus(bundle, generator, folder)
    return Author(name, folder, read_held_out(folder, limit), generator)


def _pairs(given: Iterable[str]) -> Iterable[tuple[str, Path]]:
    for text in given:
        name, _, path = text.partition("=")
        if not path or not (Path(path) / "prepared.json").is_file():
            raise BadOption(option="--data", value=text, reason="give NAME=DIR, a folder made by `prepare`")
        yield name, Path(path)
