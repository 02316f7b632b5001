"""Whether a text answers what is asked about it, and the sentence that shows it; whether two items ask the same.

    source = Source(text, embedder)
    source.judge(ShortAnswer("¿Dónde nació Merian?", "Fráncfort"))    # Verdict(evidence="Maria Sibylla …", reason="")

By words: stems weighed by how rare they are in the text, and, where there is an embedder, by the cosine of the sentences.
It cannot tell a good question from an odd one with the same words. `pytest tests/test_question_checks.py`
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import cache, lru_cache
from typing import Any

import numpy as np
import Stemmer
from bm25s.stopwords import STOPWORDS_SPANISH

from index.embed import Embedder
from index.passages import paragraphs, sentences
from space.question_list import Item, ShortAnswer, Statement

ANSWERED, NEAR_BEST = 0.1, 0.7
"""Least share of a question's words in the sentence of its answer and the one before it: at all, and of the best place's share.
Of 612 Spanish questions of XQuAD all checks together keep 79 % with their own answer, 37 % with the answer of another question
about the paragraph, and 2 % of questions about another text."""
SUPPORTED = 0.75
"""Least share of a statement's words in its sentence (the names may be in the one before it)."""
SAME_WORDS, ALIKE_WORDS, ALIKE_COSINE = 0.7, 0.4, 0.85
BEGINNING, EXCHANGED = 2, 2
"""Of a false statement that is corrected by comparing it with the text: the first words, which must be those of the sentence (with
another subject it may be another sentence, gone wrong), and the most words that are exchanged for as many."""

REASONS = (
    "duplicate",
    "no_answer",
    "foreign",
    "misplaced",
    "gives_away",
    "unsupported",
    "not_false",
    "uncheckable",
)

