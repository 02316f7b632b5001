"""Cleans questions of machine-translated sets and finds their answers in the text: used by `train prepare questions`.

A kept question begins with "¿" and a word that asks, ends with "?" and is Spanish; a kept answer is a whole-word span.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

MIN_WORDS, MAX_WORDS = 3, 30  # of a question
MAX_ANSWER_WORDS = 12

_ASKS = r"(?:qué|quién(?:es)?|cuál(?:es)?|cómo|(?:a)?dónde|cuándo|cuánt[oa]s?)"
_BEFORE = (
    r"(?:(?:a|además|alrededor|ante|aproximadamente|bajo|casi|cerca|con|contra|de|desde|durante|en|entre|fuera|hacia|hasta|junto|"
    r"más|menos|o|para|por|según|sin|sobre|tras|y) ){0,4}?"
)
_ASKING = re.compile(rf"¿{_BEFORE}{_ASKS}\b", re.I)
_BARE = re.compile(rf"{_BEFORE}{_ASKS}\b", re.I)
_UNACCENTED = {
    "quien": "Quién", "quienes": "Quiénes", "cual": "Cuál", "cuales": "Cuáles", "donde": "Dónde",
    "cuanto": "Cuánto", "cuanta": "Cuánta", "cuantos": "Cuántos", "cuantas": "Cuántas",
}  # fmt: skip
_AFTER_COMMA = re.compile(r"([^¿?]+),\s*(¿[^¿?]+\?)")
_ACCORDING = re.compile(r"(?:según|de acuerdo con) (?:el|este) (?:texto|párrafo|pasaje|artículo)$", re.I)
_ADVERBIAL = re.compile(
    r"(?:a|además|al|antes|aparte|bajo|con|cuando|de|debido|dentro|desde|después|durante|en|entre|fuera|hacia|hasta|junto|para|"
    r"por|según|si|sin|sobre|tras)\b",
    re.I,
)
_REFERS_BACK = re.compile(rf"¿{_BEFORE}{_ASKS}(?: \w+)? (?:l[oe]s?|est[aeo]s?|es[aeo]s?|allí)\b", re.I)
_SUBJECT_FIRST = re.compile(
    r"¿(?:(?:[Aa]|[Dd]e|[Ee]n|[Cc]on|[Pp]or|[Pp]ara|[Dd]esde|[Hh]asta) )?(?:[Cc]uándo|[Cc]ómo|[Dd]ónde|[Qq]uién(?:es)?|[Cc]uál(?:es)?) "
    r"(?:el|la|los|las|un|una|su|sus|[A-ZÁÉÍÓÚÑ]\S+)\b"
)
_REASON = re.compile(r"(?:a|como|con|debido|en|para|porque|por|pues|que|ya)\b", re.I)
_ENGLISH = frozenset(
    "the of and what which who whom whose when where why how is was were did does do are in to for from by with has had that many much".split()  # noqa: SIM905
)
_SPANISH = frozenset(
    "el la los las de del que qué en y a por para con se un una su fue es era quién cuál cómo dónde cuándo al lo no son".split()  # noqa: SIM905
)
_FUNCTION_WORDS = _SPANISH | frozenset("sí e o u este esta ese esa uno más muy".split())  # noqa: SIM905
_TRANSLATED = (
    (re.compile(r"(?<=[A-Za-z]) '(?=s\b)"), "'"),
    (re.compile(r" +(?=[,;:)](?:\s|$))|(?<=\() +"), ""),
    (
        re.compile(
            r";(?= (?:El|La|Los|Las|Un|Una|En|Sin|Durante|Aunque|Pero|Y|Por|Se|Su|Sus|Además|Mientras|También|Como|Cuando|Con|Para|"
            r"Est[aeo]s?|Ese|Esa|Sólo|Solo|No|Después|Entonces|Algunos|Algunas|Muchos|Otros|Otras|Todos|Si|Tras|A|De|Derrotaron|Fue)\b)"
        ),
        ".",
    ),
)
_TIME = re.compile(
    r"\d|siglo|año|década|mes\b|meses|semana|día|hora|noche|mañana|tarde|primavera|verano|otoño|invierno|guerra|después|antes|"
    r"durante|lunes|martes|miércoles|jueves|viernes|sábado|domingo|enero|febrero|marzo|abril|mayo|junio|julio|agosto|"
    r"septiembre|octubre|noviembre|diciembre|era\b|época|período|periodo|principios|finales|mediados|cuando|tras|hasta|temprano",
    re.I,
)
_QUANTITY = re.compile(
    r"\d|\b(?:un[oa]?|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|once|doce|trece|catorce|quince|veint\w+|treinta|cuarenta|"
    r"cincuenta|sesenta|setenta|ochenta|noventa|cien\w*|\w+cient[oa]s|mil\w*|docenas?|mitad|terci\w+|tercera|cuart\w+|ningun[oa]|cero|"
    r"mucho|much[oa]s|poc[oa]s?|vari[oa]s|mayoría|infinit\w+|doble|triple|todos|todas|décadas?)\b",
    re.I,
)


@dataclass(frozen=True)
class Judged:
    """A question as it can be used, or None; `reason` says why it was dropped or what was repaired, empty for neither."""

    question: str | None
    reason: str = ""


def judge_question(raw: str) -> Judged:
    """The question in the form "¿…?", or why it cannot be had."""
    text = " ".join(raw.split())
    if is_english(text):
        return Judged(None, "in English")
    if _ASKING.match(text) and text.endswith("?") and text.count("¿") == text.count("?") == 1:
        return _checked(text, "")
    repaired, reason = _repaired(text)
    if not repaired:
        return Judged(None, reason)
    return _checked(repaired, reason)


def tidy(text: str) -> str:
    """The text without the marks of machine translation: "Levi 's", "( a )", "uno , dos", "dos; El tercero"."""
    for pattern, replacement in _TRANSLATED:
        text = pattern.sub(replacement, text)
    return text


def is_english(text: str) -> bool:
    """Whether most of the function words of a text are English."""
    words = re.findall(r"\w+", text.lower())
    english, spanish = (sum(word in known for word in words) for known in (_ENGLISH, _SPANISH))
    return english >= 2 and english > spanish


def choose_answer(question: str, answers: Sequence[str], text: str) -> tuple[str, str]:
    """(the answer as a whole-word span of `text`, "") or ("", why none can be had).

    Of several annotators' answers the most frequent, the first of equals; at least half of them must be in the text.
    """
    found = [clean for answer in answers if (clean := _trimmed(answer)) and find_span(text, clean)]
    if len(found) * 2 < len(answers) or not found:
        return "", "the answer is not in its text"
    counts = Counter(found)
    answer = max(counts, key=lambda candidate: counts[candidate])
    words = re.findall(r"\w+", answer.lower())
    if len(words) > MAX_ANSWER_WORDS:
        return "", f"the answer has more than {MAX_ANSWER_WORDS} words"
    if (
        not words
        or set(words) <= _FUNCTION_WORDS
        or answer.count("(") != answer.count(")")
        or answer.count('"') % 2
    ):
        return "", "the answer is no complete expression"
    if find_span(question.lower(), answer.lower()):
        return "", "the question says its answer"
    if re.search(r"\bcuándo\b", question, re.I) and not _TIME.search(answer):
        return "", "it asks when and the answer is no time"
    if re.search(r"\bcuánt[oa]s?\b", question, re.I) and not _QUANTITY.search(answer):
        return "", "it asks how many and the answer is no quantity"
    if question.startswith("¿Por qué ") and not _REASON.match(answer):
        return "", "it asks why and the answer gives no reason"
    return answer, ""


def find_span(text: str, part: str, *, ignore_case: bool = False) -> tuple[int, int] | None:
    """Start and end of the first place where `part` stands in `text` as whole words."""
    if not ignore_case and part not in text:
        return None
    match = re.search(rf"(?<!\w){re.escape(part)}(?!\w)", text, re.IGNORECASE if ignore_case else 0)
    return match.span() if match else None


def _repaired(text: str) -> tuple[str, str]:
    """(the question, what was repaired) or ("", why not)."""
    match = _AFTER_COMMA.fullmatch(text)
    if match and _ASKING.match(match[2]):
        before, asked = match[1].strip(), match[2]
        if _ACCORDING.match(before):
            return f"¿{asked[1].upper()}{asked[2:]}", "“según el texto” taken out"
        if _ADVERBIAL.match(before) and not _REFERS_BACK.match(asked):
            turned = f"¿{asked[1].upper()}{asked[2:-1].rstrip(' .,')} {before[0].lower()}{before[1:]}?"
            return turned, "what stood before “¿” put behind it"
        return "", "begins before “¿”"
    bare = text.strip("¿?>. ")
    if "¿" in bare or "?" in bare:
        return "", "begins before “¿”" if not text.startswith("¿") else "several questions in one"
    first, _, others = bare.partition(" ")
    if first.lower() in _UNACCENTED and not re.search(rf"\b{_ASKS}\b", others, re.I):
        return f"¿{_UNACCENTED[first.lower()]} {others}?", "accents and question marks added"
    if _BARE.match(bare) and not re.search(rf", {_ASKS}\b", bare):
        return f"¿{bare[:1].upper()}{bare[1:]}?", "question marks added"
    return "", "no word that asks at its beginning"


def _checked(question: str, reason: str) -> Judged:
    question = f"¿{question[1].upper()}{question[2:]}"
    number = len(question.split())
    if number < MIN_WORDS or number > MAX_WORDS:
        return Judged(None, f"under {MIN_WORDS} or over {MAX_WORDS} words")
    if _SUBJECT_FIRST.match(question):
        return Judged(None, "the word order of English")
    if question.count("(") != question.count(")") or question.count('"') % 2:
        return Judged(None, "unclosed quotes or brackets")
    return Judged(question, reason)


def _trimmed(answer: str) -> str:
    text = " ".join(answer.split()).strip(" .,;:")
    return re.sub(r"^(?:y|e|o|u|pero|que) ", "", text)
