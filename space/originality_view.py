"""What a text repeats, as one quiet line under its figures that opens to the spans and their sources, and as JSON.

Used by the tabs and the endpoints; `space/originality.py` finds it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from space.originality import Originality, Span
from space.originals import WORDS
from space.texts import say
from space.view import escape

FINISHED = ("done", "stopped")
"""The phases in which the line can be opened: before, each frame would close it again."""


def meter(finding: Originality | None, language: str, phase: str) -> str:
    """The line; once the text is FINISHED it opens where there is something to show."""
    if finding is None:
        return ""
    line = escape(line_of(finding, language))
    share = f'<i class="gauge" aria-hidden="true"><b style="width:{_percent(finding.original)}%"></b></i>'
    line = f"{share if finding.measured else ''}<span>{line}</span>"
    if phase not in FINISHED or not (finding.spans or finding.quotes):
        return f'<p class="originality">{line}</p>'
    lists = _spans("copied", finding.spans, language) + _spans("quoted", finding.quotes, language)
    how = escape(say("originality.how", language, n=WORDS))
    return f'<details class="originality"><summary>{line}</summary>{lists}<p class="how">{how}</p></details>'


def line_of(finding: Originality, language: str) -> str:
    """The finding in words."""
    parts = []
    if finding.measured:
        parts.append(say("originality.share", language, percent=_percent(finding.original)))
        longest = "longest" if finding.spans else "nothing"
        parts.append(say(f"originality.{longest}", language, n=finding.longest or finding.least_words))
    if finding.quotes or not finding.measured:
        percent = math.ceil(100 * finding.quoted / finding.ngrams)
        parts.append(say("originality.quotes", language, percent=percent))
    return " · ".join(parts)


def figures(finding: Originality | None) -> dict[str, Any] | None:
    """The finding for a program; `original` and `longest_words` are None where there is nothing to compare with."""
    if finding is None:
        return None
    return {
        "original": round(finding.original, 4) if finding.measured else None,
        "longest_words": finding.longest if finding.measured else None,
        "ngrams": finding.ngrams,
        "copied": finding.copied if finding.measured else None,
        "quoted": finding.quoted,
        "spans": [_span_json(span) for span in finding.spans],
        "quotes": [_span_json(span) for span in finding.quotes],
    }


def _span_json(span: Span) -> dict[str, Any]:
    source = vars(span.source) if span.source else {"title": None, "source": None}
    return {"words": span.words, "text": span.text, **source}


def _spans(kind: str, spans: Sequence[Span], language: str) -> str:
    if not spans:
        return ""
    rows = "".join(_span(span, language) for span in spans)
    return f"<h4>{escape(say(f'originality.{kind}', language))}</h4><ul>{rows}</ul>"


def _span(span: Span, language: str) -> str:
    source = say("originality.private", language)
    if span.source:
        source = " · ".join(dict.fromkeys(filter(None, [span.source.title, span.source.source])))
    size = say("stat.words", language, n=span.words)
    return f'<li><q lang="es">{escape(span.text)}</q><small>{escape(size)} · {escape(source)}</small></li>'


def _percent(share: float) -> int:
    """Rounded down: 100 only where nothing at all is repeated."""
    return math.floor(100 * share)
