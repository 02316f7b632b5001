"""Takes personal data out of messages, counted by kind: used by `python -m train prepare chat`.

Names of the people of a chat become pseudonyms, the rest a readable placeholder. Names of other people, nicknames, what an
address without a street word says and what is told in words are not found.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from train.identifiers import Found, find_identifiers

PLACEHOLDERS = {
    "link": "[enlace]",
    "email": "[correo]",
    "phone": "[teléfono]",
    "card": "[tarjeta]",
    "account": "[cuenta]",
    "document": "[documento]",
    "address": "[dirección]",
    "place": "[ubicación]",
    "secret": "[clave]",
    "user": "[usuario]",
    "number": "[número]",
}
_URL_REST = r"[^\s<>\"]*[^\s<>\".,;:!?)\]]"
_LINK = re.compile(
    rf"(?:https?|ftp)://{_URL_REST}|\bwww\.{_URL_REST}|"
    r"(?<![\w.-])(?:[a-z0-9-]+\.)+(?:com|net|org|gov|edu|info|io|me|app|ly|gl|be|es|ar|mx|co|cl|pe|uy|tv)(?:\.[a-z]{2})?/"
    rf"{_URL_REST}",
    re.I,
)
_EMAIL = re.compile(
    r"(?<![\w.+%-])[\w.+%-]+(?:@|\s?(?:\(|\[)(?:arroba|at)(?:\)|\])\s?)[\w-]+(?:\.[\w-]+)+", re.I
)
_PLACE = re.compile(r"(?<![\d.])-?\d{1,2}\.\d{4,}°?\s*[,;]\s*-?\d{1,3}\.\d{4,}°?")
_SECRET = re.compile(
    r"\b(?:contrase[ñn]a|clave|password|pass|pwd|pin|c[oó]digo(?: de (?:verificaci[oó]n|seguridad|acceso))?|cvv|cvc|token|api[ _-]?key)"
    r"(?:\s+(?:del?\s+(?:la\s+)?(?:\w+)|es|nueva|nuevo))*\s*(?:[:=]\s*|\bes\s+|\s)((?=\S*\d)[^\s,;]{3,})",
    re.I,
)
_STREET = (
    r"(?:c/|(?:calle|cll?\.?|av(?:da|enida)?\.?|pasaje|pje\.?|psje\.?|paseo|jir[oó]n|jr\.?|carrera|cra\.?|kra\.?|cr\.|diagonal|diag\.?|transversal|"
    r"bulevar|boulevard|bv\.?|blvd\.?|calzada|callej[oó]n|ronda|traves[ií]a|camino|ruta|plaza|plazuela|alameda|autopista|rua|rue|via|street)(?!\w)\.?)"
)
_NO_NAME = r"(?:con|tiene|ten[ií]a|hay|hab[ií]a|son|eran|para|por|que|se|me|te|le|un|una|unos|unas|km|hace|es|a|en|como|si|no|hasta|desde|casi|más|unas)\b"
_WORDS = rf"(?:(?!{_NO_NAME})(?:[^\W\d_][\w.'’ªº-]*|\d{{1,2}}(?=\s+de\b)),?\s+){{1,6}}?"
_FLOOR = (
    r"(?:,?\s*(?:piso|p\.|dpto\.?|depto\.?|departamento|apto\.?|apartamento|torre|bloque|int(?:erior)?\.?|puerta|pta\.?|casa|"
    r"esc(?:alera)?\.?|local|oficina|of\.)\s*\w{1,5}|,?\s*\d{1,2}\s?[ºª°]\s?\w?\b)*"
)
_ADDRESSES = (
    re.compile(
        rf"\b{_STREET}\s*\d{{1,3}}\s?[A-Za-z]?(?:\s(?:bis|sur|norte|este|oeste))?\s*(?:#|n[°ºo]\.?|no\.?)\s*\d{{1,3}}\s?[A-Za-z]?\s?-\s?\d{{1,3}}{_FLOOR}",
        re.I,
    ),
    re.compile(
        rf"\b{_STREET}\s*{_WORDS}(?:(?:n[°ºo]?\.?|num\.?|#|nro\.?)\s?\d|\d\d)\d{{0,4}}(?!\w)(?:\s?[A-Z]\b)?{_FLOOR}",
        re.I,
    ),
    re.compile(r"\b(?:c\.?p\.?|c[oó]digo postal)\s*:?\s*[A-Z]?\d{4,5}\b", re.I),
)
_USER = re.compile(r"(?<![\w@.])@[A-Za-z0-9_](?:[\w.]*[A-Za-z0-9_])?")
_SMALL_WORDS = frozenset("de del la las los el y e da do dos von van san santa doña don".split())  # noqa: SIM905
# Names that are words too: taken for a name only with a capital.
_COMMON_WORDS = (
    "abril alba alegría amada ángel ángeles aurora azul bella blanca blanco bravo bueno calle campo campos casa castillo cielo clara claro "
    "conde consuelo cordero corona cortés cruz cuesta cuevas delgado dolores domingo esperanza estrella expósito feliz flor flores franco "
    "fuente fuentes gallo gloria gracia guerra guerrero hermoso herrero hierro hoyos iglesia iglesias inés julio junio justo ladrón lago leal león "
    "león linda lobo lucero luna luz macho mar marina mata mayo mayor mercado merced mercedes milagros mina modesto montaña monte montes mora "
    "moreno nieto nieves noche norma olivo palma palacios paloma pardo parra pastor patria paz pilar pino pinto prado prudencia puente ramos real "
    "rey reyes ribera rico río ríos risueño rivera rocío roja rojas rojo rosa rosario rosas rubio salvador santo santos sierra sol soledad soto "
    "tierra toro torre torres trinidad valle valiente vera verde vega viento virtudes viva vivas zapata zapatero "
    "mamá mama papá papa tía tío abuela abuelo hijo hija yo amor jefe jefa vecino vecina casa trabajo grupo familia doctor doctora profe"
)


def fold(text: str) -> str:
    """Lower case without accents, character by character (the length stays)."""
    return "".join(unicodedata.normalize("NFD", character)[0].lower()[:1] or character for character in text)


_COMMON = frozenset(map(fold, _COMMON_WORDS.split()))


class Masker:
    """Masks texts; `names` are the people's names as written and what stands for each."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.counts: Counter[str] = Counter()
        self._exact: dict[str, str] = {}
        self._only_capital: set[str] = set()
        self._phones: dict[str, str] = {}
        for name, shown in names.items():
            self._add(name, shown)
        words = sorted(self._exact, key=len, reverse=True)
        self._names = re.compile(rf"(?<!\w)@?(?:{'|'.join(map(re.escape, words))})(?!\w)") if words else None

    def _add(self, name: str, shown: str) -> None:
        digits = re.sub(r"\D", "", name)
        if len(digits) >= 7:
            self._phones[digits] = shown
        parts = [
            p
            for p in re.findall(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*", name)
            if len(p) > 2 and fold(p) not in _SMALL_WORDS
        ]
        written = " ".join(name.split())
        if len(digits) < 7 and len(written) > 1:
            self._exact.setdefault(fold(written), shown)
            if fold(written) in _COMMON or len(written) < 3:
                self._only_capital.add(fold(written))
        for part in parts:
            self._exact.setdefault(fold(part), shown)
            if fold(part) in _COMMON:
                self._only_capital.add(fold(part))

    def mask(self, text: str) -> str:
        """The text with placeholders; what was found is added to `counts`."""
        result, position = [], 0
        for found in _apart(self._found(text)):
            result.append(text[position : found.start])
            written = text[found.start : found.end]
            result.append(self._shown(found.kind, written))
            position = found.end
        return "".join([*result, text[position:]])

    def _shown(self, kind: str, written: str) -> str:
        at = "@" if written.startswith("@") else ""
        if kind == "name":
            self.counts[kind] += 1
            return at + self._exact[fold(written.removeprefix("@"))]
        digits = re.sub(r"\D", "", written)
        if kind in ("phone", "number", "user") and digits in self._phones:
            self.counts["name"] += 1
            return at + self._phones[digits]
        self.counts[kind] += 1
        return PLACEHOLDERS[kind]

    def _found(self, text: str) -> Iterator[Found]:
        """What is to be masked, the surest first."""
        for kind, pattern in (("link", _LINK), ("email", _EMAIL), ("place", _PLACE)):
            for match in pattern.finditer(text):
                yield Found(match.start(), match.end(), kind)
        for match in _SECRET.finditer(text):
            yield Found(match.start(1), match.end(1), "secret")
        for match in _USER.finditer(text):
            if re.sub(r"\D", "", match[0]) in self._phones:
                yield Found(match.start(), match.end(), "phone")
        for pattern in _ADDRESSES:
            for match in pattern.finditer(text):
                yield Found(match.start(), match.end(), "address")
        yield from find_identifiers(text)
        if self._names:
            for match in self._names.finditer(fold(text)):
                name = match[0].removeprefix("@")
                written = text[match.start() : match.end()].removeprefix("@")
                if name not in self._only_capital or written[:1].isupper() or match[0] != name:
                    yield Found(match.start(), match.end(), "name")
        for match in _USER.finditer(text):
            yield Found(match.start(), match.end(), "user")


def _apart(found: Iterable[Found]) -> list[Found]:
    """The finds that no surer one overlaps, in the order of the text."""
    kept: list[Found] = []
    for one in found:
        if all(one.end <= other.start or one.start >= other.end for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda one: one.start)
