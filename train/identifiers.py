"""Finds numbers that identify a person: cards, accounts, national documents, telephones. Used by train/privacy.py.

What has check digits is validated with python-stdnum (the same rules as the countries publish), telephones with
phonenumbers (Google's libphonenumber). A number after a word such as DNI or teléfono is taken without validation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

REGIONS = (
    "AR BO BR CL CO CR CU DO EC ES GT HN MX NI PA PE PR PT PY SV UY VE US GB FR DE IT".split()  # noqa: SIM905
)
"""Countries whose national telephone numbers, without +, are tried."""


@dataclass(frozen=True)
class Found:
    """A stretch of a text and what it is: a key of train/privacy.py's PLACEHOLDERS."""

    start: int
    end: int
    kind: str


_DASH = r"[-‐‑–—]"
_NUMBER = re.compile(r"(?<![\w.,/@#])\(?\+?\d(?:[\s().‐‑–-]{0,2}\d){5,30}(?![\w%]|[.,]\d)")
_MONEY_BEFORE = re.compile(r"(?:[$€£]|\b(?:USD|ARS|MXN|EUR|S/|US))\s?$")
_MONEY_AFTER = re.compile(
    r"\s?(?:[$€£]|(?:pesos|euros|d[oó]lares|soles|mil|millones|habitantes|km|kg|metros|a[ñn]os)\b)", re.I
)
_THOUSANDS = re.compile(r"\d{1,3}(?:\.\d{3})+$|\d{1,3} \d{3}$")
_YEARS = re.compile(r"(?:(?:19|20)\d\d[\s,–-]*)+$")
_CARD = re.compile(r"[2-6](?:[\s-]?\d){12,18}$")
_DATE = re.compile(r"(?:\d{1,4}[-.]\d{1,2}[-.]\d{1,4}|(?:19|20)\d\d\s?[-–]\s?(?:19|20)?\d\d)$")
_CUE_DOCUMENT = re.compile(
    r"\b(?:dni|d\.n\.i\.?|nie|nif|cuit|cuil|curp|rfc|rut|run|rif|nit|c[eé]dula|c\.?\s?[ic]\.?|pasaporte|passport|documento|"
    r"seguridad social|nss|ssn|cpf|ruc|licencia|matr[ií]cula)(?:\s+(?:es|n[uú]mero|nro\.?|n[°º]\.?|de identidad|de ciudadan[ií]a|el|mi|nuevo))*\s*[:#]?\s*"
    r"((?=(?:[A-Z.-]*\d){4})[A-Z0-9][A-Z0-9./-]{3,24}[A-Z0-9]|(?=(?:[.\s/-]*\d){5})\d(?:[\d.\s/-]{3,18}\d)(?:[-\s]?[A-Z0-9]\b)?)",
    re.I,
)
_CUE_PHONE = re.compile(
    r"\b(?:tel(?:[eé]fono)?|cel(?:ular)?|m[oó]vil|fijo|whats?app|wsp|llam[aáeé](?:me|lo|la|r)?|n[uú]mero)(?:\s+(?:es|al|a|de|el|mi|nuevo))*\s*[.:#]?\s*"
    r"(\+?\(?\d(?:[\s().-]{0,2}\d){5,14})",
    re.I,
)
# Forms that letters or punctuation make likely, with the rule of stdnum that tells; those without a rule have no check
# digits, or are unmistakable even when one was mistyped (CURP, RFC, codice fiscale).
_FORMS: tuple[tuple[str, str, str], ...] = (
    ("document", "", r"\b[A-Z]{4}\d{6}[HMX][A-Z]{5}[A-Z0-9]\d\b"),
    ("document", "", r"\b[A-ZÑ&]{3,4}-?\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])-?[A-Z0-9]{3}\b"),
    ("document", "", r"\b[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]\b"),
    ("document", "es.dni", r"\b\d{2}\.?\d{3}\.?\d{3}[-\s]?[A-Z]\b"),
    ("document", "es.nie", r"\b[XYZ][-\s]?\d{7}[-\s]?[A-Z]\b"),
    ("document", "es.cif", r"\b[ABCDEFGHJNPQRSUVW][-\s]?\d{7}[-\s]?[0-9A-J]\b"),
    ("document", "cl.rut", rf"\b\d{{1,2}}\.?\d{{3}}\.?\d{{3}}{_DASH}[0-9K]\b"),
    ("document", "ar.cuit", r"\b\d{2}[\s‐‑–-]?\d{8}[\s‐‑–-]?\d\b"),
    ("document", "br.cpf", r"\b\d{3}\.\d{3}\.\d{3}-\d{2}\b"),
    ("document", "br.cnpj", r"\b\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}\b"),
    ("document", "do.cedula", r"\b\d{3}-\d{7}-\d\b"),
    ("document", "ve.rif", r"\b[VEJPG]-?\d{8,9}-?\d?\b"),
    ("document", "co.nit", r"\b\d{3}\.\d{3}\.\d{3}-\d\b"),
    ("document", "us.ssn", r"\b\d{3}-\d{2}-\d{4}\b"),
    ("document", "uruguay", r"\b\d\.\d{3}\.\d{3}-\d\b"),
    ("document", "", r"\b\d-\d{4}-\d{4}\b"),  # Costa Rica: no check digit
    (  # DNI of Argentina: no check digit
        "document",
        "",
        r"(?<![$€\d.,])(?<![$€]\s)\b\d{2}\.\d{3}\.\d{3}\b(?!\s?(?:pesos|euros|d[oó]lares|de\b|habitantes|[.,]\d))",
    ),
    ("account", "iban", r"\b[A-Z]{2}\d{2}(?:\s?[A-Z0-9]{4}){2,7}(?:\s?[A-Z0-9]{1,4})?\b"),
)
_COMPILED = [(kind, rule, re.compile(form, re.I)) for kind, rule, form in _FORMS]


