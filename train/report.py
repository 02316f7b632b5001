"""The report of `python -m train prepare`: report.json, and report.md for a person with a minute."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from train.audit import shorten
from train.corpus import Corpus, Document
from train.example_files import ExampleFiles
from train.split import SPLITS

_TITLES = {"kept": "Kept", "dropped": "Dropped", "repaired": "Repaired"}
_LABEL_ROWS = 40
_RANKED = 40  # topics and speakers in the report
_EVEN = (5, 10, 20, 25, 50, 100, 200, 500)  # words
_MOST_BINS = 24
_BINS = (0, 50, 100, 150, 200, 300, 400, 500, 600, 800, 1000, 2000)


def build(
    args: argparse.Namespace, corpus: Corpus, documents: Sequence[Document], examples: ExampleFiles
) -> dict[str, Any]:
    """All figures of one preparation, as JSON values."""
    by_split = Counter(examples.splits)
    words = Counter[int]()
    for split, length in zip(examples.splits, examples.words, strict=True):
        words[split] += length
    counts = {
        "documents": _by_split(Counter(SPLITS.index(document.split) for document in documents)),
        "examples": _by_split(by_split),
        "words": _by_split(words),
    }
    speakers = Counter(document.speaker for document in documents if document.speaker)
    dates = sorted(document.date for document in documents if document.date)
    return {
        "recipe": args.recipe,
        "source": corpus.source.name or str(corpus.source),
        "corpus_sha256": corpus.sha256,
        "counts": counts,
        "words_per_example": {
            **_quantiles(examples.words),
            "histogram": _histogram(examples.words),
            "bins": _even_bins(examples.words),
        },
        "dates": [dates[0], dates[-1]] if dates else None,
        "documents_by_month": sorted(Counter(date[:7] for date in dates).items()),
        "speakers": {"number": len(speakers), "most": speakers.most_common(_RANKED)},
        "topics": examples.topics.most_common(_RANKED),
        "derived": {name: examples.derived[name] for name in ("topics", "field")},
        "samples": [_sample(examples.read(number)) for number in _spread(len(examples.splits), 4)],
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


def _sample(row: dict[str, Any]) -> dict[str, str]:
    prompt, answer = row["messages"][-2:]
    return {
        "prompt": prompt["content"],
        "answer": shorten(answer["content"], 300),
        "document": row["document"],
    }


def _by_split(counts: Mapping[int, int]) -> dict[str, int]:
    return {split: counts[number] for number, split in enumerate(SPLITS)}


def _quantiles(lengths: Sequence[int]) -> dict[str, int]:
    ordered = sorted(lengths)
    return {"min": ordered[0], "median": ordered[len(ordered) // 2], "max": ordered[-1]}


def _histogram(lengths: Sequence[int]) -> list[list[int]]:
    """[from, below or -1 for no limit, examples] for each bin that has examples or lies between such."""
    rows = [
        [low, high, sum(low <= n and (high < 0 or n < high) for n in lengths)]
        for low, high in zip(_BINS, [*_BINS[1:], -1], strict=True)
    ]
    filled = [i for i, row in enumerate(rows) if row[2]]
    return rows[filled[0] : filled[-1] + 1]


def _even_bins(lengths: Sequence[int]) -> list[list[int]]:
    """[from, below, examples] of the finest even bins that are not too many; the last holds all that is longer."""
    ordered = sorted(lengths)
    low, high = ordered[0], ordered[int(len(ordered) * 0.995)]
    width = next((step for step in _EVEN if (high - low) // step < _MOST_BINS), 1000)
    start, count = low // width, high // width - low // width + 1
    numbers = Counter(min(length // width - start, count - 1) for length in lengths)
    return [[(start + i) * width, (start + i + 1) * width, numbers[i]] for i in range(count)]


def _bars(histogram: list[list[int]]) -> list[str]:
    most = max(row[2] for row in histogram)
    return [
        f"{f'{low}–{high - 1}' if high > 0 else f'{low}+':>10} words {'█' * -(-40 * n // most)} {n:,}"
        for low, high, n in histogram
    ]


def _spread(size: int, number: int) -> range:
    return range(size)[:: max(1, size // number)][:number]


def _cell(text: object) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;").replace("`", "'")
