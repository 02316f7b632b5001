"""The losses of a run as loss.csv and loss.png, written while `python -m train sft` goes on."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

COLUMNS = {
    "step": "step",
    "epoch": "epoch",
    "loss": "train",
    "eval_loss": "validation",
    "learning_rate": "learning_rate",
}
"""Names in the trainer's log, and their columns in loss.csv. Losses are in nats per trained token."""


def write_csv(log: Sequence[dict[str, Any]], path: Path) -> None:
    """One row to each entry of the trainer's log that holds a loss."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS.values())
        for entry in log:
            if "loss" in entry or "eval_loss" in entry:
                writer.writerow(entry.get(name, "") for name in COLUMNS)


def write_plot(log: Sequence[dict[str, Any]], path: Path, title: str) -> None:
    """Training and validation loss by step."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for name, label, style in (("loss", "training", "-"), ("eval_loss", "validation", "o-")):
        points = [(entry["step"], entry[name]) for entry in log if name in entry]
        if points:
            axes.plot(*zip(*points, strict=True), style, label=label)
    axes.set(xlabel="step", ylabel="loss (nats per token)", title=title)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)