CORRECTION = re.compile(r"no es «([^«»]+)», sino «([^«»]+)»")
_WORDS = re.compile(r"\w+")
_NEGATION = re.compile(r"\b(?:no|nunca|jamás|nadie|nada|ningun[oa]?|ningún|tampoco)\b", re.I)
_NAME = re.compile(r"(?<=[^\s.:!?¿¡] )[A-ZÁÉÍÓÚÑ]\w+|\d+")
_ASKING = (
    "que quien quienes cual cuales como cuando donde adonde cuanto cuanta cuantos cuantas segun texto".split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Verdict:
    """The sentence of the text that bears an item out, or the nearest one; `reason` is empty or one of REASONS."""

    evidence: str
    reason: str = ""


class Source:
    """A text to ask about. `embedder` adds the cosine of sentences to the words that they share."""

    def __init__(self, text: str, embedder: Embedder | None = None) -> None:
        self.text = text
        self._folded = f" {_plain(text)} "
        self._embedder = embedder
        lines = (line for paragraph in paragraphs(text) for line in paragraph.split("\n"))
        self.sentences = [s.strip() for line in lines for s in sentences(line) if s.strip()]
        self._stems = [frozenset(stems(sentence)) for sentence in self.sentences]
        self._plain = [f" {_plain(sentence)} " for sentence in self.sentences]
        self._known = Counter(stem for found in self._stems for stem in found)
        self._vectors = embedder.encode(self.sentences) if embedder and self.sentences else None

    def judge(self, item: Item) -> Verdict:
        """What the text says of `item`."""
        if isinstance(item, ShortAnswer):
            return self._judge_answer(item)
        return self._judge_true(item.text) if item.true else self._judge_false(item)

    def corrected(self, item: Statement) -> Statement:
        """A false statement that differs from its sentence in one place, with what the text has there as its correction.

        Else `item` itself: in more places or more words it may say the same otherwise.
        """
        best = self._nearest(item.text)
        if item.true or best is None:
            return item
        said, stands = (list(_WORDS.finditer(text)) for text in (item.text, self.sentences[best]))
        one, other = ([_plain(word[0]) for word in words] for words in (said, stands))
        codes = SequenceMatcher(a=one, b=other, autojunk=False).get_opcodes()
        changes = [places for change, *places in codes if change != "equal"]
        if len(changes) != 1:
            return item
        begin, end, there, until = changes[0]
        if begin < BEGINNING or not 0 < end - begin == until - there <= EXCHANGED:
            return item
        wrong = item.text[said[begin].start() : said[end - 1].end()]
        right = self.sentences[best][stands[there].start() : stands[until - 1].end()]
        return replace(item, correction=f"no es «{wrong}», sino «{right}»")

    def same(self, one: Item, other: Item) -> bool:
        """Whether two items of a type ask the same: nearly the same words, or many of them and the same meaning or answer."""
        words, others = (frozenset(stems(_asked(item))) for item in (one, other))
        if _plain(_asked(one)) == _plain(_asked(other)):
            return True
        shared = self._weight(words & others) / (self._weight(words | others) or 1)
        if shared < ALIKE_WORDS or shared >= SAME_WORDS:
            return shared >= SAME_WORDS
        answers = [_plain(item.answer) for item in (one, other) if isinstance(item, ShortAnswer)]
        return (len(answers) == 2 and answers[0] == answers[1]) or self._alike(_asked(one), _asked(other))

    def _judge_answer(self, item: ShortAnswer) -> Verdict:
        answer = f" {_plain(item.answer)} "
        holding = [n for n, plain in enumerate(self._plain) if answer in plain]
        if not holding:
            return Verdict("", "no_answer")
        asked = frozenset(stems(item.question))
        scores = self._scores(f"{item.question} {item.answer}")
        best = max(holding, key=lambda n: scores[n])
        evidence = self.sentences[best]
        if answer in f" {_plain(item.question)} ":
            return Verdict(evidence, "gives_away")
        shares = [self._share(asked, n, 1) for n in range(len(self.sentences))]
        if self._has_unknown_names(item.question) or shares[best] < ANSWERED:
            return Verdict(evidence, "foreign")
        return Verdict(evidence, "misplaced" if shares[best] < NEAR_BEST * max(shares) else "")

    def _judge_true(self, statement: str) -> Verdict:
        best = self._nearest(statement)
        if best is None:
            return Verdict("", "unsupported")
        return Verdict(self.sentences[best], "" if self._supports(best, statement) else "unsupported")

    def _judge_false(self, item: Statement) -> Verdict:
        """False by one change that can be checked: with the right value the sentence bears it out, with the wrong one it does not."""
        corrected, wrong, right = _corrected(item)
        if not corrected:
            near = self._nearest(item.text)
            return Verdict(self.sentences[near] if near is not None else "", "uncheckable")
        best = self._nearest(corrected)
        if best is None:
            return Verdict("", "unsupported")
        evidence, plain = self.sentences[best], self._plain[best]
        if f" {_plain(wrong)} " in plain:
            return Verdict(evidence, "not_false")
        if f" {_plain(right)} " not in plain or not self._supports(best, corrected):
            return Verdict(evidence, "unsupported")
        return Verdict(evidence)

    def _supports(self, n: int, statement: str) -> bool:
        """Whether sentence `n` says `statement`: nearly all of its words, all figures, and no name that the text lacks."""
        claimed = stems(statement)
        figures = {word for word in _WORDS.findall(statement) if word.isdigit()}
        missing = figures - set(_WORDS.findall(self.sentences[n]))
        if not claimed or missing or self._has_unknown_names(statement):
            return False
        if bool(_NEGATION.search(statement)) != bool(_NEGATION.search(self.sentences[n])):
            return False
        names = {stem for name in _NAME.findall(statement) for stem in stems(name)}
        rest = frozenset(claimed) - names
        return self._share(rest or frozenset(claimed), n, 0) >= SUPPORTED

    def _nearest(self, statement: str) -> int | None:
        return int(np.argmax(self._scores(statement))) if self.sentences else None

    def _scores(self, text: str) -> Any:
        """How near each sentence is to `text`, float [sentences]."""
        words = frozenset(stems(text))
        shares = [
            self._share(words, n, 0) + 0.25 * self._share(words, n, 1) for n in range(len(self.sentences))
        ]
        if self._embedder is None or self._vectors is None:
            return np.array(shares)
        return np.array(shares) + 0.5 * (self._vectors @ self._embedder.encode([text])[0])

    def _alike(self, one: str, other: str) -> bool:
        if self._embedder is None:
            return False
        return float(np.dot(*self._embedder.encode([one, other]))) >= ALIKE_COSINE

    def _share(self, words: Collection[str], n: int, before: int) -> float:
        """The share of `words`, weighed, that sentence `n` and the `before` sentences before it hold."""
        here = frozenset().union(*self._stems[max(0, n - before) : n + 1])
        return self._weight(here.intersection(words)) / (self._weight(words) or 1)

    def _weight(self, words: Collection[str]) -> float:
        """The sum of the words' idf in the text, as BM25 counts it."""
        count = len(self.sentences)
        return sum(math.log(1 + (count - self._known[w] + 0.5) / (self._known[w] + 0.5)) for w in words)

    def _has_unknown_names(self, claim: str) -> bool:
        """Whether a name (not the first word) or a figure of `claim` is not in the text."""
        return any(f" {_plain(name)} " not in self._folded for name in _NAME.findall(claim.lstrip("¿")))


def stems(text: str) -> list[str]:
    """The stems of the words that carry meaning, without accents; figures as they are."""
    return [_stem(word) for word in _plain(text).split() if word not in _emptywords()]


@cache
def _emptywords() -> frozenset[str]:
    return frozenset(_plain(word) for word in (*STOPWORDS_SPANISH, *_ASKING))


@cache
def _stemmer() -> Any:
    return Stemmer.Stemmer("spanish")


@lru_cache(50_000)
def _stem(word: str) -> str:
    return str(_stemmer().stemWord(word))


def _plain(text: str) -> str:
    """The words of `text` in small letters without accents, one space apart."""
    marks = unicodedata.normalize("NFD", text.casefold())
    return " ".join(_WORDS.findall("".join(c for c in marks if not unicodedata.combining(c))))


def _asked(item: Item) -> str:
    """What is asked; of a false statement, what would be true."""
    if isinstance(item, ShortAnswer):
        return item.question
    return _corrected(item)[0] or item.text


def _corrected(item: Statement) -> tuple[str, str, str]:
    """A false statement with the right value in the place of the wrong one, the wrong and the right one; empty texts when its
    correction does not say them, or the wrong one is not in one place of it."""
    found = CORRECTION.fullmatch(item.correction)
    wrong, right = found.groups() if found else ("", "")
    places = list(re.finditer(rf"(?<!\w){re.escape(wrong)}(?!\w)", item.text)) if wrong else []
    if len(places) != 1 or _plain(wrong) == _plain(right):
        return "", "", ""
    start, end = places[0].span()
    return f"{item.text[:start]}{right}{item.text[end:]}", wrong, right
