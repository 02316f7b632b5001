"""The report of a bundle as HTML: figures as bars with intervals, each with a sentence that says what it means.

Used by the tab *Informe* of the Space and by `python -m train evaluate` for report.html. A part that report.json does not have is
not shown; sections that it does not know are left out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from space.bundle import Bundle
from space.texts import TEXTS, say
from space.view import escape

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Bar:
    """One line of a figure: `low` and `high` are its interval; `kind` "own", "author", "control" or "" colours it."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    kind: str = ""


@dataclass(frozen=True)
class Measure:
    """A figure of generated texts: its key in the report and how it is written."""

    key: str
    text: str
    show: Callable[[float], str]


def _percent(value: float) -> str:
    return f"{value * 100:.0f} %"


MEASURES = (
    Measure("spanish", "report.spanish", _percent),
    Measure("of_asked", "report.of_asked", _percent),
    Measure("repeated_4", "report.repeated_4", lambda value: f"{value * 100:.1f} %"),
    Measure("distinct_1", "report.distinct_1", _percent),
    Measure("distinct_2", "report.distinct_2", _percent),
    Measure("distinct_3", "report.distinct_3", _percent),
    Measure("tokens_per_second", "report.speed", lambda value: f"{value:.0f}"),
    Measure("first_token", "report.first_token", lambda value: f"{value:.2f} s"),
)
FIRST = 3
"""So many are shown at once, the others when they are unfolded."""


def read_report(bundle: Bundle) -> dict[str, Any]:
    """The bundle's report; empty where it has none."""
    if bundle.report is None:
        return {}
    found = json.loads((bundle.folder / bundle.report).read_text(encoding="utf-8"))
    return found if isinstance(found, dict) else {}


def page(report: Figures, titles: Mapping[str, Mapping[str, str]], language: str) -> str:
    """All sections; empty where the report has nothing to show. `titles` are those of the generators, by name and language."""
    evaluation = report.get("evaluation", {})
    names = {name: title.get(language) or title["es"] for name, title in titles.items()}
    sections = [
        *(_likelihood(name, found, names, language) for name, found in evaluation.get("sets", {}).items()),
        *(_texts(name, found, names, language) for name, found in evaluation.get("texts", {}).items()),
        *(_asked(name, found, names, language) for name, found in evaluation.get("questions", {}).items()),
        *(
            _originality(name, found, names, language)
            for name, found in report.get("originality", {}).get("sets", {}).items()
        ),
        *(_parity(name, found, names, language) for name, found in report.get("parity", {}).items()),
        _pretraining(report.get("pretraining", {}), language),
    ]
    body = "".join(sections)
    return f'<div class="report">{_paragraph("report.lead", language)}{body}</div>' if body else ""


def titles_of(bundle: Bundle) -> dict[str, dict[str, str]]:
    return {generator.name: generator.title for generator in bundle.generators}


def _likelihood(name: str, found: Figures, names: Mapping[str, str], language: str) -> str:
    conditions = found.get("conditions", {})
    bars = [_bar(k, f, "perplexity", "perplexity_interval", names, language) for k, f in conditions.items()]
    bits = [_bar(k, f, "bits_per_character", "bits_interval", names, language) for k, f in conditions.items()]
    text = _paragraph("report.likelihood.info", language)
    rows = _figure(bars, lambda value: f"{value:.1f}")
    notes = [*_changes(conditions, names, language), *_facts(found, language)]
    if any(f.get("control") for f in conditions.values()):
        notes.append(say("report.control", language))
    more = _paragraph("report.bits.info", language) + _figure(bits, lambda value: f"{value:.2f}")
    body = text + rows + "".join(f'<p class="fact">{escape(note)}</p>' for note in notes)
    body += _folded("report.bits", more, language)
    return _section(f"{names.get(name, name)}: {say('report.likelihood', language)}", body)


