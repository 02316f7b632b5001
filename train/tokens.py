"""Texts as arrays of token numbers, in chunks of whole texts: what train/keyphrases.py counts in."""

from __future__ import annotations

import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from train.audit import Audit
from train.processes import Processes

GAP = 4  # tokens between texts, as many as a phrase has
_TOKEN = re.compile(r"\w+(?:[-’]\w+)*|[^\w\s]")
_CHARS = 2_000_000  # of a chunk
_SENTENCE_END = frozenset('.!?…:¿¡"«“‘(—-')


@dataclass(frozen=True)
class Chunk:
    """The tokens of some consecutive texts: `written` their numbers, int32 (tokens,); `ends` where each text ends, int64
    (texts,); `first` is the number of the first text. Each text is followed by GAP full stops."""

    written: Any
    ends: Any
    first: int

    def texts_at(self, positions: Any) -> Any:
        """The text of each position, int32."""
        import numpy as np

        return (self.first + np.searchsorted(self.ends, positions, side="right")).astype(np.int32)


class Tokens:
    """The tokens of all `texts`: `forms` as they are written and `words` in lower case, by number; `number` of texts."""

    def __init__(self, texts: Iterable[str], processes: Processes) -> None:
        import numpy as np

        forms: defaultdict[str, int] = defaultdict()
        forms.default_factory = forms.__len__
        self.chunks: list[Chunk] = []
        self.number = 0
        for own, written, ends in processes.map(_tokenize, _batches(texts), Audit(), together=1):
            numbers = np.array([forms[form] for form in own], dtype=np.int32)
            self.chunks.append(Chunk(numbers[written], np.array(ends), self.number))
            self.number += len(ends)
        self.forms = list(forms)
        lower: defaultdict[str, int] = defaultdict()
        lower.default_factory = lower.__len__
        self._lower = np.array([lower[form.lower()] for form in self.forms], dtype=np.int32)
        self.words = list(lower)
        self._ends = self.among(_SENTENCE_END)
        self._capital = np.array([form[0].isupper() for form in self.forms], dtype=bool)

    def lower(self, chunk: Chunk) -> Any:
        """The number of each token's lower-case form."""
        return self._lower[chunk.written]

    def among(self, words: Collection[str]) -> Any:
        """For each lower-case form by number whether it is one of `words`."""
        import numpy as np

        return np.fromiter((word in words for word in self.words), dtype=bool, count=len(self.words))

    def starts(self, chunk: Chunk) -> Any:
        """Whether each token is the first of a sentence."""
        import numpy as np

        return np.concatenate(([True], self._ends[self.lower(chunk)][:-1]))

    def company(self, *before: Collection[str]) -> tuple[dict[str, int], list[Counter[str]]]:
        """How often each word occurs; how often after each of the lists `before` (the first that holds what stands before
        it), and last how often with a capital inside a sentence."""
        import numpy as np

        size = len(self.words)
        tables = [self.among(words) for words in before]
        totals = np.zeros((len(before) + 2, size), dtype=np.int64)
        for chunk in self.chunks:
            lower = self.lower(chunk)
            previous = np.roll(lower, 1)  # the last token, a full stop, stands before the first
            free = np.ones(len(lower), dtype=bool)
            totals[0] += np.bincount(lower, minlength=size)
            for row, table in enumerate(tables, 1):
                found = table[previous] & free
                free &= ~found
                totals[row] += np.bincount(lower[found], minlength=size)
            capital = self._capital[chunk.written] & ~self.starts(chunk)
            totals[-1] += np.bincount(lower[capital], minlength=size)
        total, *after = (
            {word: n for word, n in zip(self.words, row, strict=True) if n} for row in totals.tolist()
        )
        return total, [Counter(counts) for counts in after]


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size >= _CHARS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _tokenize(texts: list[str], _: Audit) -> tuple[list[str], Any, list[int]]:
    """The distinct tokens in the order they first occur, the number of each token among them, and where each text ends."""
    import numpy as np

    forms: defaultdict[str, int] = defaultdict()
    forms.default_factory = forms.__len__
    stream, ends = array("i"), []
    for text in texts:
        stream.extend(map(forms.__getitem__, _TOKEN.findall(text)))
        stream.extend([forms["."]] * GAP)  # no phrase reaches into the next text
        ends.append(len(stream))
    return list(forms), np.frombuffer(stream, dtype=np.int32), ends
