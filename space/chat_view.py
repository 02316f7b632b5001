"""A chat as HTML: bubbles, and over them, always, that a machine imitates a person. Texts are escaped by `space/view.py`."""

from __future__ import annotations

from collections.abc import Sequence

from space.chatting import ChatFrame
from space.originality_view import meter
from space.prompts import CHAT_OPENING, Message
from space.texts import say
from space.view import escape

WORKING = ("queued", "loading", "reading", "writing")
"""The phases in which a reply is on its way."""


def conversation(frame: ChatFrame | None, persona: str, language: str) -> str:
    """All that was said until now, under the persona's name and the note on the machine."""
    turns = _turns(frame, persona, language) if frame else ""
    if not turns:
        turns = f'<p class="nothing">{escape(say("chat.empty", language))}</p>'
    note = escape(say("chat.machine", language, persona=persona))
    label = escape(say("chat.log", language, persona=persona))
    busy = "true" if frame and frame.phase in WORKING else "false"
    return (
        f'<section class="chat"><header><b>{escape(persona)}</b><small>{escape(say("chat.imitation", language))}</small>'
        f'<p class="machine">{note}</p></header>'
        f'<div class="log" tabindex="0" role="log" aria-label="{label}" aria-busy="{busy}"><div lang="es">{turns}</div></div></section>'
    )


def _turns(frame: ChatFrame, persona: str, language: str) -> str:
    shown = [_turn(message, persona, language) for message in frame.before]
    working = frame.phase in WORKING
    if frame.said or frame.bubbles or working:
        shown.append(_turn({"role": "user", "content": frame.said or CHAT_OPENING}, persona, language))
    if frame.bubbles:
        shown.append(_bubbles("them", frame.bubbles, persona, '<i class="caret"></i>' if working else ""))
    elif working:
        dots = (
            f'<p class="typing" aria-label="{escape(say("chat.typing", language))}"><i></i><i></i><i></i></p>'
        )
        shown.append(f'<div class="turn them">{dots}</div>')
    return "".join(shown)


def _turn(message: Message, persona: str, language: str) -> str:
    if message["role"] == "assistant":
        return _bubbles("them", message["content"].split("\n"), persona)
    if message["content"] == CHAT_OPENING:
        return f'<p class="unasked">{escape(say("chat.unasked", language, persona=persona))}</p>'
    return _bubbles("you", message["content"].split("\n"), say("chat.you", language))


def _bubbles(side: str, texts: Sequence[str], who: str, after: str = "") -> str:
    bubbles = [f"<p>{escape(text)}</p>" for text in texts]
    bubbles[-1] = bubbles[-1].removesuffix("</p>") + f"{after}</p>"
    return f'<div class="turn {side}"><span class="who">{escape(who)}: </span>{"".join(bubbles)}</div>'


def status(frame: ChatFrame | None, language: str) -> str:
    """What is going on, the figures, and the notes on the last reply."""
    phase = frame.phase if frame else "idle"
    key = "chat.idle" if phase == "idle" else f"status.{phase}"
    state = say(key, language, percent=round(frame.progress * 100) if frame else 0)
    items = [f'<span class="state {phase}">{escape(state)}</span>']
    if frame and frame.tokens_per_second:
        items.append(
            f"<span>{escape(say('stat.speed', language, n=f'{frame.tokens_per_second:.0f}'))}</span>"
        )
        items.append(f"<span>{escape(say('stat.seed', language, n=frame.seed))}</span>")
    if frame and frame.cached:
        items.append(f"<span>{escape(say('stat.cached', language))}</span>")
    notes = [f'<p class="note">{escape(note)}</p>' for note in (note_texts(frame, language) if frame else [])]
    figures = f'<div class="figures">{"".join(items)}</div>'
    repeats = meter(frame.originality, language, phase) if frame else ""
    return f'<div class="status" role="status">{figures}{"".join(notes)}</div>{repeats}'


def note_texts(frame: ChatFrame, language: str) -> list[str]:
    """The notes of a frame in words."""
    return [say(f"note.{note.key}", language, **note.values) for note in frame.notes]
