"""Packs paragraphs into units of a wanted length made of complete sentences: used by the recipes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from index.passages import count_words, sentences
from train.audit import Audit
from train.clean import is_complete


@dataclass(frozen=True)
class Size:
    """Words a unit may have; `low` is the least, 0 for none."""

    low: int
    high: int


def pack(sections: Iterable[list[str]], size: Size, audit: Audit) -> list[str]:
    """Units of `size` in the order of `sections`, ending where a section or a paragraph ends and a sentence is complete.

    A unit ends where a section ends once it has `low` words. A last piece that is too short joins the unit before it when
    both fit, else it is dropped and counted. A paragraph is divided (between sentences) only where it does not fit.
    """
    units: list[str] = []
    current = ""
    for section in sections:
        pieces = _complete(section, audit)
        while pieces:
            piece = pieces.pop(0)
            room = size.high - count_words(current)
            if count_words(piece) <= room:
                current = _join(current, piece)
                continue
            if count_words(current) < max(1, size.low):
                head, tail = _divide(piece, room, audit)
                if not current and not head:  # its first sentence alone is too long
                    head, tail = _first(piece)
                    audit.dropped("sentences longer than a unit", head)
                    pieces = [tail, *pieces] if tail else pieces
                    continue
                current, piece = _join(current, head), tail
            if count_words(current) >= size.low:
                units.append(current)
            else:
                audit.dropped("passages too short for a unit", current)
            current, pieces = "", ([piece] if piece else []) + pieces
        if current and count_words(current) >= size.low:
            units.append(current)
            current = ""
    if current and units and count_words(units[-1]) + count_words(current) <= size.high:
        units[-1] = _join(units[-1], current)
    elif current:
        audit.dropped("passages too short for a unit", current)
    return units


def balanced(paragraphs: list[str], high: int, audit: Audit) -> list[str]:
    """The paragraphs in the fewest parts of at most `high` words, of about the same length."""
    pieces = [part for paragraph in paragraphs for part in _pieces(paragraph, high, audit)]
    return ["\n\n".join(part) for part in _even(pieces, high)]


def _even(pieces: list[str], high: int) -> list[list[str]]:
    """The pieces in the fewest runs of at most `high` words, of about the same length; a longer piece is one of its own."""
    total = _words(pieces)
    number = max(1, -(-total // high))
    while True:
        parts = _cut(pieces, total / number)
        if number >= len(pieces) or all(_words(part) <= high for part in parts):
            return parts
        number += 1


def _cut(pieces: list[str], target: float) -> list[list[str]]:
    """Consecutive parts whose ends are the nearest to multiples of `target` words."""
    parts: list[list[str]] = [[]]
    done = 0.0
    for piece in pieces:
        length = count_words(piece)
        if parts[-1] and done + length / 2 >= len(parts) * target:
            parts.append([])
        parts[-1].append(piece)
        done += length
    return parts


def _pieces(paragraph: str, high: int, audit: Audit) -> list[str]:
    """The paragraph, or when it alone is too long groups of its sentences that fit."""
    if count_words(paragraph) <= high:
        return [paragraph]
    found = sentences(paragraph)
    for sentence in found:
        if count_words(sentence) > high:
            audit.kept("sentences longer than --max-words, as a part of their own", sentence)
    audit.repaired("paragraphs divided between sentences to fit a unit", paragraph, int(len(found) > 1))
    return ["".join(part).strip() for part in _even(found, high)]


def _complete(section: list[str], audit: Audit) -> list[str]:
    """The section's paragraphs, one that ends without a full stop joined to the next; such an end is dropped."""
    pieces: list[str] = []
    open_end = ""
    for paragraph in section:
        open_end = _join(open_end, paragraph)
        if is_complete(paragraph):
            pieces.append(open_end)
            open_end = ""
    if open_end:
        audit.dropped("incomplete sentences at the end of a turn or text", open_end)
    return pieces


def _divide(text: str, room: int, audit: Audit) -> tuple[str, str]:
    """As many of the text's first sentences as have at most `room` words, and the rest."""
    parts = sentences(text)
    taken, size = 0, 0
    while taken < len(parts) and size + count_words(parts[taken]) <= room:
        size += count_words(parts[taken])
        taken += 1
    if 0 < taken < len(parts):
        audit.repaired("paragraphs divided between sentences to fit a unit", text)
    return "".join(parts[:taken]).strip(), "".join(parts[taken:]).strip()


def _first(text: str) -> tuple[str, str]:
    """The first sentence and the rest."""
    first = sentences(text)[0]
    return first.strip(), text[len(first) :].strip()


def _join(one: str, other: str) -> str:
    return "\n\n".join(filter(None, (one, other)))


def _words(paragraphs: list[str]) -> int:
    return sum(map(count_words, paragraphs))
