"""A list of questions as HTML; everything that a person or a model wrote is escaped by `space.view.escape`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from space.question_exports import asked_text, solution
from space.question_frames import Asked, QuestionFrame
from space.question_list import ShortAnswer
from space.texts import say
from space.view import escape


def sheet(frame: QuestionFrame | None, language: str) -> str:
    """The items so far, each with its solution and its sentence of the text to be opened."""
    label = escape(say("questions.heading", language))
    if frame is None or not (frame.items or frame.partial):
        waiting = frame is not None and frame.phase not in ("done", "stopped")
        hollow = '<span class="caret"></span>' if waiting else escape(say("questions.empty", language))
        return f'<article class="paper quiz" aria-label="{label}"><p class="hollow">{hollow}</p></article>'
    items = [_item(number, asked, language) for number, asked in enumerate(frame.items, 1)]
    working = frame.phase in ("reading", "writing")
    if working:
        partial = escape(frame.partial)
        items.append(f'<li class="partial"><p class="ask">{partial}<span class="caret"></span></p></li>')
    busy = "true" if working else "false"
    return f'<article class="paper quiz" aria-label="{label}" aria-busy="{busy}"><ol lang="es">{"".join(items)}</ol></article>'


def side_by_side(frames: Sequence[QuestionFrame], language: str) -> str:
    """The lists of several techniques, each under its name with its figures."""
    columns = "".join(
        f"<section><h3>{escape(say(f'technique.{frame.technique}', language))}</h3>"
        f"{status(frame, language)}{sheet(frame, language)}</section>"
        for frame in frames
    )
    return f'<div class="side-by-side">{columns}</div>'


def shown(frames: Sequence[QuestionFrame], language: str) -> tuple[str, str]:
    """The status and the sheet: of one list, or of those that are compared."""
    if len(frames) < 2:
        frame = frames[0] if frames else None
        return status(frame, language), sheet(frame, language)
    last = replace(frames[-1], notes=(), dropped={})
    return status(last, language), side_by_side(frames, language)


def status(frame: QuestionFrame | None, language: str) -> str:
    """What is going on, the figures, what was left out, and the notes."""
    if frame is None:
        return _status([_span(say("questions.idle", language), "state idle")], [])
    state = say(f"status.{frame.phase}", language, percent=round(frame.progress * 100))
    figures = [_span(state, f"state {frame.phase}")]
    if frame.items or frame.phase == "writing":
        figures.append(_span(say("questions.count", language, n=len(frame.items), of=frame.number)))
    if frame.tokens_per_second:
        figures.append(_span(say("stat.speed", language, n=f"{frame.tokens_per_second:.0f}")))
    figures.append(_span(say("stat.seed", language, n=frame.seed)))
    if frame.cached:
        figures.append(_span(say("stat.cached", language)))
    if frame.rounds:
        figures.append(_span(say("questions.rounds", language, n=frame.rounds)))
    return _status(figures, note_texts(frame, language))


def note_texts(frame: QuestionFrame, language: str) -> list[str]:
    """The notes of a frame in words, and what was left out with the reasons."""
    notes = [say(f"note.{note.key}", language, **note.values) for note in frame.notes]
    if frame.phase in ("done", "stopped") and frame.dropped:
        reasons = ", ".join(
            f"{n} {say(f'left_out.{reason}', language)}" for reason, n in frame.dropped.items()
        )
        notes.append(say("questions.dropped", language, n=sum(frame.dropped.values()), reasons=reasons))
    return notes


def counter(language: str, limit: int) -> str:
    """The count of characters under the text; a script keeps it."""
    text = escape(say("text.count", language, limit=limit))
    return f'<p class="count" id="count-questions" data-limit="{limit}"><b>0</b> {text}</p>'


def _item(number: int, asked: Asked, language: str) -> str:
    doubt = f'<p class="doubt">{escape(say(f"doubt.{asked.doubt}", language))}</p>' if asked.doubt else ""
    correction = "" if isinstance(asked.item, ShortAnswer) else asked.item.correction
    detail = f'<span class="correction">{escape(correction)}</span>' if correction else ""
    kind = escape(say(f"types.{asked.kind}.one", language))
    where = "questions.nearest" if asked.doubt else "questions.evidence"
    shown = f"<p><b>{escape(solution(asked, language))}</b>{detail}</p>"
    return (
        f'<li><p class="ask"><span class="number">{number}</span>{escape(asked_text(asked))}'
        f'<small lang="{language}">{kind}</small></p>{doubt}'
        f'<div class="reveal">{_details("solution", "questions.solution", shown, language)}'
        f"{_details('evidence', where, _evidence(asked), language) if asked.evidence else ''}</div></li>"
    )


def _details(name: str, key: str, body: str, language: str) -> str:
    return f'<details class="{name}"><summary lang="{language}">{escape(say(key, language))}</summary>{body}</details>'


def _evidence(asked: Asked) -> str:
    """The sentence, with the answer marked in it."""
    wanted = asked.item.answer if isinstance(asked.item, ShortAnswer) else ""
    found = re.search(re.escape(wanted), asked.evidence, re.I) if wanted else None
    if not found:
        return f"<blockquote>{escape(asked.evidence)}</blockquote>"
    before, inside, after = asked.evidence[: found.start()], found[0], asked.evidence[found.end() :]
    return f"<blockquote>{escape(before)}<mark>{escape(inside)}</mark>{escape(after)}</blockquote>"


def _status(figures: list[str], notes: list[str]) -> str:
    shown = "".join(f'<p class="note">{escape(note)}</p>' for note in notes)
    return f'<div class="status" role="status"><div class="figures">{"".join(figures)}</div>{shown}</div>'


def _span(text: str, kind: str = "") -> str:
    return f'<span class="{kind}">{escape(text)}</span>' if kind else f"<span>{escape(text)}</span>"
