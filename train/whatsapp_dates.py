"""Date and time at the start of a line of a WhatsApp export, and the order of day, month and year of a whole file.

Used by train/whatsapp.py. What a line may begin with, in any digits that Unicode knows:

    [13/06/18, 21:25:15] ...     13.6.2018 klo 21.25 - ...     2018/06/13 下午9:25 - ...     3/6/18, 1:55 p. m. - ...
    13. 6. 2018. 21:25:15 ...    21:25, 13/06/2018 - ...       13 de jun. de 2018, 21:25 - ...
"""

from __future__ import annotations

import datetime
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

ORDERS = ("dmy", "mdy", "ymd")
_ODD_ORDERS = ("ydm", "myd")  # only with a year of four digits that says where it is
FIRST_YEAR, LAST_YEAR = 2009, 2099  # WhatsApp began in 2009
_BUDDHIST = 543

_AM = "午前 上午 凌晨 清晨 早上 오전 π.μ. π.μ πμ ص öö fm f.m. sa de. पूर्वाह्न".split()  # noqa: SIM905
_PM = "午後 下午 中午 晚上 오후 μ.μ. μ.μ μμ م ös em e.m. ch du. अपराह्न ip. ap.".split()  # noqa: SIM905
_HALF = (
    rf"[ap]\s?\.?\s?m\b\.?|{'|'.join(re.escape(word) for word in sorted(_AM + _PM, key=len, reverse=True))}"
)
_NUMERIC = r"(?P<a>\d{1,4})(?:\s?[./-]\s?|[年년]\s?)(?P<b>\d{1,4})(?:\s?[./-]\s?|[月월]\s?)(?P<c>\d{1,4})(?:[日일]|\.)?"
_NAMED = r"(?P<a>\d{1,2})\.?\s(?:de\s)?(?P<b>[^\W\d_]{3,12})\.?,?\s(?:del?\s)?(?P<c>\d{4})"
_MONTH_FIRST = r"(?P<b>[^\W\d_]{3,12})\.?\s(?P<a>\d{1,2}),?\s(?P<c>\d{4})"
_TIME = (
    rf"(?:(?P<before>{_HALF})\s?)?(?P<hour>\d{{1,2}})(?:[:.٫]|\s?h\s?)(?P<minute>\d\d)(?:[:.](?P<second>\d\d))?"
    rf"(?:\s?(?P<after>{_HALF}))?(?:\s?(?:Uhr|ч\.?|h)(?=\W))?"
)
_BETWEEN = r"(?:\s?г\.)?[,،]?\s?(?:(?:klo|kl\.?|at|à|a\slas|às|alle|ore|um|om|в)\s)?"
_FRAME = r"(?:(?P<bracket>\]):?\s?|(?P<dash>\.?\s[-–—](?:\s|$))|(?P<colon>:\s)|(?P<bare>\s))"
_HEADERS = [
    re.compile(rf"(?P<open>\[)?{stamp}{_FRAME}", re.I)
    for stamp in (
        _NUMERIC + _BETWEEN + _TIME,
        _TIME + r"[,،]?\s" + _NUMERIC,
        _NAMED + _BETWEEN + _TIME,
        _MONTH_FIRST + _BETWEEN + _TIME,
    )
]
# The first letters of month names: es, en, pt, fr, de, it, ca.
_MONTHS = {
    1: "ene jan gen",
    2: "feb fev fév",
    3: "mar mär",
    4: "abr apr avr",
    5: "may mai mag",
    6: "jun juin giu",
    7: "jul juil lug",
    8: "ago aug aoû aou",
    9: "sep set",
    10: "oct out okt ott",
    11: "nov",
    12: "dic dec dez déc des",
}


