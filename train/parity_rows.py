"""The result of the parity gate: rows, their tolerances, the table, and who may go on without it.

`python -m train export` writes the record into export.json and the table into PARITY.md; `python -m train bundle` carries the
record in report.json, and `python -m train publish` asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from space.bundle import Bundle
from train.errors import ParityFailed, ParityMissing
from train.lineage import export_record, read_json

LOSS = {
    "F32": 0.005, "F16": 0.005, "BF16": 0.01, "Q8_0": 0.01, "Q6_K": 0.015, "Q5_K_M": 0.025, "Q4_K_M": 0.04, "Q4_0": 0.06,
}  # fmt: skip
"""How far the negative log-likelihood a token may be from that of training, as a share of it."""
LOSS_FLOOR = 0.002
"""In nats a token: a model that predicts its examples almost surely is not held to a share of next to nothing."""
END = {
    "F32": 0.02, "F16": 0.02, "BF16": 0.05, "Q8_0": 0.2, "Q6_K": 0.2, "Q5_K_M": 0.5, "Q4_K_M": 0.5, "Q4_0": 0.6,
}  # fmt: skip
"""How far the mean log-probability of the end token may be from that of training, in nats."""
SURPRISE = 0.02
"""Mean absolute difference of the log-probability of a token in a 16- or 32-bit file, in nats."""
UNQUANTIZED = ("F32", "F16", "BF16")
GREEDY_TOKENS, GREEDY_PROMPTS = 24, 4
TIE = 0.05
"""In nats: of two tokens that training holds for this near, either is the most probable one."""


@dataclass(frozen=True)
class Row:
    """One check of one thing, as texts to read; `limit` is what was allowed."""

    what: str
    check: str
    expected: str
    found: str
    limit: str
    passed: bool

    @property
    def name(self) -> str:
        return f"{self.what}: {self.check}"


def record(rows: Iterable[Row], files: dict[str, str], about: dict[str, Any]) -> dict[str, Any]:
    """What export.json has under "parity": `files` maps the checked files to their SHA-256."""
    rows = list(rows)
    passed = all(row.passed for row in rows)
    return {"format": 1, "passed": passed, **about, "files": files, "rows": [asdict(row) for row in rows]}


def failures(parity: dict[str, Any]) -> list[str]:
    """The names of the rows that failed."""
    return [Row(**row).name for row in parity["rows"] if not row["passed"]]


def table(parity: dict[str, Any]) -> str:
    """The record as Markdown: what it rests on, and a line for each row."""
    examples = parity["examples"]
    lines = [
        f"{'All rows passed.' if parity['passed'] else 'FAILED: ' + '; '.join(failures(parity)) + '.'} "
        f"Reference: transformers in {parity['dtype']}, {examples['tokens']} answer tokens of {examples['number']} "
        f"conversations ({examples['source']}), and {examples['stress']} stress texts.",
        "",
        "| what | check | training | GGUF | allowed | |",
        "|---|---|---|---|---|---|",
    ]
    for row in parity["rows"]:
        cells = (row["what"], row["check"], row["expected"], row["found"], row["limit"])
        lines.append(f"| {' | '.join(map(_cell, cells))} | {'✓' if row['passed'] else '✗ FAILED'} |")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def require_passed(parity: dict[str, Any], path: object) -> None:
    """Raises ParityFailed, naming the rows."""
    if not parity["passed"]:
        raise ParityFailed(path=path, rows="; ".join(failures(parity)))


def parity_report(name: str, base: Path, adapter: Path | None, failed_too: bool) -> dict[str, Any]:
    """The records in the export.json beside the GGUFs of the generator or adapter `name`, as a part of a bundle's report.

    Raises ParityFailed, unless `failed_too`, and BundlePartInvalid for a file that its export.json does not describe.
    """
    records: dict[str, Any] = {}
    for key, path in ((name, adapter), ("base", base)):
        if path is None or not (path.parent / "export.json").is_file():
            continue
        parity = export_record(path).get("parity")
        if parity and not any(path.name in known["files"] for known in records.values()):
            if not failed_too:
                require_passed(parity, path.parent)
            records[key] = parity
    return {"parity": records} if records else {}


def require_parity(bundle: Bundle) -> None:
    """Raises ParityFailed for a failed record in the bundle's report, ParityMissing for a GGUF that no record covers: a base
    with each of its adapters."""
    report = read_json(bundle.folder / bundle.report) if bundle.report else {}
    records = report.get("parity", {}).values()
    for parity in records:
        require_passed(parity, bundle.name)
    checked = [set(parity["files"].values()) for parity in records]
    sha256 = {file: entry.sha256 for file, entry in bundle.files.items()}
    wanted = [{bundle.base_file, adapter} for adapter in bundle.adapter_files.values()] or [
        {bundle.base_file}
    ]
    for files in wanted:
        if not any({sha256[file] for file in files} <= known for known in checked):
            raise ParityMissing(path=bundle.name, files=", ".join(sorted(files)))
