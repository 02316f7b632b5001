"""The tables of `python -m tests.bench.bench_engine`, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.bench.engines import BEST, DEFAULTS, LLAMA_SERVER, THIS
from tests.bench.machine import ModelLimits
from tests.bench.play import Figures
from tests.bench.scenarios import TITLES

Found = Mapping[str, Mapping[str, Figures]]
"""The figures of each scenario of each engine."""


@dataclass(frozen=True)
class Reference:
    """llama-bench's tokens/s."""

    reading: float
    writing: float


def scenario_tables(found: Found, limits: ModelLimits) -> Iterator[str]:
    """A table for each scenario. *Of the limit* is the least time that the machine's limits allow for these tokens, by the time taken."""
    for name, example in next(iter(found.values())).items():
        figures = {engine: by_scenario[name] for engine, by_scenario in found.items()}
        header = ["", *SPEEDS, "peak memory"]
        rows = [[engine, *_speeds(f, limits), f"{f.memory / 1e9:.2f} GB"] for engine, f in figures.items()]
        note = f"{example.prompt:.0f} tokens in the prompts of {example.visitors:.0f}, {example.written:.0f} written."
        if name == "long":
            header.append("first token of the long one")
            rows = [[*row, *_seconds(figures[row[0]].last_first)] for row in rows]
            note = f"{example.visitors - 1:.0f} stream. {note}"
        yield f"### {TITLES[name]}\n\n{note}\n\n{_table(header, rows)}"


def share(figures: Figures, limits: ModelLimits) -> float:
    """What part of the time was needed by the machine's limits; above 1 where tokens were not read because they were known."""
    return (
        limits.least_seconds(int(figures.prompt), int(figures.written), int(figures.visitors))
        / figures.seconds
    )


def growth_table(engine: str, by_scenario: Mapping[str, Figures], limits: ModelLimits) -> str:
    """One engine's figures, a row for each scenario."""
    rows = [[name, f"{f.prompt:.0f}", *_speeds(f, limits)] for name, f in by_scenario.items()]
    return f"### How cost grows: {engine}\n\n{_table(['', 'prompt tokens', *SPEEDS], rows)}"


SPEEDS = ("first token, p50", "p95", "tokens/s each", "in total", "longest gap", "of the limit")


def _speeds(figures: Figures, limits: ModelLimits) -> list[str]:
    """The cells below SPEEDS."""
    return [
        *_seconds(figures.first_p50, figures.first_p95),
        f"{figures.speed:.3g}",
        f"{figures.total:.3g}",
        *_seconds(figures.gap),
        f"{100 * share(figures, limits):.0f} %",
    ]


@dataclass(frozen=True)
class Bar:
    """A demand on this engine: `value` is to be at least (or, `most`, at most) `demand`."""

    text: str
    value: float
    demand: float
    most: bool = False

    @property
    def met(self) -> bool:
        return self.value <= self.demand if self.most else self.value >= self.demand


AGAINST = (
    ("alone", DEFAULTS, "speed", "decoding, one visitor, against `Llama()` defaults", 1.5, False),
    ("cold", LLAMA_SERVER, "first_p50", "first token, RAG cold, against llama-server", 0.5, True),
    (
        "reordered",
        LLAMA_SERVER,
        "first_p50",
        "first token, passages seen before, against llama-server",
        0.15,
        True,
    ),
    ("four", LLAMA_SERVER, "total", "four visitors, tokens/s in total, against llama-server", 1.0, False),
    ("four", BEST, "total", "four visitors, tokens/s in total, against a locked `Llama`", 2.5, False),
)
"""What is demanded of this engine by comparison: scenario, other engine, figure, text, demand, whether it is the most."""


def bars(found: Found, reference: Reference) -> Iterator[Bar]:
    """The demands on this engine that the engines and scenarios played can answer."""
    own = found.get(THIS, {})
    if "alone" in own:
        yield Bar("decoding, one visitor, against llama-bench", own["alone"].speed / reference.writing, 0.97)
    for scenario, other, figure, text, demand, most in AGAINST:
        if scenario in own and other in found:
            ratio = getattr(own[scenario], figure) / getattr(found[other][scenario], figure)
            yield Bar(text, ratio, demand, most)
    if "long" in own:
        yield Bar("longest gap while a long prompt is read, seconds", own["long"].gap, 1.5, True)
    for last in list(own.values())[-1:]:
        yield Bar("peak memory, GB", last.memory / 1e9, 5.5, True)


def bar_table(found: Found, reference: Reference) -> str:
    """What is asked of this engine, and what was measured."""
    rows = [
        [
            bar.text,
            f"{'at most' if bar.most else 'at least'} {bar.demand}",
            f"{bar.value:.3g}",
            "yes" if bar.met else "no",
        ]
        for bar in bars(found, reference)
    ]
    return f"### What is asked of this engine\n\n{_table(['', 'asked', 'measured', 'met'], rows)}"


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _seconds(*values: float) -> list[str]:
    return [f"{value * 1000:.3g} ms" if value < 1 else f"{value:.3g} s" for value in values]
