"""Charts as inline SVG for train/report_html.py: colours come from the page's style sheet, every text is escaped here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 640, 210
_LEFT, _BOTTOM, _TOP = 46, 26, 12
_TICKS = 4
_LABEL_WIDTH = 52  # a shorter distance between labels would make them touch


@dataclass(frozen=True)
class Column:
    """One column: its height, what stands under it ("" for nothing) and what hovering tells."""

    value: int
    label: str
    hint: str


def columns(data: Sequence[Column], title: str) -> str:
    """A column chart; labels that would touch the one before are left out."""
    top = _nice(max(column.value for column in data))
    plot = _HEIGHT - _BOTTOM - _TOP
    step = (_WIDTH - _LEFT) / len(data)
    gap = min(4.0, step * 0.2)
    parts = [_grid(top, plot)]
    last = -float(_LABEL_WIDTH)
    for number, column in enumerate(data):
        x = _LEFT + number * step
        height = plot * column.value / top
        parts.append(
            f'<rect class="column" x="{x + gap / 2:.1f}" y="{_TOP + plot - height:.1f}" width="{step - gap:.1f}" '
            f'height="{height:.1f}" rx="{min(3.0, (step - gap) / 3):.1f}"><title>{escape(column.hint)}</title></rect>'
        )
        middle = x + step / 2
        if column.label and middle - last >= _LABEL_WIDTH:
            parts.append(
                f'<text class="tick" x="{middle:.1f}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(column.label)}</text>'
            )
            last = middle
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def share_bar(parts: Sequence[tuple[str, int]], title: str) -> str:
    """One bar divided by the numbers of `parts` (name, number), the first the widest as a rule."""
    total = sum(number for _, number in parts) or 1
    x, drawn = 0.0, []
    for place, (name, number) in enumerate(parts):
        width = _WIDTH * number / total
        drawn.append(
            f'<rect class="part{place}" x="{x:.1f}" y="0" width="{max(0.0, width - 2):.1f}" height="14" rx="3">'
            f"<title>{escape(name)}: {number:,}</title></rect>"
        )
        x += width
    return (
        f'<svg viewBox="0 0 {_WIDTH} 14" preserveAspectRatio="none" class="share" role="img" '
        f'aria-label="{escape(title)}">{"".join(drawn)}</svg>'
    )


def _grid(top: int, plot: int) -> str:
    lines = []
    for tick in range(_TICKS + 1):
        y = _TOP + plot - plot * tick / _TICKS
        lines.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_short(top * tick // _TICKS)}</text>'
        )
    return "".join(lines)


def _nice(value: int) -> int:
    """The least of 4, 8, 12, 20, 40, 80, 120, 200 … that `value` does not pass: it has four whole parts."""
    size = 1
    while True:
        for step in (4, 8, 12, 20):
            if value <= step * size:
                return step * size
        size *= 10


def _short(number: int) -> str:
    """1500 as 1.5k."""
    return str(number) if number < 1000 else f"{number / 1000:g}k"
