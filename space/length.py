"""The length of a speech: counts words as they stream and ends the text at the end of a sentence.

After `target` words the text stops where the sentence ends; a sentence that goes on past CAP times the target is
cut back to the end of the one before. `pytest tests/test_length.py` runs it.
"""

from __future__ import annotations

import re

CAP = 1.3
EARLY = 0.6
"""Below this share of the target the engine does not let the model end (`Request.min_words`)."""

_SENTENCE_END = re.compile(r"(\S*?)[.!?…]+[\"'»”’)\]]*(?=\s+\S)")
_WORD = re.compile(r"\S+")
_CLOSED = re.compile(r"[.!?…][\"'»”’)\]]*$")
_ABBREVIATIONS = frozenset(
    (
        "sr",
        "sra",
        "sres",
        "dr",
        "dra",
        "ud",
        "uds",
        "vd",
        "d",
        "dña",
        "prof",
        "ee",
        "uu",
        "etc",
        "núm",
        "pág",
        "cap",
    )
)


def sentence_ends(text: str, start: int = 0) -> list[int]:
    """The positions after each sentence's closing mark that white space and another sentence follow."""
    return [
        match.end()
        for match in _SENTENCE_END.finditer(text, start)
        if match[1].rpartition(".")[2].lstrip("(«“\"'¿¡").lower() not in _ABBREVIATIONS
        and _begins_sentence(text, match.end())
    ]


def _begins_sentence(text: str, position: int) -> bool:
    following = text[position:].lstrip()[:1]
    return not following.islower()


class Length:
    """Follows one text. `text` is what to show; `add` says whether to go on."""

    def __init__(self, opening: str, target: int) -> None:
        self.text = opening
        self.target = target
        self.words = len(opening.split())
        self.cut = False
        self._begin_word = max(target - 2, self.words - 1, 0)
        self._begin: int | None = None

    def add(self, piece: str) -> bool:
        """Appends `piece`; False when the text is complete (`text` then ends at the end of a sentence).

        What was given until then ends there again when it is given in fewer pieces (space/answers.py).
        """
        if not self.text:
            piece = piece.lstrip()
        joined = bool(piece) and not piece[0].isspace() and bool(self.text) and not self.text[-1].isspace()
        self.words += len(piece.split()) - joined
        self.text += piece
        if self.words < self.target:
            return True
        if self._begin is None:
            self._begin = [word.start() for word in _WORD.finditer(self.text)][self._begin_word]
        if ends := sentence_ends(self.text, self._begin):
            self.end_at(ends[0])
            return False
        if self.words >= self.target * CAP:
            self.cut_back()
            return False
        return True

    def cut_back(self) -> None:
        """Ends the text at its last complete sentence, if there is one; `cut` tells if words were lost."""
        self.finish()
        ends = [] if self.closed else sentence_ends(self.text)
        if ends:
            self.cut = True
            self.end_at(ends[-1])

    @property
    def closed(self) -> bool:
        """Whether the text ends with a sentence's closing mark."""
        return _CLOSED.search(self.text) is not None

    def finish(self) -> None:
        """The model has ended: only white space at the end goes."""
        self.end_at(len(self.text.rstrip()))

    def end_at(self, position: int) -> None:
        """What stands after `position` goes."""
        self.text = self.text[:position]
        self.words = len(self.text.split())