@dataclass(frozen=True)
class Header:
    """Date fields as written (`numbers`; `order` when the writing itself tells it), time of day, and `frame`:
    "bracket", "dash", "colon" or "bare". `end` is where the rest of the line begins."""

    numbers: tuple[str, str, str]
    time: datetime.time
    frame: str
    end: int
    order: str | None = None

    def date(self, order: str) -> datetime.date | None:
        """The date when its fields are read in `order`; None when there is no such date."""
        fields = dict(zip(self.order or order, self.numbers, strict=True))
        if any(len(value) > 2 for part, value in fields.items() if part != "y"):
            return None
        year = int(fields["y"])
        if len(fields["y"]) == 2:
            year += 2000
        elif year > LAST_YEAR + 300:
            year -= _BUDDHIST
        if len(fields["y"]) not in (2, 4) or not FIRST_YEAR <= year <= LAST_YEAR:
            return None
        try:
            return datetime.date(year, int(fields["m"]), int(fields["d"]))
        except ValueError:
            return None

    def moment(self, order: str) -> datetime.datetime | None:
        """Date and time in `order` or, when that is no date, in the first other order that gives one (with the year first
        only when it has four digits)."""
        others = (*ORDERS, *_ODD_ORDERS) if any(len(number) == 4 for number in self.numbers) else ORDERS[:2]
        for candidate in (order, *others):
            if day := self.date(candidate):
                return datetime.datetime.combine(day, self.time)
        return None


@dataclass(frozen=True)
class DateOrder:
    """The order of a file; `certain` when no other order reads its dates as well; `reason` in words."""

    order: str
    certain: bool
    reason: str


def find_header(line: str) -> Header | None:
    """The header a line begins with (spaces plain, direction marks removed), also one with an impossible date."""
    for pattern in _HEADERS:
        if (match := pattern.match(line)) and (header := _header(match)):
            return header
    return None


def infer(headers: Sequence[Header]) -> DateOrder:
    """The order that leaves fewest impossible dates and jumps back by more than a day; then the one whose dates lie
    closest together; then day first. The last two are not certain."""
    dated = [header for header in headers if header.order is None]
    dated = [
        h
        for h, before in zip(dated, [None, *dated], strict=False)
        if before is None or h.numbers != before.numbers
    ]
    if not dated:
        return DateOrder("dmy", True, "the months are named" if headers else "there are no dates")
    candidates = ORDERS if _year_first(dated) else ORDERS[:2]
    faults = {order: _faults(dated, order) for order in candidates}
    ranked = sorted(faults, key=lambda order: faults[order])
    best, second = ranked[:2]
    if faults[best][0] < faults[second][0]:
        more = faults[second][0] - faults[best][0]
        return DateOrder(
            best, True, f"{second} would give {more} more impossible dates or jumps back in time"
        )
    if all(header.date(best) == header.date(second) for header in dated):
        return DateOrder(best, True, f"{second} would give the same dates")
    if faults[best][1] < faults[second][1]:
        reason = f"{second} is possible too, but would spread the dates over {faults[second][1]} days, not {faults[best][1]}"
        return DateOrder(best, False, reason)
    return DateOrder(best, False, f"{second} is as likely; give --date-order if it is that")


def _year_first(headers: Sequence[Header]) -> bool:
    """Whether the first field may be the year: it has four digits, or takes fewer values than the last."""
    firsts, lasts = ({header.numbers[place] for header in headers} for place in (0, 2))
    return len(headers[0].numbers[0]) == 4 or len(firsts) < len(lasts)


def _faults(headers: Sequence[Header], order: str) -> tuple[int, int]:
    """Impossible dates and jumps back by more than a day; days between the dates, one after the other."""
    days = [header.date(order) for header in headers]
    known = [day for day in days if day]
    steps = [(later - earlier).days for earlier, later in itertools.pairwise(known)]
    return days.count(None) + sum(step < -1 for step in steps), sum(map(abs, steps))


def _header(match: re.Match[str]) -> Header | None:
    frame = next(name for name in ("bracket", "dash", "colon", "bare") if match[name])
    if bool(match["open"]) != (frame == "bracket"):
        return None
    month, order = match["b"], None
    if month[0].isalpha():
        number = _month(month)
        if number is None:
            return None
        month, order = str(number), "dmy"
    time = _time(match)
    if time is None:
        return None
    return Header((match["a"], month, match["c"]), time, frame, match.end(), order)


def _time(match: re.Match[str]) -> datetime.time | None:
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"] or 0)
    half = re.sub(r"\s", "", match["before"] or match["after"] or "").lower()
    if half and (half in _PM or half.startswith("p")):
        hour += 12 if hour < 12 else 0
    elif half:
        hour = 0 if hour == 12 else hour
    if hour == 24:
        hour = 0
    if hour > 23 or minute > 59 or second > 59:
        return None
    return datetime.time(hour, minute, second)


def _month(name: str) -> int | None:
    start = name.lower()
    return next((n for n, words in _MONTHS.items() if any(start.startswith(w) for w in words.split())), None)
