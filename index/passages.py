"""Cuts documents into passages of about 200 words at paragraph and sentence ends.

Used by `python -m index build SOURCE --embedder MODEL --out DIR [--words 200]`.

`split` gives contiguous pieces whose concatenation is the text, character for character. A sentence is cut only when it
alone is longer than the limit, then between words, and that is counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from index.documents import Document

WORDS = 200
_TAIL = 0.25  # a last piece shorter than this part of the limit joins the one before it

_ABBREVIATIONS = frozenset(
    re.findall(
        r"\S+",
        "sr sra srta sres dr dra lic ing arq mtro mtra prof profa gral cnel cap tte sgto ud uds vd vds d dña fr sto sta "
        "pdte art arts av avda núm nº pág págs vol fig ed eds etc ej vs aprox tel ext cía col km kg cm mm min seg a c ee uu",
    )
)
_ENDING = re.compile(r"""([.!?…]+)["'»”’)\]*_]*(\s+)(?=["'«“‘(\[*_]*[\w¿¡—–\-•#<])""")
_PARAGRAPH = re.compile(r"\n[^\S\n]*\n\s*")
_WORD = re.compile(r"\S+\s*")
_LAST_WORD = re.compile(r"(\w+)\W*$")


@dataclass(frozen=True)
class Passage:
    """A piece of a document, the unit of retrieval; `position` counts the passages of its document from 0."""

    id: int
    text: str
    document: str
    title: str
    position: int
    source: str


@dataclass(frozen=True)
class Split:
    """The pieces of a text, in order, and how many sentences had to be cut."""

    pieces: list[str]
    cut_sentences: int


def count_words(text: str) -> int:
    """Words separated by white space."""
    return len(text.split())


def sentences(paragraph: str) -> list[str]:
    """The sentences of a paragraph with the white space that follows each; joined they are the paragraph."""
    pieces, start = [], 0
    for match in _ENDING.finditer(paragraph):
        if (
            match[1] == "."
            and "\n" not in match[2]
            and _is_abbreviation(paragraph[start : match.start()], paragraph[match.end() :])
        ):
            continue
        pieces.append(paragraph[start : match.end()])
        start = match.end()
    if start < len(paragraph):
        pieces.append(paragraph[start:])
    return pieces


def paragraphs(text: str) -> list[str]:
    """The paragraphs (separated by blank lines) with the white space that follows each; joined they are the text."""
    pieces, start = [], 0
    for match in _PARAGRAPH.finditer(text):
        pieces.append(text[start : match.end()])
        start = match.end()
    if start < len(text):
        pieces.append(text[start:])
    return pieces


def split(text: str, words: int = WORDS) -> Split:
    """Contiguous pieces of at most `words` words (a short last one may join, up to a quarter more).

    A piece ends at a paragraph's end where it is at least half full and the next paragraph does not fit,
    otherwise at a sentence's end. `"".join(pieces) == text`; a text without words gives one piece or none.
    """
    pieces: list[str] = []
    current, size, cut = "", 0, 0
    for paragraph in paragraphs(text):
        length = count_words(paragraph)
        if size + length > words and size >= words / 2:
            pieces.append(current)
            current, size = "", 0
        whole = size + length <= words
        for unit in [paragraph] if whole else sentences(paragraph):
            parts = _cut(unit, words)
            cut += len(parts) > 1
            for part in parts:
                length = count_words(part)
                if size and size + length > words:
                    pieces.append(current)
                    current, size = "", 0
                current, size = current + part, size + length
    if current:
        if pieces and size < words * _TAIL:
            pieces[-1] += current
        else:
            pieces.append(current)
    return Split(pieces, cut)


def make_passages(documents: Iterable[Document], words: int = WORDS) -> tuple[list[Passage], int]:
    """The passages of all documents, numbered from 0 in order, and the number of sentences that had to be cut."""
    passages: list[Passage] = []
    cut = 0
    for document in documents:
        result = split(document.text, words)
        cut += result.cut_sentences
        for position, piece in enumerate(result.pieces):
            passages.append(
                Passage(len(passages), piece.strip(), document.id, document.title, position, document.source)
            )
    return passages, cut


def _cut(unit: str, words: int) -> list[str]:
    if count_words(unit) <= words:
        return [unit]
    lead = len(unit) - len(unit.lstrip())
    tokens = _WORD.findall(unit[lead:])
    tokens[0] = unit[:lead] + tokens[0]
    return ["".join(tokens[i : i + words]) for i in range(0, len(tokens), words)]


def _is_abbreviation(before: str, after: str) -> bool:
    word = _LAST_WORD.search(before)
    if not word:
        return False
    last = word[1].lower()
    if len(last) == 1 and word[1].isupper():  # an initial: "J. M. Coetzee"
        return True
    return last in _ABBREVIATIONS and not after.startswith(("¿", "¡"))
