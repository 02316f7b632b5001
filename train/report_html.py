"""report.html of `python -m train prepare`: the figures of report.json as one page without anything from elsewhere.

Light or dark as the reader's system; every text of the corpus is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from train.audit import shorten
from train.charts import Column, columns, share_bar
from train.split import SPLITS

_ROWS = 12  # of a list that is shown at once
_MORE = 200  # of a list that is folded away
_YEARS = 90  # months above which dates are shown by year
_FATES = {"exact": "taken", "variant": "taken as a variant", "all": "taken", "similar": "not taken: similar"}
_LABELS = 8  # of each kind that are shown at once
_KINDS = (
    ("dropped", "What was left out", "Nothing is left out silently: each reason with its first samples."),
    ("repaired", "What was repaired", ""),
    ("kept", "What was kept", ""),
)


def to_html(report: dict[str, Any]) -> str:
    """The whole page."""
    title = f"{report['source']} · {report['recipe']}"
    style = (Path(__file__).parent / "report.css").read_text(encoding="utf-8")
    body = [
        _head(report),
        _splits(report["counts"]),
        _pair(_lengths(report), _dates(report)),
        _topics(report),
        _labels(report["tables"].get("labels") or []),
        _speakers(report["speakers"]),
        *(_reasons(heading, note, report.get(kind) or []) for kind, heading, note in _KINDS),
        _files(report["skipped_files"]),
        *(_table(name, rows) for name, rows in report["tables"].items() if rows and name != "labels"),
        _examples(report["samples"]),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style></head>\n<body><main>\n"
        + "\n".join(filter(None, body))
        + f"\n<footer>All figures are in report.json. SHA-256 of the corpus: <code>{escape(report['corpus_sha256'])}</code>"
        "</footer>\n</main></body></html>\n"
    )


def _head(report: dict[str, Any]) -> str:
    totals = {name: sum(by_split.values()) for name, by_split in report["counts"].items()}
    median = report["words_per_example"]["median"]
    tiles = [*totals.items(), ("words in the middle example", median)]
    labels = report["tables"].get("labels") or []
    if labels:
        tiles.append(("speaker labels", len(labels)))
    dates = f" from {report['dates'][0]} to {report['dates'][1]}" if report["dates"] else ""
    derived = [f"{name} of {n:,}" for name, n in report["derived"].items() if n]
    note = f"; derived, not from metadata: {' and '.join(derived)} examples" if derived else ""
    cells = "".join(
        f"<div><b>{value:,}</b><span class='soft'>{escape(name)}</span></div>" for name, value in tiles
    )
    return (
        f"<h1>{escape(report['source'])} <span class='chip'>{escape(report['recipe'])}</span></h1>"
        f"<p class='lead'>{totals['documents']:,} documents{dates}{escape(note)}.</p>"
        f"<div class='tiles'>{cells}</div>"
    )


def _splits(counts: dict[str, dict[str, int]]) -> str:
    examples = counts["examples"]
    keys = "".join(
        f"<span class='key key{place}'>{split}: {examples[split]:,} examples of {counts['documents'][split]:,} "
        f"documents, {counts['words'][split]:,} words</span>"
        for place, split in enumerate(SPLITS)
    )
    bar = share_bar([(split, examples[split]) for split in SPLITS], "examples by split")
    return _section("Train, validation, test", bar + keys)


def _pair(*sections: str) -> str:
    return f"<div class='grid2'>{''.join(sections)}</div>"


def _lengths(report: dict[str, Any]) -> str:
    length = report["words_per_example"]
    data = [
        Column(n, str(low), f"{low} to {high - 1} words: {n:,} examples") for low, high, n in length["bins"]
    ]
    note = f"Least {length['min']:,}, median {length['median']:,}, most {length['max']:,} words."
    return _section(
        "Length of the examples, in words", columns(data, "examples by length") + f"<small>{note}</small>"
    )


def _dates(report: dict[str, Any]) -> str:
    by_month = dict(report["documents_by_month"])
    documents = sum(report["counts"]["documents"].values())
    if not by_month:
        return _section("Dates", "<p class='soft'>No document says its date.</p>")
    months = _months(min(by_month), max(by_month))
    if len(months) > _YEARS:
        years = {month[:4]: 0 for month in months}
        for month, number in by_month.items():
            years[month[:4]] += number
        data = [Column(n, year, f"{year}: {n:,} documents") for year, n in years.items()]
    else:
        data = [
            Column(by_month.get(m, 0), m[:4] if m.endswith("-01") else "", f"{m}: {by_month.get(m, 0):,}")
            for m in months
        ]
        if not any(column.label for column in data):
            data = [Column(column.value, m, column.hint) for column, m in zip(data, months, strict=True)]
    missing = documents - sum(by_month.values())
    note = f"{missing:,} documents say no date." if missing else "Every document says its date."
    return _section("Documents over time", columns(data, "documents over time") + f"<small>{note}</small>")


def _months(first: str, last: str) -> list[str]:
    """Every month from the first to the last, as YYYY-MM."""
    start, end = (int(month[:4]) * 12 + int(month[5:7]) - 1 for month in (first, last))
    return [f"{number // 12:04}-{number % 12 + 1:02}" for number in range(start, end + 1)]


def _topics(report: dict[str, Any]) -> str:
    topics = report["topics"]
    if not topics:
        return ""
    most = topics[0][1]
    halves = [topics[:_ROWS], topics[_ROWS : 2 * _ROWS]]
    tables = [
        "<table>" + "".join(_row([escape(name)], n, most, "taken") for name, n in half) + "</table>"
        for half in halves
        if half
    ]
    return _section(
        "Topics, by examples that have them",
        _pair(*(f"<div class='scroll'>{table}</div>" for table in tables)),
    )


def _labels(rows: list[dict[str, Any]]) -> str:
    """Who spoke, what was taken, and what might have been."""
    if not rows:
        return ""
    most = max(row["words"] for row in rows)
    groups: dict[str, list[dict[str, Any]]] = {"taken": [], "similar": [], "other": []}
    for row in rows:
        groups["taken" if row["match"] in ("exact", "variant", "all") else row["match"]].append(row)
    legend = "".join(
        f"<span class='key key{place}'>{name}: {len(group):,} labels, {sum(r['turns'] for r in group):,} turns, "
        f"{sum(r['words'] for r in group):,} words</span>"
        for place, name, group in (
            (0, "taken as the person", groups["taken"]),
            (1, "similar, not taken", groups["similar"]),
            (3, "others and unlabelled", groups["other"]),
        )
    )
    shown = [row for group in groups.values() for row in group[:_LABELS]]
    rest = [row for group in groups.values() for row in group[_LABELS:]]
    hint = (
        "<p class='soft'>Labels that are <b>similar</b> were not taken: name one with --alias if it is the person.</p>"
        if groups["similar"]
        else ""
    )
    return _section(
        "Who speaks",
        f"<p>{legend}</p>{hint}{_label_table(shown, most)}{_folded(_label_table(rest[:_MORE], most), rest)}",
    )


def _label_table(rows: list[dict[str, Any]], most: int) -> str:
    lines = []
    for row in rows:
        kind = row["match"] if row["match"] in ("similar", "other") else "taken"
        name = escape("no label" if row["label"] == "???" else row["label"])
        sample = f"<q>{escape(row['sample'])}</q>" if row.get("sample") else ""
        cells = [name + sample]
        fate = _FATES.get(row["match"], "left out")
        numbers = f"<td class='fate'>{fate}</td>" + "".join(
            f"<td class='n'>{row[key]:,}</td>" for key in ("turns", "documents")
        )
        lines.append(_row(cells, row["words"], most, kind, numbers))
    head = "<tr><th>label, and how its first turn begins</th><th></th><th class='n'>turns</th><th class='n'>documents</th><th class='n'>words</th><th></th></tr>"
    return f"<div class='scroll'><table>{head}{''.join(lines)}</table></div>"


def _speakers(speakers: dict[str, Any]) -> str:
    """Whose texts they are, where they are several people's."""
    number, most = speakers["number"], speakers["most"]
    if number < 2:
        return ""
    lines = [_row([escape(name)], n, most[0][1], "taken") for name, n in most[:_ROWS]]
    more = f"<small>{number - _ROWS:,} more.</small>" if number > _ROWS else ""
    return _section(f"{number:,} speakers, by documents", f"<table>{''.join(lines)}</table>{more}")