def find_identifiers(text: str) -> Iterator[Found]:
    """Every number of a person in `text`; they may overlap, the surest first."""
    if not any(character.isdigit() for character in text):
        return
    for kind, rule, form in _COMPILED:
        for match in form.finditer(text):
            written = match[0]
            while rule == "iban" and " " in written and not _valid(rule, written):
                written = written.rpartition(" ")[0]  # a word after it may look like its last group
            if not rule or _valid(rule, written):
                yield Found(match.start(), match.start() + len(written), kind)
    for pattern, kind in ((_CUE_DOCUMENT, "document"), (_CUE_PHONE, "phone")):
        for match in pattern.finditer(text):
            yield Found(match.start(1), match.end(1), kind)
    for match in _NUMBER.finditer(text):
        if found := _number(match, text):
            yield found


def _number(match: re.Match[str], text: str) -> Found | None:
    """What a run of digits is. From nine digits on it is masked whatever it is: prices and dates are shorter or tell themselves."""
    written = match[0]
    digits = re.sub(r"\D", "", written)
    start, end = match.span()
    if _DATE.match(written) or _THOUSANDS.match(written) or _YEARS.match(written):
        return None
    if _MONEY_BEFORE.search(text[:start]) or _MONEY_AFTER.match(text[end:]):
        return None
    if _CARD.match(written) and _valid("luhn", digits):
        return Found(start, end, "card")
    if (len(digits) == 22 and _valid("ar.cbu", digits)) or (len(digits) == 18 and is_clabe(digits)):
        return Found(start, end, "account")
    if len(digits) == 20 and _valid("es.ccc", digits):
        return Found(start, end, "account")
    if is_phone(written):
        return Found(start, end, "phone")
    return Found(start, end, "number") if len(digits) >= 9 else None


def is_phone(written: str) -> bool:
    """Whether a number is a valid telephone, international or of one of REGIONS; 7 digits only when grouped."""
    import phonenumbers

    digits = re.sub(r"\D", "", written)
    if not 7 <= len(digits) <= 15 or (len(digits) < 9 and written == digits):
        return False
    for region in (None,) if written.lstrip("(").startswith("+") else REGIONS:
        try:
            if phonenumbers.is_valid_number(phonenumbers.parse(written, region)):
                return True
        except phonenumbers.NumberParseException:
            continue
    return bool(re.fullmatch(r"\d{3,4}[-\s]\d{4}", written))


def is_clabe(digits: str) -> bool:
    """Mexico's interbank account number: 18 digits, weights 3, 7, 1 modulo 10 (Banco de México, CLABE)."""
    total = sum(int(digit) * (3, 7, 1)[place % 3] % 10 for place, digit in enumerate(digits[:17]))
    return (10 - total % 10) % 10 == int(digits[17])


def is_uruguayan(written: str) -> bool:
    """Uruguay's cédula: weights 2, 9, 8, 7, 6, 3, 4 modulo 10 (Dirección Nacional de Identificación Civil)."""
    digits = re.sub(r"\D", "", written).zfill(8)
    total = sum(int(digit) * weight for digit, weight in zip(digits[:7], (2, 9, 8, 7, 6, 3, 4), strict=True))
    return len(digits) == 8 and -total % 10 == int(digits[7])


def _valid(rule: str, written: str) -> bool:
    return _validator(rule)(written)


@cache
def _validator(rule: str) -> Callable[[str], bool]:
    if rule == "uruguay":
        return is_uruguayan
    import importlib

    module = importlib.import_module(f"stdnum.{rule}")
    return lambda written: bool(module.is_valid(written.upper()))
