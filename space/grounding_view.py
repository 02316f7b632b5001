"""A text with the passages that bear out its sentences, as HTML and as JSON; used by `space/tabs.py` and `space/endpoints.py`.

The numbers are drawn by the style sheet, so that a text that is copied stays clean.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from space import view
from space.frames import Frame
from space.grounding import Support
from space.texts import say
from space.view import escape


def paper(frame: Frame | None, language: str) -> str:
    """The sheet of the RAG tab: what the marks mean, and the text with a mark after each sentence."""
    if frame is not None and frame.grounding:
        label = escape(say("paper.label", language))
        parts = itertools.groupby(frame.grounding, key=lambda support: support.paragraph)
        blocks = "".join(
            f"<p>{' '.join(_sentence(support, language) for support in supports)}</p>"
            for _, supports in parts
        )
        return f'{_legend(frame.grounding, language)}<article class="paper" lang="es" aria-label="{label}">{blocks}</article>'
    banner = f'<div class="unsourced">{escape(say("paper.unsourced", language))}</div>'
    return (banner if frame is not None and frame.unsourced else "") + view.paper(frame, language)


def figures(grounding: Sequence[Support] | None) -> list[dict[str, Any]] | None:
    """For a program: `passage` counts from 1, None for a sentence that no passage bears out; `reason` says why."""
    if grounding is None:
        return None
    return [
        {
            "sentence": support.sentence,
            "passage": support.passage or None,
            "evidence": support.evidence,
            "score": round(support.score, 4),
            "reason": support.reason,
        }
        for support in grounding
    ]


def _sentence(support: Support, language: str) -> str:
    if support.passage:
        name = say("passages.piece", language, n=support.passage)
        mark = (
            f'<a class="cite" href="#passage-{support.passage}" data-number="[{support.passage}]" '
            f'data-says="{escape(support.evidence)}" aria-label="{escape(name)}"></a>'
        )
    else:
        doubt = escape(say(f"grounding.{support.reason}", language))
        mark = f'<span class="bare" role="img" aria-label="{doubt}" data-says="{doubt}"></span>'
    return f'<span class="sentence">{escape(support.sentence)}{mark}</span>'


def _legend(grounding: Sequence[Support], language: str) -> str:
    supported = sum(support.passage > 0 for support in grounding)
    count = escape(say("grounding.count", language, n=supported, of=len(grounding)))
    how = escape(say("grounding.how", language))
    return f'<details class="grounding"><summary>{count}</summary><p>{how}</p></details>'
