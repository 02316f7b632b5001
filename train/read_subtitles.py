"""Subtitles (.srt, .vtt) as plain text, by pysubs2: used by train/readers.py.

Cues lose numbers, times, tags and places on the screen; their short lines are joined, and a paragraph ends at a complete sentence
before a pause, at a change of speaker, or once it is long. Captions that scroll, each cue repeating lines of the one before, give
each line once. Texts whose lines lie between lines of times, as video sites show them, are joined likewise. Voices (<v Ana>) become the speaker, or labels in capitals when there are several.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise

from train.audit import Audit
from train.clean import is_complete
from train.decoding import NotText, decoded
from train.readers import Meta, Reading, title_of

PAUSE = 1500
"""Milliseconds of silence after which a complete sentence ends a paragraph."""
_LONG, _LONGEST = (
    80,
    150,
)  # words after which a paragraph ends at a sentence, and at any cue (captions without full stops)
_ROLLING, _REPEATS = (
    0.4,
    3,
)  # share and number of cues that repeat the one before, from which on captions scroll
_UNSTOPPED = 40  # words per full stop above which captions have no punctuation
_STOP = re.compile(r"[.!?…](?=\W|$)")
_TIME_TAG = re.compile(r"<\d+:[\d:.]+>")
_TAG = re.compile(r"</?[a-z][^<>]*>|\{\\[^{}]*\}|\{[a-z]:[^{}]*\}", re.I)
_VOICE = re.compile(r"<v(?:\.[^\s<>]+)?\s+([^<>]+)>")
_NEW_SPEAKER = re.compile(r"^(?:>>+|&gt;&gt;|[-–—](?=\s*[\w¿¡\"“«(\[]))\s*")
_LABEL = re.compile(r"[A-ZÁÉÍÓÚÜÑ][A-ZÁÉÍÓÚÜÑ.,() -]{1,60}:(?!\S)")  # "PRESIDENTA: Buenos días."
_TIME_LINE = re.compile(r"[(\[]?(?:(\d{1,2}):)?(\d{1,2}):(\d{2})(?:[.,]\d{1,3})?[)\]]?")
_TIMES, _TIMED = (
    5,
    0.25,
)  # least number of lines that are times, and least share of the lines, in a text of such
_NO_SPEECH = re.compile(r"[\s♪♫#*_.·-]*")


@dataclass(frozen=True)
class Cue:
    """What is on the screen at once; times in milliseconds, `turn` when somebody else begins to speak."""

    start: int
    end: int
    lines: tuple[str, ...]
    voice: str = ""
    turn: bool = False


def read_text(raw: bytes, name: str, audit: Audit) -> Reading:
    """The paragraphs, and the speaker when the cues name exactly one. Raises NotText."""
    text = decoded(raw, name, audit)
    cues = _cues(text, name, audit)
    if not cues:
        raise NotText("no subtitle with its times is in it (00:00:01,000 --> 00:00:02,000)")
    cues = _once(cues, name, audit)
    voices = list(dict.fromkeys(cue.voice for cue in cues if cue.voice))
    words = sum(len(line.split()) for cue in cues for line in cue.lines)
    stops = sum(len(_STOP.findall(line)) for cue in cues for line in cue.lines)
    if words > _UNSTOPPED * max(1, stops):
        audit.kept("subtitles without full stops: paragraphs end at pauses and at lengths", name)
    meta: Meta = {"title": title_of(name)}
    if len(voices) == 1:
        meta["speaker"] = voices[0]
    return Reading("\n\n".join(_paragraphs(cues, labelled=len(voices) > 1)), meta)


def without_times(text: str, name: str, audit: Audit) -> str:
    """A plain text; with its lines joined into paragraphs where they lie between lines of times that go forwards."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    times = [(i, match) for i, line in enumerate(lines) if (match := _TIME_LINE.fullmatch(line))]
    starts = [1000 * (3600 * int(m[1] or 0) + 60 * int(m[2]) + int(m[3])) for _, m in times]
    if len(times) < max(_TIMES, _TIMED * len(lines)) or starts != sorted(starts):
        return text
    ends = [*[i for i, _ in times[1:]], len(lines)]
    shown = [tuple(lines[i + 1 : end]) for (i, _), end in zip(times, ends, strict=True)]
    cues = [
        turn
        for start, after, cue in zip(starts, [*starts[1:], starts[-1]], shown, strict=True)
        for turn in _turns(Cue(start, after, cue), name, audit)
    ]
    if not cues:
        return text
    audit.dropped("lines: times", name, len(times))
    return "\n\n".join([*lines[: times[0][0]], *_paragraphs(cues, labelled=False)])


