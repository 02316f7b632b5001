"""Dates in Spanish texts as YYYY-MM-DD: used by the recipes and readers of `python -m train prepare`."""

from __future__ import annotations

import datetime
import re

_MONTHS = "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split()  # noqa: SIM905
_LONG_DATE = re.compile(
    rf"\b(\d{{1,2}})\s+de\s+({'|'.join(_MONTHS)}|setiembre)\s*(?:de|del|,)?\s*(\d{{4}})\b", re.I
)
_ISO_DATE = re.compile(r"\b((?:1[5-9]|20)\d\d)-(\d\d)-(\d\d)\b")
_DAY_FIRST = re.compile(r"\b(\d{1,2})[-/.](\d{1,2})[-/.]((?:1[5-9]|20)\d\d)\b")
_UNIX = re.compile(r"\d{9,10}(?:\.0)?")


def find_date(text: str) -> str | None:
    """The first date of `text` as YYYY-MM-DD: "1 de mayo de 2020", "2020-05-01" or, day first, "01/05/2020"."""
    if match := _LONG_DATE.search(text):
        name = match[2].lower().replace("setiembre", "septiembre")
        return _date(match[3], str(_MONTHS.index(name) + 1), match[1])
    if match := _ISO_DATE.search(text):
        return _date(match[1], match[2], match[3])
    if match := _DAY_FIRST.search(text):
        return _date(match[3], match[2], match[1])
    return None


def cell_date(cell: str) -> str | None:
    """The date of a table's cell: as `find_date`, or the seconds since 1970 that the public TED tables have."""
    if _UNIX.fullmatch(cell):
        return datetime.datetime.fromtimestamp(float(cell), datetime.UTC).date().isoformat()
    return find_date(cell)


def _date(year: str, month: str, day: str) -> str | None:
    valid = 1 <= int(month) <= 12 and 1 <= int(day) <= 31
    return f"{year}-{int(month):02}-{int(day):02}" if valid else None