def _changes(conditions: Figures, names: Mapping[str, str], language: str) -> list[str]:
    """The paired differences in per cent of perplexity: passages against none, an adapter against the base."""
    labels = {key: _label(key, figures, names, language) for key, figures in conditions.items()}
    plain = {f.get("adapter"): labels[key] for key, f in conditions.items() if not f.get("rag")}
    result = []
    for key, figures in conditions.items():
        against = "against_plain" if figures.get("rag") else "against_base"
        if against in figures and not figures.get("control"):
            other = plain[figures.get("adapter") if figures.get("rag") else None]
            change, low, high = (
                f"{(math.exp(nats) - 1) * 100:+.1f}".replace("-", "−")
                for nats in (figures[against], *figures[f"{against}_interval"])
            )
            values = {"name": labels[key], "other": other, "change": change, "low": low, "high": high}
            result.append(say("report.less", language, **values))
    return result


def _facts(found: Figures, language: str) -> list[str]:
    result = []
    if "spans_seen" in found:
        seen = f"{found['spans_seen']['mean'] * 100:.1f}"
        result.append(
            say("report.facts", language, documents=found["documents"], answers=found["tokens"], seen=seen)
        )
    if found.get("of_validation"):
        result.append(say("report.selected", language, n=found["of_validation"]))
    if "rag" in found:
        rag = found["rag"]
        values = {"passages": rag["passages"], "above": rag["above_threshold"], "answers": rag["answers"]}
        result.append(say("report.rag", language, **values))
    return result


def _texts(name: str, found: Figures, names: Mapping[str, str], language: str) -> str:
    conditions = found.get("conditions", {})
    first, last = found.get("seeds", (0, 0))
    values = {"samples": found["samples"], "prompts": found["prompts"], "first": first, "last": last}
    body = _paragraph("report.texts.info", language, **values)
    for measure in MEASURES[:FIRST]:
        body += _measured(measure, conditions, names, language)
    more = "".join(_measured(measure, conditions, names, language) for measure in MEASURES[FIRST:])
    judge = Measure("judge_perplexity", "report.judge", lambda value: f"{value:.0f}")
    third = str(found.get("judge", ""))
    known = f"report.judge.{third}"
    third = say(known, language) if known in TEXTS else third
    more += _measured(judge, conditions, names, language, judge=third)
    body += _folded("report.more", more, language)
    return _section(f"{names.get(name, name)}: {say('report.texts', language)}", body)


def _measured(
    measure: Measure, conditions: Figures, names: Mapping[str, str], language: str, **values: str
) -> str:
    key = measure.key
    bars = [
        _bar(name, f, key, f"{key}_interval", names, language) for name, f in conditions.items() if key in f
    ]
    if not bars:
        return ""
    title = f"<h4>{escape(say(measure.text, language))}</h4>"
    return title + _paragraph(f"{measure.text}.info", language, **values) + _figure(bars, measure.show)


def _asked(name: str, found: Figures, names: Mapping[str, str], language: str) -> str:
    """What each technique of a generator of questions asks, by itself and as it is served."""
    values = {"texts": found["texts"], "number": found["number"]}
    body = _paragraph("report.questions.info", language, **values)
    for part, whole in (("valid", "lists"), ("borne_out", "asked"), ("spanish", "spanish_of")):
        bars = [
            Bar(
                f"{say(f'technique.{technique}', language)}, {say(f'report.questions.{way}', language)}",
                figures[part] / figures[whole] if figures[whole] else 0.0,
                kind="own" if technique == "questions" else "",
            )
            for technique, ways in found["techniques"].items()
            for way, figures in ways.items()
        ]
        body += f"<h4>{escape(say(f'report.questions.{part}', language))}</h4>" + _figure(bars, _percent)
    return _section(f"{names.get(name, name)}: {say('report.questions', language)}", body)


def _pretraining(found: Figures, language: str) -> str:
    held_out = found.get("held_out", {})
    if not held_out:
        return ""
    values = {"tokens": found["tokens_trained"] / 1e6, "parameters": found["parameters"] / 1e6}
    body = _paragraph("report.pretraining.info", language, **{k: f"{v:.1f}" for k, v in values.items()})
    for source, figures in held_out.items():
        bars = [
            Bar(
                say("report.model", language) if key == "model" else key,
                value,
                kind="own" if key == "model" else "",
            )
            for key, value in figures.items()
            if key != "characters"
        ]
        body += f"<h4>{escape(source)}</h4>" + _figure(bars, lambda value: f"{value:.2f}")
    return _section(say("report.pretraining", language), body)


