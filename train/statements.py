"""True and false statements out of the sentences of a text: used by `python -m train prepare questions`.

The true one is a sentence of the text. The false one is the sentence with one value replaced by another of the same type
from the corpus: a year by a year, a date by a date, a number by a number, a name that answers "who" or "where" by one that
answers the same. Only sentences that can be understood alone, and of which a value can be replaced, are used for either,
so that the presence of a value does not give the solution away.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher

from space.question_list import Statement
from train.question_repair import find_span

MIN_WORDS, MAX_WORDS = 6, 35  # of a statement
YEARS = 30  # most years between a year and its replacement

_TRIED = 200  # values of other documents tried as a replacement
_MONTH = r"(?:enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre)"
_DATE = re.compile(rf"\b\d{{1,2}} de {_MONTH}(?: de \d{{4}})?\b")
_YEAR = re.compile(r"(?<![\d.,$€£-])(?:1[0-9]\d\d|20[0-2]\d)(?![\d.,]*\d|[-–%])")
_FIGURE = re.compile(r"(?<![\w.,$€£/-])\d{1,3}(?:(?:[.,  ]\d{3})+|[.,]\d{1,2})?(?![\w/°º-]|[.,]\d)")
_WORD_NUMBERS = "dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince veinte treinta cuarenta cincuenta".split()  # noqa: SIM905
_WORD_NUMBER = re.compile(rf"\b(?:{'|'.join(_WORD_NUMBERS)})\b(?! (?:mil|millones|y)\b)")
_NAME_PART = r"[A-ZÁÉÍÓÚÑ][a-záéíóúüñ'’-]+(?:[A-Z][a-z]+)?"
_NAME = re.compile(
    rf"(?:{_NAME_PART}|[A-Z]\.)(?: (?:(?:de|del|de la|von|van|da|di) )?(?:{_NAME_PART}|[A-Z]\.|I[IVX]*|V))*"
)
_BOUND = re.compile(
    r"(?:más de|menos de|al menos|casi|hasta|entre|desde|alrededor de|aproximadamente|cerca de|unos|unas|primer\w*|mínimo de|máximo de|los|las|y|o|de)\s+$",
    re.I,
)
_YEAR_BOUND = re.compile(
    r"(?:antes de|después de|hasta|desde|entre|finales de|principios de|y|o|a|-)\s+$", re.I
)
_QUANTITIES = (
    ("date", _DATE, _YEAR_BOUND),
    ("year", _YEAR, _YEAR_BOUND),
    ("figure", _FIGURE, _BOUND),
    ("number", _WORD_NUMBER, _BOUND),
)
_PART_OF_NAME = re.compile(r"[A-ZÁÉÍÓÚÑ][\w'’-]* $")  # "Super Bowl 50"
_NAMES = ("who", "where")
_ASKS_NAME = re.compile(r"¿(?:\w+ )?(quién|dónde|(?:qué|cuál) (?:ciudad|país|condado))\b", re.I)
_PLACED = re.compile(r"\b((?:en|a|de|desde|hacia|por)(?: (?:el|la|los|las))?|al|del) $", re.I)
_GENDER = {"el": "m", "al": "m", "del": "m", "un": "m", "la": "f", "una": "f"}
_ARTICLE = re.compile(r"\b(el|la|los|las|un|una|al|del|lo)\s+$", re.I)
_ARTICLES = re.compile(r"^(?:el|la|los|las) ", re.I)

_DETERMINERS = (
    r"(?:El|La|Los|Las|Un|Una|Unos|Unas|Cada|Muchos|Muchas|Algunos|Algunas|Todos los|Todas las|Varios|Varias)"
)
_SUBJECT = re.compile(
    rf"{_DETERMINERS} (?!más|menos|mejor|peor|primer|segund|tercer|último|última|en |de |del )"
)
_FIRST_WORD = re.compile(r"[\w'’-]+")
_INNER_NAME = re.compile(r"(?<=[\wáéíóúüñ,] )[A-ZÁÉÍÓÚÑ][\w'’-]+")
_ADVERBIAL = re.compile(
    r"(?:En|Durante|Desde|Hasta|Entre|Tras|Después de|Antes de|Según|Para|A (?:principios|finales|mediados|partir) de|Con|Bajo|Hacia) [^,;:]{2,60}, "
)
_THEN_SUBJECT = re.compile(r"(?:el|la|los|las|un|una|unos|unas|[A-ZÁÉÍÓÚÑ][\w'’-]+) ")
_NO_OPENING = re.compile(
    r"(?:Él|Ella|Ellos|Ellas|Ello|Esto|Est[ae]s?|Es[aeo]s?|Aquel\w*|Su|Sus|Tal|Tales|Dich[ao]s?|Amb[ao]s|Otr[ao]s?|El otro|La otra|Los otros|Las otras|"
    r"El mismo|La misma|Los mismos|Las mismas|El primero|La primera|El segundo|La segunda|El último|Los? que|Las? que|El que|Un[ao] de ellos|Algunos de ellos|"
    r"Sin|Además|También|Pero|Aunque|Así|Por|Entonces|Luego|Después|Aquí|Allí|Como|Cuando|Donde|Mientras|Finalmente|No|Si|Sólo|Solo|Se|Fue|Fueron|Era|Eran|Es|Son|"
    r"Ha|Han|Había|Habían|Hay|Hubo|Tiene|Tenía|Tuvo|Está|Están|Estaba|Estaban|Otro|Debido|Posteriormente|Inicialmente|Originalmente|Actualmente|"
    r"Y|E|O|Ni|Lo|Le|Les|Al|Que|Cual|Quien|Quizás|Tal vez|Hoy|Ahora|Más|Menos|Ya|Muy|Dado|Junto|A|De|Del|\w+mente|\w+(?:aron|ieron|ando|iendo))\b"
)
_POINTS_AWAY = re.compile(
    r"\b(?:est[ae]s?|esto|es[ae]s?|eso|aquel\w*|dich[ao]s?|tal(?:es)?|allí|aquí|ahí|anterior(?:es|mente)?|siguientes?|mencionad\w+|el mismo|la misma|"
    r"el primero|la primera|el segundo|el último|ellos|ellas|(?:años|meses|semanas|días|poco) (?:después|antes|más tarde)(?! de)|yo|nosotros|usted|tú|mi|mis|nuestr\w+)\b",
    re.I,
)
_ABBREVIATED = re.compile(r"\b(?:St|Sta|Jr|Sr|Dr|Mr|Mrs|vs|etc|núm|EE|UU|[A-Z])\.$")
_UNWANTED = re.compile(r"[()\[\]:;?¿!¡\"“”«»…]|\s[-–—]\s| _ |\.\s")


@dataclass(frozen=True)
class Place:
    """Where a sentence is: its text, and the id and title of its document."""

    text: str
    document: str
    title: str


@dataclass(frozen=True)
class Fact:
    """A sentence, where it is, and a question that it answers; both empty when nothing is asked about it."""

    sentence: str
    place: Place
    question: str = ""
    answer: str = ""


@dataclass(frozen=True)
class Change:
    """One value of a sentence and what may take its place."""

    old: str
    new: str

    def apply(self, sentence: str) -> Statement:
        """The false statement, with its correction."""
        start, end = find_span(sentence, self.old) or (0, 0)
        return Statement(f"{sentence[:start]}{self.new}{sentence[end:]}", False, self.correction)

    @property
    def correction(self) -> str:
        """As space/question_grammar.py has it written."""
        return f"no es «{self.new}», sino «{self.old}»"


def changed(statement: str, corrected: str) -> Change | None:
    """What `statement` says wrongly and the expression that takes its place in `corrected`, the right sentence, which may leave
    other words out; None where that is not one expression for another.
    """
    wrong, right = ([word.strip(",.;:") for word in text.split()] for text in (statement, corrected))
    matcher = SequenceMatcher(None, [w.lower() for w in wrong], [w.lower() for w in right], autojunk=False)
    edits = [edit for edit in matcher.get_opcodes() if edit[0] in ("replace", "insert")]
    if len(edits) != 1 or edits[0][0] == "insert":
        return None
    _, start, end, begin, stop = edits[0]
    return Change(old=" ".join(right[begin:stop]), new=" ".join(wrong[start:end]))


def inner_names(text: str) -> frozenset[str]:
    """The words of a text that have a capital in the middle of a sentence."""
    return frozenset(_INNER_NAME.findall(text))


def why_not_alone(sentence: str, names: Collection[str]) -> str:
    """Why a sentence cannot stand alone, or "" when it can; `names` are the capitalised words of its document."""
    number = len(sentence.split())
    if number < MIN_WORDS or number > MAX_WORDS:
        return f"under {MIN_WORDS} or over {MAX_WORDS} words"
    if not sentence.endswith(".") or _UNWANTED.search(sentence[:-1]) or _ABBREVIATED.search(sentence):
        return "quotes, brackets, a list or several clauses"
    if _NO_OPENING.match(sentence) or _POINTS_AWAY.search(sentence):
        return "refers to another sentence"
    adverbial = _ADVERBIAL.match(sentence)
    if adverbial:
        return "" if _THEN_SUBJECT.match(sentence[adverbial.end() :]) else "names no subject at its beginning"
    first = _FIRST_WORD.match(sentence)
    named = _SUBJECT.match(sentence) or (first and first[0] in names)
    return "" if named else "names no subject at its beginning"


@dataclass(frozen=True)
class _Value:
    """A part of a sentence that can be replaced: its type and what a replacement must agree with."""

    kind: str
    agreement: tuple[str, ...]
    text: str

    @property
    def type(self) -> tuple[str, ...]:
        return (self.kind, *self.agreement)


class Values:
    """The values of a corpus by type, from which replacements are drawn."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        self._near: dict[tuple[str, ...], set[str]] = defaultdict(set)
        self._far: dict[tuple[str, ...], dict[str, None]] = defaultdict(dict)
        self._names: dict[str, dict[str, str]] = defaultdict(dict)
        for fact in facts:
            value = self._value(fact)
            if value:
                self._near[fact.place.document, *value.type].add(value.text)
                self._far[value.type][value.text] = None
                if value.kind in _NAMES:
                    self._names[fact.place.document][value.text] = value.kind

    def change(self, fact: Fact, rng: random.Random) -> Change | None:
        """One change that makes the fact's sentence false, or None."""
        value = self._value(fact)
        if not value:
            return None
        near = self._near[fact.place.document, *value.type]
        choices = [new for new in sorted(near) if _replaces(value, new, fact)]
        if not choices and value.kind not in _NAMES:  # another article's people and places are not believable
            far = list(self._far[value.type])
            drawn = rng.sample(far, min(_TRIED, len(far)))
            choices = [new for new in drawn if _replaces(value, new, fact)]
        return Change(value.text, rng.choice(choices)) if choices else None

    def _value(self, fact: Fact) -> _Value | None:
        """The first value of the answer, or of a sentence without one, that can be replaced."""
        if not fact.answer:
            known = self._names[fact.place.document].items()
            names = (_name(fact.sentence, name, kind) for name, kind in known)
            return _quantity(fact.sentence, fact.sentence) or next(filter(None, names), None)
        if _quantity_in(fact.answer):
            return _quantity(fact.sentence, fact.answer)
        asks = _ASKS_NAME.match(fact.question)
        text = _ARTICLES.sub("", fact.answer)
        if not asks or not _NAME.fullmatch(text):
            return None
        return _name(fact.sentence, text, "who" if asks[1].lower() == "quién" else "where")


