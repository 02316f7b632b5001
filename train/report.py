"""The report of `python -m train prepare`: report.json, and report.md for a person with a minute."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from train.audit import shorten
from train.corpus import Corpus, Document
from train.recipes import Example
from train.split import SPLITS

_TITLES = {"kept": "Kept", "dropped": "Dropped", "repaired": "Repaired"}
_LABEL_ROWS = 40
_BINS = (0, 50, 100, 150, 200, 300, 400, 500, 600, 800, 1000, 2000)


def build(
    args: argparse.Namespace, corpus: Corpus, documents: Sequence[Document], examples: Sequence[Example]
) -> dict[str, Any]:
    """All figures of one preparation, as JSON values."""
    lengths = [len(example.learnt.split()) for example in examples]
    counts = {
        "documents": _by_split([document.split for document in documents]),
        "examples": _by_split([example.document.split for example in examples]),
        "words": {
            split: sum(n for n, e in zip(lengths, examples, strict=True) if e.document.split == split)
            for split in SPLITS
        },
    }
    dates = sorted(document.date for document in documents if document.date)
    return {
        "recipe": args.recipe,
        "source": corpus.source.name or str(corpus.source),
        "corpus_sha256": corpus.sha256,
        "counts": counts,
        "words_per_example": {**_quantiles(lengths), "histogram": _histogram(lengths)},
        "dates": [dates[0], dates[-1]] if dates else None,
        "derived": {
            name: sum(name in example.derived for example in examples) for name in ("topics", "field")
        },
        "samples": [
            {
                "prompt": example.template.render(example.history, **example.values)[-1]["content"],
                "answer": shorten(example.answer, 300),
                "document": example.document.id,
            }
            for example in _spread(examples, 4)
        ],
        **corpus.audit.to_json(),
    }


def to_markdown(report: dict[str, Any]) -> str:
    """The report as Markdown."""
    lines = [f"# Corpus `{report['source']}`, recipe `{report['recipe']}`", ""]
    lines += ["| | train | validation | test | all |", "|---|---|---|---|---|"]
    for name, by_split in report["counts"].items():
        values = [by_split[split] for split in SPLITS]
        lines.append(f"| {name} | " + " | ".join(f"{value:,}" for value in [*values, sum(values)]) + " |")
    length = report["words_per_example"]
    lines += [
        "",
        f"Words per example: least {length['min']}, median {length['median']}, most {length['max']}.",
    ]
    if report["dates"]:
        lines.append(f"Dates: {report['dates'][0]} to {report['dates'][1]}.")
    lines.append(
        "Derived, not from metadata: "
        + ", ".join(f"{name} of {n} examples" for name, n in report["derived"].items())
        + "."
    )
    lines += ["", "```", *_bars(length["histogram"]), "```"]
    for kind, title in _TITLES.items():
        lines += _reasons(title, report.get(kind, []))
    if report["skipped_files"]:
        lines += ["", "## Files left out", ""]
        lines += [f"- `{_cell(row['file'])}`: {_cell(row['reason'])}" for row in report["skipped_files"]]
    if report["tables"].get("labels"):
        lines += _labels(report["tables"]["labels"])
    for name, rows in report["tables"].items():
        if rows and name != "labels":
            lines += _table(name, rows)
    lines += ["", "## Examples", ""]
    for sample in report["samples"]:
        lines += [
            f"**{_cell(sample['prompt'])}** (`{_cell(sample['document'])}`)",
            "",
            f"> {_cell(sample['answer'])}",
            "",
        ]
    return "\n".join(lines).rstrip() + "\n"


def _reasons(title: str, rows: list[dict[str, Any]]) -> list[str]:
    if not rows:
        return []
    lines = ["", f"## {title}", "", "| what | how many | for example |", "|---|---|---|"]
    for row in rows:
        samples = " · ".join(_cell(shorten(sample, 90)) for sample in row["samples"][:3])
        lines.append(f"| {_cell(row['reason'])} | {row['count']:,} | {samples} |")
    return lines


def _labels(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        "",
        "## Speaker labels",
        "",
        "`exact` and `variant` were taken; `similar` were not: name them with --alias if they are the person.",
        "",
    ]
    lines += ["| label | match | turns | words | documents |", "|---|---|---|---|---|"]
    for row in rows[:_LABEL_ROWS]:
        lines.append(
            f"| {_cell(row['label'])} | {row['match']} | {row['turns']:,} | {row['words']:,} | {row['documents']:,} |"
        )
    if len(rows) > _LABEL_ROWS:
        lines.append(f"\n{len(rows) - _LABEL_ROWS} more labels in report.json.")
    return lines


def _table(name: str, rows: list[dict[str, Any]]) -> list[str]:
    """Any other table of a recipe; its columns are the keys of the first row."""
    lines = [
        "",
        f"## {name.capitalize()}",
        "",
        "| " + " | ".join(rows[0]) + " |",
        "|" + "---|" * len(rows[0]),
    ]
    lines += ["| " + " | ".join(_cell(value) for value in row.values()) + " |" for row in rows[:_LABEL_ROWS]]
    if len(rows) > _LABEL_ROWS:
        lines.append(f"\n{len(rows) - _LABEL_ROWS} more rows in report.json.")
    return lines


def _by_split(splits: list[str]) -> dict[str, int]:
    return {split: splits.count(split) for split in SPLITS}


def _quantiles(lengths: list[int]) -> dict[str, int]:
    ordered = sorted(lengths)
    return {"min": ordered[0], "median": ordered[len(ordered) // 2], "max": ordered[-1]}


def _histogram(lengths: list[int]) -> list[list[int]]:
    """[from, below or -1 for no limit, examples] for each bin that has examples or lies between such."""
    rows = [
        [low, high, sum(low <= n and (high < 0 or n < high) for n in lengths)]
        for low, high in zip(_BINS, [*_BINS[1:], -1], strict=True)
    ]
    filled = [i for i, row in enumerate(rows) if row[2]]
    return rows[filled[0] : filled[-1] + 1]


def _bars(histogram: list[list[int]]) -> list[str]:
    most = max(row[2] for row in histogram)
    return [
        f"{f'{low}–{high - 1}' if high > 0 else f'{low}+':>10} words {'█' * -(-40 * n // most)} {n:,}"
        for low, high, n in histogram
    ]


def _spread(examples: Sequence[Example], number: int) -> list[Example]:
    step = max(1, len(examples) // number)
    return list(examples[::step][:number])


def _cell(text: object) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;").replace("`", "'")
