"""Leaves out sentences that a text has said before, as texts of small models do when they quote passages.

    repeats = Repeats()
    repeats.add("El pan se hace con harina, agua y sal. El pan se hace con harina, agua y sal. Huele bien.")
    # 'El pan se hace con harina, agua y sal. Huele bien.'

A sentence that goes like an earlier one is held back until it ends or goes on otherwise. A refrain of a few words stays.
"""

from __future__ import annotations

from space.length import sentence_ends

LEAST_WORDS = 6
"""A shorter sentence may be meant to come back."""


class Repeats:
    """Follows one text that begins with `opening`, which is shown already.

    What `add` and `finish` return, joined, depends on the text alone, not on the pieces it comes in.
    """

    def __init__(self, opening: str = "") -> None:
        self._said: set[str] = set()
        self._sentence = ""  # the one being written, with the white space before it
        self._shown = 0  # how much of it
        self.left_out, self._gap = 0, ""
        self.add(opening)
        self._shown = len(self._sentence)
        self.left_out, self._gap = (
            0,
            "",
        )  # of a sentence left out that began a paragraph: the next one begins it

    def add(self, piece: str) -> str:
        """What can be shown with `piece`: nothing while the sentence may be one that was said."""
        self._sentence += piece
        shown = ""
        while ends := sentence_ends(self._sentence):
            shown += self._end(ends[0])
        begun = _words(self._sentence)
        if self._shown or not any(said.startswith(begun) for said in self._said):
            shown += self._show(len(self._sentence.rstrip()))
        return shown

    def finish(self) -> str:
        """The text is over: what was held back, unless it was said."""
        return self._end(len(self._sentence))

    def _end(self, end: int) -> str:
        words, shown = _words(self._sentence[:end]), ""
        if words in self._said and not self._shown:
            self.left_out += 1
            before = self._sentence[: len(self._sentence) - len(self._sentence.lstrip())]
            self._gap = before if "\n" in before else self._gap
        else:
            shown = self._show(end)
            if words.count(" ") >= LEAST_WORDS - 1:
                self._said.add(words)
        self._sentence, self._shown = self._sentence[end:], 0
        return shown

    def _show(self, end: int) -> str:
        text = self._sentence[self._shown : end]
        if self._gap and text.strip():
            text, self._gap = self._gap + text.lstrip(), ""
        self._shown = end
        return text


def _words(text: str) -> str:
    return " ".join(text.split())