def _quantity_in(text: str) -> bool:
    return any(pattern.search(text) for _, pattern, _ in _QUANTITIES)


def _quantity(sentence: str, part: str) -> _Value | None:
    """The one date, year or number of `part` (of a sentence), if it can be replaced in the sentence."""
    for kind, pattern, bound in _QUANTITIES:
        found = pattern.findall(part)
        if not found:
            continue
        if kind in ("date", "year") and len(_YEAR.findall(sentence)) > 1:
            return None  # their order may become absurd
        place = find_span(sentence, found[0])
        before = sentence[: place[0]] if place else ""
        fixed = bound.search(before) or (kind in ("figure", "number") and _PART_OF_NAME.search(before))
        if len(found) > 1 or not place or sentence.count(found[0]) > 1 or fixed:
            return None
        return _Value(kind, _agreement(kind, sentence, place), found[0])
    return None


def _agreement(kind: str, sentence: str, place: tuple[int, int]) -> tuple[str, ...]:
    text, before, after = sentence[slice(*place)], sentence[: place[0]], sentence[place[1] :]
    if kind == "date":
        return ("year" if _YEAR.search(text) else "",)
    if kind == "year":
        return ("decade" if re.search(r"(?:década|años) (?:de )?$", before) else "",)
    if kind == "figure":
        percent = "percent" if re.match(r"\s?(?:%|por ciento)", after) else ""
        return (percent, "," if "," in text else "." if "." in text else "")
    return ()


