"""Turns of a transcript: who said what, in order. Used by the conference recipe.

Two layouts: blocks that start with a `---` line and the speaker's label on the line after it (a header before the first
block), and labels at the start of a line ("PRESIDENTA.- …", "Pregunta: …", "**AMLO:** …").
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

UNKNOWN = "???"
_RULE = re.compile(r"^\s*-{3,}\s*$")
_INLINE = re.compile(
    r"^\s*(?:\[?\d{1,2}:\d{2}(?::\d{2})?\]?\s*)?[*_]{0,2}([A-ZÁÉÍÓÚÜÑ¿?][^:\n]{1,80}?)[*_]{0,2}\s*(?:\.\s?[-–—]|:)[*_]{0,2}(?:\s+(.*))?$"
)
_NAME_WORD = re.compile(
    r"^(?:\(?[A-ZÁÉÍÓÚÜÑ][\w.'’-]*\)?|de|del|la|las|los|el|y|señora?|presidente|presidenta|ministro|ministra|don|doña)$"
)
_MIN_INLINE_TURNS = 2


@dataclass(frozen=True)
class Turn:
    """One uninterrupted speech of one label; `text` has one paragraph a line, as read."""

    label: str
    text: str


@dataclass(frozen=True)
class Transcript:
    """`header` is what stands before the first turn; without labels the whole body is one UNKNOWN turn."""

    header: list[str]
    turns: list[Turn]

    @property
    def labelled(self) -> bool:
        return any(turn.label != UNKNOWN for turn in self.turns)


def parse(text: str) -> Transcript:
    """The turns of `text`, in the layout it has."""
    lines = text.split("\n")
    rules = [i for i, line in enumerate(lines) if _RULE.match(line)]
    firsts = Counter(_next_line(lines, i).strip() for i in rules)
    if any(_is_label(first) or (times > 1 and _is_name(first)) for first, times in firsts.items()):
        return _parse_blocks(lines, rules)
    return _parse_inline(lines)


def _parse_blocks(lines: list[str], rules: list[int]) -> Transcript:
    header = [line.strip() for line in lines[: rules[0]] if line.strip()]
    turns: list[Turn] = []
    for start, end in zip(rules, [*rules[1:], len(lines)], strict=True):
        block = [line for line in lines[start + 1 : end] if line.strip()]
        if not block:
            continue
        if _is_label(block[0]) or (len(block) > 1 and _is_name(block[0])):
            turns.append(Turn(block[0].strip().rstrip(":"), "\n".join(block[1:])))
        else:
            turns.append(Turn(UNKNOWN, "\n".join(block)))
    return Transcript(header, turns)


def _parse_inline(lines: list[str]) -> Transcript:
    found = [
        (i, m[1].strip(" *_."), m[2] or "") for i, line in enumerate(lines) if (m := _INLINE.match(line))
    ]
    times = Counter(label for _, label, _ in found)
    starts = [(i, label, rest) for i, label, rest in found if _is_inline_label(label, times[label])]
    if len(starts) < _MIN_INLINE_TURNS:
        return Transcript([], [Turn(UNKNOWN, "\n".join(lines))])
    before = "\n".join(lines[: starts[0][0]])
    turns = [Turn(UNKNOWN, before)] if before.strip() else []
    for (start, label, rest), end in zip(starts, [s[0] for s in starts[1:]] + [len(lines)], strict=True):
        turns.append(Turn(label, "\n".join([rest, *lines[start + 1 : end]])))
    return Transcript([], turns)


def _next_line(lines: list[str], index: int) -> str:
    return next((line for line in lines[index + 1 :] if line.strip()), "")


def _is_label(line: str) -> bool:
    """A line in capitals (accents and a lower-case slip allowed), or `???`."""
    text = line.strip()
    letters = [c for c in text if c.isalpha()]
    if text.startswith("???"):
        return True
    return (
        0 < len(text) <= 300 and len(letters) > 1 and sum(c.isupper() for c in letters) >= 0.8 * len(letters)
    )


def _is_inline_label(label: str, times: int) -> bool:
    words = label.split()
    if not 1 <= len(words) <= 10:
        return False
    if _is_label(label):
        return True
    return times >= 3 and _is_name(label, least=1)


def _is_name(line: str, least: int = 2) -> bool:
    """A name in mixed case with or without an office after a comma ("Claudia Sheinbaum Pardo, jefa de Gobierno")."""
    words = line.split(",")[0].split()
    ended = line.rstrip().endswith((".", "!", "?", "…", ";"))
    return (
        not ended
        and least <= len(words) <= 8
        and len(line) <= 150
        and all(_NAME_WORD.match(word) for word in words)
    )