def _reasons(heading: str, note: str, rows: list[dict[str, Any]]) -> str:
    if not rows:
        return ""
    most = max(row["count"] for row in rows)
    lines = []
    for row in rows:
        samples = "".join(f"<q>{escape(shorten(sample, 150))}</q>" for sample in row["samples"][:3])
        lines.append(_row([escape(row["reason"]) + samples], row["count"], most, "taken"))
    return _section(
        heading, (f"<p class='soft'>{note}</p>" if note else "") + f"<table>{''.join(lines)}</table>"
    )


def _files(rows: list[dict[str, str]]) -> str:
    if not rows:
        return ""
    return _section(
        "Files left out", _plain_table(rows[:_ROWS]) + _folded(_plain_table(rows[_ROWS:]), rows[_ROWS:])
    )


def _table(name: str, rows: list[dict[str, Any]]) -> str:
    """Any other table of a recipe."""
    rest = rows[_ROWS:]
    return _section(name.capitalize(), _plain_table(rows[:_ROWS]) + _folded(_plain_table(rest[:_MORE]), rest))


def _plain_table(rows: Sequence[dict[str, Any]]) -> str:
    """Rows with the same keys; numbers to the right."""
    if not rows:
        return ""
    head = "".join(f"<th>{escape(str(key))}</th>" for key in rows[0])
    lines = "".join(f"<tr>{''.join(map(_cell, row.values()))}</tr>" for row in rows)
    return f"<div class='scroll'><table><tr>{head}</tr>{lines}</table></div>"


def _cell(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"<td>{value:,}</td>"
    return f"<td>{escape(str(value))}</td>"


def _examples(samples: Iterable[dict[str, str]]) -> str:
    parts = [
        f"<p><b>{escape(shorten(sample['prompt'], 400))}</b> <small>{escape(sample['document'])}</small></p>"
        f"<blockquote>{escape(sample['answer'])}</blockquote>"
        for sample in samples
    ]
    return _section("Examples", "".join(parts))


def _row(cells: Sequence[str], number: int, most: int, kind: str, numbers: str = "") -> str:
    """A row of escaped `cells`, further number cells, the number and its bar."""
    width = 100 * number / most if most else 0
    return (
        "<tr>"
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + f"{numbers}<td class='n'>{number:,}</td>"
        + f"<td class='bar'><div class='track {kind}'><i style='width:{width:.1f}%'></i></div></td></tr>"
    )


def _folded(content: str, rows: Sequence[object]) -> str:
    if not rows:
        return ""
    further = f"{len(rows):,} more" + (f", {_MORE} of them here" if len(rows) > _MORE else "")
    return f"<details><summary>{further}</summary>{content}</details>"


def _section(heading: str, content: str) -> str:
    return f"<section><h2>{escape(heading)}</h2>{content}</section>"