def _cues(text: str, name: str, audit: Audit) -> list[Cue]:
    """The cues in the order of time. pysubs2 takes two times inside a line for a cue's own, so these go before."""
    import pysubs2

    vtt = text.lstrip().startswith("WEBVTT")
    try:
        found = pysubs2.SSAFile.from_string(
            _TIME_TAG.sub("", text), format_="vtt" if vtt else "srt", keep_html_tags=True
        )
    except (pysubs2.exceptions.Pysubs2Error, ValueError) as error:
        raise NotText(f"it cannot be read as subtitles: {error}") from error
    cues = []
    for event in sorted(found, key=lambda event: event.start):
        # In WebVTT a blank line ends a cue: what follows are notes and the next one's name.
        shown = event.text.split(r"\N\N")[0] if vtt else event.text
        cues += _turns(Cue(event.start, event.end, tuple(shown.split(r"\N"))), name, audit)
    distinct = list(dict.fromkeys(cues))
    audit.dropped("subtitles: the same cue twice", name, len(cues) - len(distinct))
    audit.kept("subtitles joined into paragraphs", name, len(distinct))
    return distinct


def _turns(cue: Cue, name: str, audit: Audit) -> list[Cue]:
    """The cue as spoken, without tags and signs; two cues when each line has the dash of another speaker."""
    lines = [line for line in cue.lines if "-->" not in line]
    audit.dropped("subtitles: times that cannot be read", f"{name}: {cue.lines}", len(cue.lines) - len(lines))
    voice = next((match[1].strip() for line in lines if (match := _VOICE.search(line))), "")
    result: list[Cue] = []
    for line in lines:
        plain = " ".join(_TAG.sub("", line).replace(r"\h", " ").split())
        spoken, turns = _NEW_SPEAKER.subn("", plain)
        if _NO_SPEECH.fullmatch(spoken):
            continue
        if result and not turns and not _LABEL.match(spoken):
            result[-1] = replace(result[-1], lines=(*result[-1].lines, spoken))
        else:
            turn = bool(turns or _LABEL.match(spoken))
            result.append(replace(cue, lines=(spoken,), voice=voice, turn=turn))
    return result


def _once(cues: list[Cue], name: str, audit: Audit) -> list[Cue]:
    """The cues without the lines that scroll up from the cue before, in captions where most cues have such lines."""
    repeats = sum(_overlap(one, other) > 0 or _grown(one, other) for one, other in pairwise(cues))
    if repeats < max(_REPEATS, _ROLLING * (len(cues) - 1)):
        return cues
    result = [cues[0]]
    dropped = 0
    for one, other in pairwise(cues):
        if _grown(one, other):
            old, new = one.lines[-1], other.lines[-1]
            last = result[-1]
            result[-1] = replace(
                last, end=other.end, lines=(*last.lines[:-1], last.lines[-1] + new[len(old) :])
            )
            dropped += len(other.lines)
            continue
        overlap = _overlap(one, other)
        dropped += overlap
        if other.lines[overlap:]:
            result.append(replace(other, lines=other.lines[overlap:]))
        else:
            result[-1] = replace(result[-1], end=other.end)
    audit.dropped("subtitles: lines repeated while they scroll", name, dropped)
    return result


def _overlap(one: Cue, other: Cue) -> int:
    """How many first lines of the later cue are the last lines of the earlier."""
    for number in range(min(len(one.lines), len(other.lines)), 0, -1):
        if one.lines[-number:] == other.lines[:number]:
            return number
    return 0


def _grown(one: Cue, other: Cue) -> bool:
    """Whether the later cue is the earlier one with more words on its last line."""
    if len(one.lines) != len(other.lines) or one.lines[:-1] != other.lines[:-1]:
        return False
    return other.lines[-1] != one.lines[-1] and other.lines[-1].startswith(one.lines[-1] + " ")


def _paragraphs(cues: list[Cue], labelled: bool) -> list[str]:
    result: list[str] = []
    current, voice = "", ""
    before = cues[0]
    for cue in cues:
        changed = cue.turn or (bool(cue.voice) and cue.voice != voice)
        if current and (changed or _ends(current, cue.start - before.end)):
            result.append(current)
            current = ""
        if labelled and cue.voice and cue.voice != voice:
            current = f"{cue.voice.upper()}:"
        voice = cue.voice or voice
        for line in cue.lines:
            current = _joined(current, line)
        before = cue
    return [*result, current] if current else result


def _ends(paragraph: str, pause: int) -> bool:
    words = len(paragraph.split())
    if is_complete(paragraph):
        return pause >= PAUSE or words >= _LONG
    return words >= _LONGEST or (pause >= 2 * PAUSE and words >= _UNSTOPPED)


def _joined(text: str, line: str) -> str:
    if re.search(r"[^\W\d_]-$", text) and line[:1].islower():
        return text[:-1] + line
    return f"{text} {line}".strip()
