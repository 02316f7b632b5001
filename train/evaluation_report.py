"""report.html and the plots of `python -m train evaluate`: one page that needs nothing else, and likelihood.png, texts.png.

The page is what the Space shows (space/report_view.py), in Spanish and English, with the plots inside.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from space import report_view
from space.bundle import Bundle
from space.style import ACCENT, NEUTRAL, STYLE_SHEET

PLOTTED = {
    "spanish": "share of Spanish",
    "of_asked": "length / length asked",
    "repeated_4": "repeated 4-grams",
    "distinct_2": "distinct 2-grams",
}
COLOURS = {"own": ACCENT.c500, "author": "#c79a55", "control": NEUTRAL.c300, "": NEUTRAL.c500}


def write_report(evaluation: Mapping[str, Any], bundle: Bundle, out: Path) -> None:
    """Writes likelihood.png, texts.png (where texts were written) and report.html into `out`."""
    plots = [_likelihood_plot(evaluation["sets"], out / "likelihood.png")]
    if evaluation["texts"]:
        plots.append(_texts_plot(evaluation["texts"], out / "texts.png"))
    report = {**report_view.read_report(bundle), "evaluation": evaluation}
    titles = report_view.titles_of(bundle)
    spanish, english = (report_view.page(report, titles, language) for language in ("es", "en"))
    pages = f'<article lang="es">{spanish}</article>'
    pages += f'<details lang="en"><summary>English</summary>{english}</details>'
    images = "".join(
        f'<img alt="{path.stem}" src="data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}">'
        for path in plots
    )
    title = html.escape(f"Orador: {bundle.name}")
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>'
    page = f"<!doctype html><html><head>{head}<style>{_style()}</style></head><body><h1>{title}</h1>{pages}{images}</body></html>"
    (out / "report.html").write_text(page, "utf-8")


def _style() -> str:
    """The part of the page's style sheet that is about the report, and the colours that Gradio's theme gives it there."""
    rules = STYLE_SHEET.read_text("utf-8").split("/* report */")[1].split("\n/*")[0]
    colours = {f"primary-{n}": getattr(ACCENT, f"c{n}") for n in (300, 400, 500, 600)}
    colours |= {f"neutral-{n}": getattr(NEUTRAL, f"c{n}") for n in (300, 400, 600)}
    colours |= {
        "body-text-color": NEUTRAL.c800,
        "body-text-color-subdued": NEUTRAL.c600,
        "border-color-primary": NEUTRAL.c200,
    }
    variables = "".join(f"--{name}:{value};" for name, value in colours.items())
    body = "body{max-width:760px;margin:24px auto;padding:0 18px;font-family:system-ui,sans-serif}img{width:100%}"
    return f":root{{{variables}}}{body}{rules}"


def _likelihood_plot(sets: Mapping[str, Any], path: Path) -> Path:
    """Bits per character by condition, with intervals, one panel to each author."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1.2 + 2.2 * len(sets)), layout="constrained")
    panels = figure.subplots(len(sets), 1, squeeze=False)[:, 0]
    for axes, (name, found) in zip(panels, sets.items(), strict=True):
        conditions = found["conditions"]
        _points(axes, conditions, "bits_per_character", "bits_interval")
        axes.set(title=f"{name}: {found['documents']} documents held out", xlabel="bits per character (95 %)")
    figure.savefig(path, dpi=120)
    return path


def _texts_plot(texts: Mapping[str, Any], path: Path) -> Path:
    """What was counted in generated texts, one row of panels to each generator."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 0.8 + 2.2 * len(texts)), layout="constrained")
    panels = figure.subplots(len(texts), len(PLOTTED), squeeze=False)
    for row, (name, found) in zip(panels, texts.items(), strict=True):
        for axes, (key, label) in zip(row, PLOTTED.items(), strict=True):
            _points(axes, found["conditions"], key, f"{key}_interval")
            axes.set(xlabel=label)
            axes.set_visible(any(key in figures for figures in found["conditions"].values()))
            if axes is not row[0]:
                axes.set_yticklabels([])
        row[0].set(title=f"{name}: {found['samples']} texts")
    figure.savefig(path, dpi=120)
    return path


def _points(axes: Any, conditions: Mapping[str, Any], key: str, interval: str) -> None:
    """A point and its interval for each condition that has the figure, the first on top."""
    names = list(conditions)[::-1]
    for place, name in enumerate(names):
        figures = conditions[name]
        if key not in figures:
            continue
        low, high = figures[interval]
        kind = "author" if name == "author" else "control" if figures.get("control") else ""
        colour = COLOURS[kind or ("own" if figures.get("adapter") else "")]
        axes.plot([low, high], [place, place], color=colour, linewidth=2)
        axes.plot(figures[key], place, "o", color=colour)
    labels = [f"{name} (wrong author)" if conditions[name].get("control") else name for name in names]
    axes.set_yticks(range(len(names)), labels)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.grid(axis="x", alpha=0.3)
