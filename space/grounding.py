"""Which passage bears out which sentence of a text, without asking a model.

    ground("El reloj atrasaba los martes. Costó una fortuna.", [passage.text], embedder)   # (Support(…, 1, …), Support(…, 0, …))

Each sentence is compared with each sentence of the passages, and with each two that follow each other, by the share of its
stems that occur there and by the cosine of their vectors, in equal parts; the cosine is rescaled by the embedder's
usual cosine between other sentences, as BERTScore does (Zhang et al., 2020). What is near and still says something else is what
such measures miss (Honovich et al., TRUE, 2022), so that the nearest place must also pass checks that a reader can follow: every
figure and every name, the same words denied, no opposite, and no clause that is not there. A passage is cited or not: nothing is
guessed. Measured by `python -m tests.bench.bench_grounding`; figures in docs/grounding.md.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np

from index.embed import Embedder, encode_passages
from index.passages import paragraphs, sentences
from space.question_checks import stems

NEAR = 0.8
"""Least score of a place that bears a sentence out, for a precision of about 0.95 on the tuning half of tests/grounding_set.json."""
CLAUSE = 0.5
"""Least share of the stems of every clause of two stems or more."""
REASONS = ("far", "figure", "name", "negation", "clause")

_WORD = re.compile(r"\w+")
_NAME = re.compile(r"(?<=[^\s.:!?¿¡«—] )[A-ZÁÉÍÓÚÑ]\w+")
_BREAK = re.compile(r"[,.;:!?¿¡«»“”\"…—()]")
_CLAUSE = re.compile(r"[,;:]|\b(?:y|e|o|pero|aunque|porque|que)\b")
_DENIED = 2
"""How many stems after a denying word are denied, at most to the next mark."""
_DENYING = frozenset("no ni nunca jamás nadie ningún ninguno ninguna tampoco sin".split())  # noqa: SIM905
_OPPOSITES = (
    "más menos;muy poco;antes después;siempre nunca;mejor peor;mayor menor;primer último;primera última;principio final;anterior posterior;"
    "cerca lejos;dentro fuera;arriba abajo;faltar sobrar;subir bajar;grande pequeño;alto bajo;largo corto;blanco negro;bonito feo;"
    "fácil difícil;abrir cerrar;fuerte débil;rápido lento;caro barato;joven viejo;nuevo viejo;frío caliente;lleno vacío;claro oscuro;"
    "bueno malo;rico pobre;ganar perder;empezar terminar;entrar salir;comprar vender;adelantar atrasar;verdadero falso;norte sur;"
    "este oeste;izquierda derecha;noche día;hombre mujer;padre madre;hijo hija;hermano hermana;abuelo abuela;público privado"
)
_CALENDAR = (
    "lunes martes miércoles jueves viernes sábado domingo enero febrero marzo abril mayo junio julio agosto septiembre octubre "
    "noviembre diciembre segundo minuto hora día semana mes año años siglo milímetro centímetro metro kilómetro gramo kilo litro grado"
)
_SMALL = (
    "dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis diecisiete dieciocho diecinueve "
    "veinte veintiuno veintidós veintitrés veinticuatro veinticinco veintiséis veintisiete veintiocho veintinueve treinta"
)
_TENS = "cuarenta cincuenta sesenta setenta ochenta noventa cien"
_HUNDREDS = "doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos novecientos"
_ORDINALS = "primer segund tercer cuart quint sext séptim octav noven décim"
_NUMBERS = {
    **{word: str(n) for n, word in enumerate(_SMALL.split(), 2)},
    **{word: str(n * 10) for n, word in enumerate(_TENS.split(), 4)},
    **{word: str(n * 100) for n, word in enumerate(_HUNDREDS.split(), 2)},
    **{"mil": "1000", "millón": "1000000", "millones": "1000000"},
    **{word + end: f"{n}." for n, word in enumerate(_ORDINALS.split(), 1) for end in ("", "o", "a")},
}


@dataclass(frozen=True)
class Support:
    """A sentence of a text, in the paragraph `paragraph` (from 0), and the number of the passage that bears it out (from 1; 0:
    none does); `evidence` is the nearest place of the passages, `score` how near it is (1: the same words), `reason` why it does
    not bear the sentence out, one of REASONS, or empty.
    """

    paragraph: int
    sentence: str
    passage: int
    evidence: str
    score: float
    reason: str = ""


@dataclass(frozen=True)
class _Claim:
    """A piece of text with what the checks look at."""

    text: str

    @cached_property
    def stems(self) -> frozenset[str]:
        return frozenset(stems(self.text))

    @cached_property
    def words(self) -> list[str]:
        return _WORD.findall(self.text.casefold())

    @cached_property
    def keys(self) -> frozenset[str]:
        """The words by their stems, empty words as they are."""
        return frozenset(map(_key, self.words))

    @cached_property
    def figures(self) -> frozenset[str]:
        """The numbers, in digits or in words, and the days, months and units."""
        numbers = {_NUMBERS.get(word, word) for word in self.words if word.isdigit() or word in _NUMBERS}
        return frozenset(numbers | (self.keys & _calendar()))

    @cached_property
    def polarity(self) -> tuple[frozenset[str], frozenset[str]]:
        """The stems that are only denied, and those that are only stated."""
        denied: set[str] = set()
        stated: set[str] = set()
        for part in _BREAK.split(self.text):
            left = 0
            for word in _WORD.findall(part.casefold()):
                if word in _DENYING:
                    left = _DENIED
                elif stem := stems(word):
                    (denied if left > 0 else stated).update(stem)
                    left -= 1
        return frozenset(denied - stated), frozenset(stated - denied)


@dataclass(frozen=True)
class _Place(_Claim):
    """One or two sentences of the passage number `passage`, whose stems are `around`."""

    passage: int
    around: frozenset[str]


def ground(text: str, passages: Sequence[str], embedder: Embedder) -> tuple[Support, ...]:
    """The sentences of `text` in order, each with the one of `passages` that bears it out, if any does."""
    found = [(number, sentence) for number, paragraph in enumerate(blocks(text)) for sentence in paragraph]
    places, baseline = _places(passages, embedder)
    if not found or not places:
        return tuple(Support(number, sentence, 0, "", 0.0, "far") for number, sentence in found)
    vectors = encode_passages(embedder, [place.text for place in places])
    cosines = encode_passages(embedder, [sentence for _, sentence in found]) @ vectors.T
    near = np.clip((cosines - baseline) / (1 - baseline), 0, 1)
    return tuple(
        _support(number, _Claim(sentence), places, row)
        for (number, sentence), row in zip(found, near, strict=True)
    )


def blocks(text: str) -> list[list[str]]:
    """The sentences of each paragraph, white space made single."""
    split = (
        [" ".join(s.split()) for s in sentences(paragraph) if s.strip()] for paragraph in paragraphs(text)
    )
    return [block for block in split if block]


def _places(passages: Sequence[str], embedder: Embedder) -> tuple[list[_Place], float]:
    """All places, single sentences first, and the mean cosine between two sentences of the passages."""
    single: list[_Place] = []
    double: list[_Place] = []
    for number, passage in enumerate(passages, 1):
        pieces = [sentence for block in blocks(passage) for sentence in block]
        around = frozenset(stems(passage))
        single += [_Place(piece, number, around) for piece in pieces]
        double += [_Place(f"{one} {other}", number, around) for one, other in itertools.pairwise(pieces)]
    vectors = encode_passages(embedder, [place.text for place in single])
    count = len(single)
    pairs = count * (count - 1)
    baseline = (
        float((np.square(vectors.sum(axis=0)).sum() - np.square(vectors).sum()) / pairs) if pairs else 0.0
    )
    return [*single, *double], min(max(baseline, 0.0), 0.95)


def _support(number: int, claim: _Claim, places: list[_Place], near: Any) -> Support:
    """`near`: rescaled cosines, float [places]."""
    shares = np.array([_share(claim.stems, place) for place in places])
    scores = (shares + near) / 2
    best = int(np.argmax(scores))
    place, score = places[best], float(scores[best])
    reason = "far" if score < NEAR else _objection(claim, place)
    return Support(number, claim.text, 0 if reason else place.passage, place.text, score, reason)


def _share(wanted: frozenset[str], place: _Place) -> float:
    return len(wanted & place.stems) / len(wanted) if wanted else 0.0


def _objection(claim: _Claim, place: _Place) -> str:
    """Why `place` does not say what `claim` says although it is near; empty where nothing speaks against it."""
    if claim.figures - place.figures:
        return "figure"
    if any(set(stems(name)) - place.around for name in _NAME.findall(claim.text)) or _other_subject(
        claim, place
    ):
        return "name"
    denied, stated = claim.polarity
    there_denied, there_stated = place.polarity
    if denied & there_stated or stated & there_denied or _opposed(claim.keys, place.keys):
        return "negation"
    clauses = (frozenset(stems(clause)) for clause in _CLAUSE.split(claim.text))
    if any(len(clause) > 1 and _share(clause, place) < CLAUSE for clause in clauses):
        return "clause"
    return ""


def _opposed(keys: frozenset[str], there: frozenset[str]) -> bool:
    """Whether one side has a word and only the other its opposite."""
    return any(
        one in keys and other in there and one not in there and other not in keys
        for one, other in _opposites()
    )


@cache
def _opposites() -> tuple[tuple[str, str], ...]:
    pairs = [[_key(word) for word in pair.split()] for pair in _OPPOSITES.split(";")]
    return tuple(both for one, other in pairs for both in ((one, other), (other, one)))


@cache
def _calendar() -> frozenset[str]:
    return frozenset(map(_key, _CALENDAR.split()))


def _key(word: str) -> str:
    return next(iter(stems(word)), word)


def _other_subject(claim: _Claim, place: _Place) -> bool:
    """Whether the first word is unknown to the passage and stands where a sentence of the place has another one."""
    first = claim.words[:2]
    if len(first) < 2 or not stems(first[0]) or set(stems(first[0])) <= place.around:
        return False
    begins = (_WORD.findall(s.casefold())[:2] for s in sentences(place.text))
    return any(len(words) == 2 and words[1] == first[1] and stems(words[0]) for words in begins)
