"""Counts of what was kept, repaired and dropped, with samples: the material of `python -m train prepare`'s report."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

SAMPLES = 5
_SAMPLE_CHARS = 200


class Audit:
    """Collects events by kind and reason, and free tables; nothing is dropped without one."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = defaultdict(Counter)
        self.samples: dict[tuple[str, str], list[str]] = defaultdict(list)
        self.files: list[dict[str, str]] = []
        self.tables: dict[str, list[dict[str, Any]]] = {}

    def count(self, kind: str, reason: str, number: int = 1, sample: str = "") -> None:
        """Adds `number` events; `kind` is "kept", "dropped" or "repaired". The first few samples are kept."""
        if number <= 0:
            return
        self.counts[kind][reason] += number
        self._sample(kind, reason, sample)

    def dropped(self, reason: str, sample: str = "", number: int = 1) -> None:
        self.count("dropped", reason, number, sample)

    def repaired(self, reason: str, sample: str = "", number: int = 1) -> None:
        self.count("repaired", reason, number, sample)

    def kept(self, reason: str, sample: str = "", number: int = 1) -> None:
        self.count("kept", reason, number, sample)

    def skipped_file(self, path: str, reason: str) -> None:
        """A file left out; all of them are listed in the report, not only samples."""
        self.files.append({"file": path, "reason": reason})
        self.dropped(f"files: {reason}", path)

    def add(self, later: Audit) -> None:
        """Adds what another audit collected after this one, as if it had been counted here; its tables apart."""
        for kind, counter in later.counts.items():
            for reason, number in counter.items():
                self.count(kind, reason, number)
                for sample in later.samples.get((kind, reason), ()):
                    self._sample(kind, reason, sample)
        self.files.extend(later.files)

    def summary(self, kind: str) -> str:
        """The counts of a kind in one line, most frequent first."""
        return (
            "; ".join(f"{reason} {number}" for reason, number in self.counts[kind].most_common()) or "nothing"
        )

    def _sample(self, kind: str, reason: str, sample: str) -> None:
        samples = self.samples[kind, reason]
        if sample and len(samples) < SAMPLES and (shown := shorten(sample)) not in samples:
            samples.append(shown)

    def to_json(self) -> dict[str, Any]:
        return {
            kind: [
                {"reason": reason, "count": number, "samples": self.samples[kind, reason]}
                for reason, number in counter.most_common()
            ]
            for kind, counter in self.counts.items()
        } | {"skipped_files": self.files, "tables": self.tables}


def shorten(text: str, limit: int = _SAMPLE_CHARS) -> str:
    """One line of at most `limit` characters, with … where it was cut."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