def _originality(name: str, found: Figures, names: Mapping[str, str], language: str) -> str:
    rows = [row for row in found.get("rows", []) if "copied" in row]
    if not rows:
        return ""
    bars = []
    for row in rows:
        own = row["model"] not in ("base", "author")
        bar = _bar(row["model"], {**row, "adapter": own}, "copied", "copied_interval", names, language)
        topics = say(f"report.topics.{row['topics'].replace(' ', '_')}", language)
        bars.append(replace(bar, label=f"{bar.label}, {topics}"))
    longest = max((row["longest"] for row in rows if row["model"] != "author"), default=0)
    text = _paragraph("report.originality.info", language, longest=longest)
    title = f"{names.get(name, name)}: {say('report.originality', language)}"
    return _section(title, text + _figure(bars, lambda value: f"{value * 100:.1f} %"))


def _parity(name: str, found: Figures, names: Mapping[str, str], language: str) -> str:
    rows = found.get("rows", [])
    if not rows:
        return ""
    passed = sum(bool(row["passed"]) for row in rows)
    head = "".join(f"<th>{escape(column)}</th>" for column in rows[0])
    lines = "".join(
        "<tr>" + "".join(f"<td>{escape(_cell(value))}</td>" for value in row.values()) + "</tr>"
        for row in rows
    )
    table = f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>'
    text = _paragraph("report.parity.info", language, passed=passed, rows=len(rows))
    title = f"{_label(name, {}, names, language)}: {say('report.parity', language)}"
    return _section(title, text + _folded("report.rows", table, language))


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "✓" if value else "✗"
    return str(value)


def _bar(
    name: str, figures: Figures, key: str, interval: str, names: Mapping[str, str], language: str
) -> Bar:
    low, high = figures.get(interval, (None, None))
    kind = "control" if figures.get("control") else "author" if name == "author" else ""
    if figures.get("adapter") and not kind:
        kind = "own"
    return Bar(_label(name, figures, names, language), figures[key], low, high, kind)


def _label(name: str, figures: Figures, names: Mapping[str, str], language: str) -> str:
    adapter, plus, rest = name.partition(" + ")
    if figures.get("control"):
        return say("report.wrong", language, name=names.get(adapter, adapter))
    if adapter in ("base", "author"):
        adapter = say(f"report.{adapter}", language)
    return names.get(adapter, adapter) + plus + rest


def _figure(bars: Sequence[Bar], show: Callable[[float], str]) -> str:
    """Bars from zero on, the longest as wide as there is room."""
    most = max([bar.high or bar.value for bar in bars], default=0) or 1
    return f'<dl class="bars">{"".join(_row(bar, most, show) for bar in bars)}</dl>'


def _row(bar: Bar, most: float, show: Callable[[float], str]) -> str:
    wide = 100 * bar.value / most
    line = ""
    value = show(bar.value)
    if bar.low is not None and bar.high is not None:
        low, high = 100 * bar.low / most, 100 * bar.high / most
        line = f'<line x1="{low:.2f}" x2="{high:.2f}" y1="6" y2="6" vector-effect="non-scaling-stroke"/>'
        value += f"<small>{escape(show(bar.low))}–{escape(show(bar.high))}</small>"
    svg = (
        f'<svg viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect x="0" y="2" height="8" width="{wide:.2f}"/>{line}</svg>'
    )
    return f'<div class="{bar.kind}"><dt>{escape(bar.label)}</dt><dd>{svg}<span>{value}</span></dd></div>'


def _folded(key: str, body: str, language: str) -> str:
    return f"<details><summary>{escape(say(key, language))}</summary>{body}</details>" if body else ""


def _section(title: str, body: str) -> str:
    return f"<section><h3>{escape(title)}</h3>{body}</section>"


def _paragraph(key: str, language: str, **values: Any) -> str:
    return f"<p>{escape(say(key, language, **values))}</p>"
