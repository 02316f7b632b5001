"""The card (README.md) of a folder that `python -m train prepare` wrote, in the form that the Hugging Face Hub reads."""

from __future__ import annotations

from typing import Any

import yaml

from train.split import SPLITS

_SIZES = (
    (10**3, "n<1K"),
    (10**4, "1K<n<10K"),
    (10**5, "10K<n<100K"),
    (10**6, "100K<n<1M"),
    (10**7, "1M<n<10M"),
)


def data_card(report: dict[str, Any], manifest: dict[str, Any]) -> str:
    """What the data is, how it was made and what to mind before sharing it, in Markdown under a YAML head."""
    number = sum(report["counts"]["examples"].values())
    head = {
        "language": ["es"],
        "task_categories": ["text-generation"],
        "size_categories": [next((name for most, name in _SIZES if number < most), "n>10M")],
        "configs": [
            {
                "config_name": "default",
                "data_files": [
                    {"split": split, "path": f"{split}.jsonl"}
                    for split in SPLITS
                    if report["counts"]["examples"][split]
                ],
            }
        ],
        "tags": ["orador", report["recipe"]],
    }
    source = _plain(report["source"])
    dates = f", from {report['dates'][0]} to {report['dates'][1]}" if report["dates"] else ""
    documents = sum(report["counts"]["documents"].values())
    lines = [
        "---",
        yaml.safe_dump(head, sort_keys=False, allow_unicode=True).rstrip(),
        "---",
        "",
        f"# {source}",
        "",
        f"{number:,} training examples out of {documents:,} documents of `{source}`{dates}, made by Orador's recipe "
        f"`{report['recipe']}` (version {manifest['recipe_version']}).",
        "",
        "| | " + " | ".join(SPLITS) + " |",
        "|---|---|---|---|",
    ]
    for name, by_split in report["counts"].items():
        lines.append(f"| {name} | " + " | ".join(f"{by_split[split]:,}" for split in SPLITS) + " |")
    lines += [*_fields(), *_making(report), *_mind()]
    return "\n".join(lines) + "\n"


def _fields() -> list[str]:
    return [
        "",
        "## An example",
        "",
        "One JSON object a line: `messages` (role and content; the last `answers` messages of the assistant are learnt), "
        "`values` of the prompt template, `document` and `title` it comes from, `derived` (values that no metadata gave), "
        "`part` of `parts`. `documents.jsonl` holds the clean documents.",
    ]


def _making(report: dict[str, Any]) -> list[str]:
    length = report["words_per_example"]
    return [
        "",
        "## How it was made",
        "",
        f"An example teaches {length['min']:,} to {length['max']:,} words, {length['median']:,} in the middle. Every document is in "
        "one split; exact duplicates were dropped, near-duplicates stay in one split, and a paragraph of 20 words or more is in "
        "one split only. What was kept, repaired and dropped, with samples: [report.md](report.md), as a page "
        "[report.html](report.html), as data [report.json](report.json). "
        f"SHA-256 of the files read: `{report['corpus_sha256']}`.",
    ]


def _mind() -> list[str]:
    return [
        "",
        "## Before you share it",
        "",
        "The texts keep the rights they had: name their source and licence here. They are people's words and may hold personal "
        "data that no rule found. A model trained on them can repeat them.",
    ]


def _plain(text: str) -> str:
    """A file's name where Markdown would read marks."""
    return " ".join(text.replace("`", "'").replace("<", "‹").replace("|", "/").split())
