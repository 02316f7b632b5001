"""A third model that reads generated texts, as the source system measured; used by `python -m train evaluate`.

Low perplexity there means "easy to predict for that model", not "good" and not "like the author": a text that repeats itself or
the training texts scores best. Orador reports it beside the author's own texts, which shows what it is worth.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import numpy as np

from train.gguf_facts import GgufFacts
from train.ngram import ORDER, KneserNey
from train.scoring import Scorer


class Judge(Protocol):
    """`name` says what it is, for the report."""

    name: str

    def nats(self, text: str) -> tuple[float, int]:
        """Nats of `text` and how many tokens they are of."""

    def close(self) -> None: ...


class GgufJudge:
    """Any GGUF, read as plain text without a prompt."""

    def __init__(self, path: Path, context: int, threads: int) -> None:
        """Raises ModelUnreadable."""
        facts = GgufFacts.read(path)
        self.name = path.name
        self._scorer = Scorer(path, {}, facts.chat_template, min(context, facts.context), threads)

    def nats(self, text: str) -> tuple[float, int]:
        return self._scorer.text(text.strip())

    def close(self) -> None:
        self._scorer.close()


class NgramJudge:
    """A 5-gram model counted on the generator's own training texts, over the tokens of its base model."""

    name = f"{ORDER}-gram"

    def __init__(self, base: Scorer, texts: Iterable[str]) -> None:
        """`base` gives the tokens; `texts` have more than ORDER tokens together."""
        self._base = base
        self._end = base.vocabulary.markers[base.vocabulary.eos].id
        stream = [self._end]
        for text in texts:
            stream += [*base.vocabulary.tokenize(text.strip()), self._end]
        self._model = KneserNey(np.array(stream), base.vocabulary.size)

    def nats(self, text: str) -> tuple[float, int]:
        ids = [self._end, *self._base.vocabulary.tokenize(text.strip())]
        if len(ids) < 2:
            return 0.0, 0
        return float(-np.log(self._model.probabilities(np.array(ids))).sum()), len(ids) - 1

    def close(self) -> None:
        self._base.close()