def _name(sentence: str, text: str, kind: str) -> _Value | None:
    """A name as a value of a sentence, unless it is one of several, or a part of a longer name."""
    place = find_span(sentence, text)
    if not place or sentence.count(text) != 1:
        return None
    before, after = sentence[: place[0]], sentence[place[1] :]
    if re.search(r"(?:\b[A-ZÁÉÍÓÚÑ][\w'’-]*|\b(?:y|e|o|u)|,) $", before) or re.match(
        r",? (?:[yeou] |[A-ZÁÉÍÓÚÑ])|, [A-ZÁÉÍÓÚÑ]", after
    ):
        return None
    if kind == "where":
        preposition = _PLACED.search(before)
        return _Value(kind, (preposition[1].lower(),), text) if preposition else None
    article = _ARTICLE.search(before)
    agreement = (
        _GENDER.get(article[1].lower(), article[1].lower())
        if article
        else text.split()[0][-1].replace("o", "")
    )
    return _Value(kind, (agreement if article or agreement == "a" else "",), text)


def _replaces(value: _Value, new: str, fact: Fact) -> bool:
    """Whether `new` in the place of the value makes a sentence that is possible and, by its text, false."""
    old = value.text
    if find_span(fact.place.text, new):
        return False
    if value.kind == "year":
        return 2 <= abs(int(new) - int(old)) <= YEARS
    if value.kind == "date":
        years = [int(year) for text in (old, new) for year in _YEAR.findall(text)]
        return not years or abs(years[0] - years[1]) <= YEARS
    if value.kind == "figure":
        one, other = (_size(text, value.agreement[1]) for text in (old, new))
        return one > 1 and other > 1 and 0.2 <= other / one <= 5 and one != other
    if value.kind in _NAMES:
        there = f"{fact.place.text} {fact.place.title}"
        return not set(re.findall(r"\w{4,}", new)) & set(re.findall(r"\w{4,}", there))
    return True


def _size(figure: str, mark: str) -> float:
    """The value of a figure; a point or a space groups thousands, a comma is the decimal one."""
    plain = re.sub(r"[^\d,]", "", figure)
    return float(plain.replace(",", "." if mark == "," else ""))
