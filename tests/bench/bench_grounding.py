"""How well space/grounding.py cites, on sentences that we wrote and labelled by hand: `python -m tests.bench.bench_grounding`.

tests/grounding_set.json: for each of 32 topics five passages, as the embedded index finds them among the talks of one half, and
sentences about them of nine kinds written by us, and the first two that the embedded model wrote from those passages. A sentence's
`passages` are those that say all that it says; none where any part of it is not said. No talk is in both halves; the thresholds
and rules were set on the tuning half. Precision is the share of the citations that are right, recall the share of the
supported sentences that got a right one; 95 % intervals by bootstrap over topics.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.embed import Embedder, encode_passages, load_runtime
from space import grounding
from space.question_checks import stems
from space.settings import EMBEDDED

SET = Path(__file__).parents[1] / "grounding_set.json"
SAMPLES = 2000


@dataclass(frozen=True)
class Labelled:
    """A sentence, its kind, and the numbers of the passages that bear it out."""

    text: str
    kind: str
    right: frozenset[int]


@dataclass(frozen=True)
class Case:
    """The passages of a topic and the sentences about them."""

    talks: frozenset[str]
    passages: tuple[str, ...]
    sentences: tuple[Labelled, ...]


Method = Callable[[Case], Sequence[int]]
"""The number of the passage cited for each sentence of a case, 0 for none."""


def load_cases(half: str) -> list[Case]:
    """The cases of a half, "tuning" or "test"."""
    return [
        Case(
            frozenset(passage["document"] for passage in case["passages"]),
            tuple(passage["text"] for passage in case["passages"]),
            tuple(Labelled(s["text"], s["kind"], frozenset(s["passages"])) for s in case["sentences"]),
        )
        for case in json.loads(SET.read_text("utf-8"))
        if case["half"] == half
    ]


def embedded() -> Embedder:
    """The embedder of the embedded bundle's index."""
    return load_runtime(next(EMBEDDED.glob("indexes/*/embedder")))


def ours(embedder: Embedder) -> Method:
    """The method that is served, sentence by sentence."""

    def cite(case: Case) -> list[int]:
        found = (grounding.ground(s.text, case.passages, embedder) for s in case.sentences)
        return [supports[0].passage if all(s.passage for s in supports) else 0 for supports in found]

    return cite


def unchecked(embedder: Embedder) -> Method:
    """The method that is served without its checks: only the nearest place and its threshold."""

    def cite(case: Case) -> list[int]:
        found = [grounding.ground(s.text, case.passages, embedder)[0] for s in case.sentences]
        return [_holding(case, s.evidence) if s.reason != "far" else 0 for s in found]

    return cite


def _holding(case: Case, evidence: str) -> int:
    return next(n for n, passage in enumerate(case.passages, 1) if evidence in " ".join(passage.split()))


def first(case: Case) -> list[int]:
    """Always the first passage."""
    return [1] * len(case.sentences)


def nearest(embedder: Embedder | None, least: float) -> Method:
    """The passage of the nearest sentence, by the embedder's cosine, or without one by the share of stems, if it is at least `least`."""

    def cite(case: Case) -> list[int]:
        pieces = [(n, s) for n, p in enumerate(case.passages, 1) for b in grounding.blocks(p) for s in b]
        if embedder:
            vectors = encode_passages(embedder, [piece for _, piece in pieces])
            scores = encode_passages(embedder, [s.text for s in case.sentences]) @ vectors.T
        else:
            known = [set(stems(piece)) for _, piece in pieces]
            wanted = [set(stems(s.text)) for s in case.sentences]
            scores = np.array([[len(w & k) / max(1, len(w)) for k in known] for w in wanted])
        return [pieces[int(np.argmax(row))][0] if row.max() >= least else 0 for row in scores]

    return cite


def counts(cases: Sequence[Case], method: Method) -> np.ndarray:
    """Citations, right ones, and supported sentences of each case, int [cases, 3]."""
    rows = []
    for case in cases:
        cited = [(n, s.right) for n, s in zip(method(case), case.sentences, strict=True) if n]
        rows.append(
            (len(cited), sum(n in right for n, right in cited), sum(bool(s.right) for s in case.sentences))
        )
    return np.array(rows)


def figures(rows: np.ndarray) -> tuple[float, float]:
    """Precision and recall of the sums of `rows`; precision is 1 where nothing is cited."""
    cited, right, supported = rows.sum(axis=0)
    return (right / cited if cited else 1.0), right / supported


def intervals(rows: np.ndarray) -> list[tuple[float, float]]:
    """The 95 % intervals of precision and recall."""
    random = np.random.default_rng(0)
    drawn = [figures(rows[random.integers(0, len(rows), len(rows))]) for _ in range(SAMPLES)]
    low, high = np.quantile(np.array(drawn), [0.025, 0.975], axis=0)
    return list(zip(low, high, strict=True))


def tuned(cases: Sequence[Case], make: Callable[[float], Method]) -> Method:
    """Of the thresholds 0.30, 0.32 … 1 that of the highest F0.5 on `cases`."""

    def worth(method: Method) -> float:
        precision, recall = figures(counts(cases, method))
        return 1.25 * precision * recall / max(0.25 * precision + recall, 1e-9)

    return max((make(least / 100) for least in range(30, 101, 2)), key=worth)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mistakes", action="store_true", help="list what was cited wrongly or missed")
    args = parser.parse_args()
    embedder = embedded()
    tuning, test = load_cases("tuning"), load_cases("test")
    methods: dict[str, Method] = {
        "space/grounding.py": ours(embedder),
        "the same without checks": unchecked(embedder),
        "always the first passage": first,
        "embedding alone": tuned(tuning, lambda least: nearest(embedder, least)),
        "word overlap alone": tuned(tuning, lambda least: nearest(None, least)),
    }
    print(
        "| | cited | precision (95 %) | recall (95 %) | tuning half: precision | recall |\n|---|---|---|---|---|---|"
    )
    for name, method in methods.items():
        rows = counts(test, method)
        (p, r), ((pl, ph), (rl, rh)) = figures(rows), intervals(rows)
        tp, tr = figures(counts(tuning, method))
        print(
            f"| {name} | {rows[:, 0].sum()} | {p:.3f} ({pl:.2f} to {ph:.2f}) | {r:.3f} ({rl:.2f} to {rh:.2f}) | {tp:.3f} | {tr:.3f} |"
        )
    by_kind(test, methods)
    by_check([*tuning, *test], embedder)
    speed(test, embedder)
    if args.mistakes:
        mistakes(test, embedder)


def by_kind(cases: Sequence[Case], methods: dict[str, Method]) -> None:
    """The share of the sentences of each kind that got a citation: right for the supported kinds, any for the others."""
    total: dict[str, int] = defaultdict(int)
    cited: dict[tuple[str, str], int] = defaultdict(int)
    for case in cases:
        for s in case.sentences:
            total[s.kind] += 1
        for name, method in methods.items():
            for n, s in zip(method(case), case.sentences, strict=True):
                cited[name, s.kind] += n in s.right if s.right else bool(n)
    print(f"\n| kind | sentences | {' | '.join(methods)} |\n|---|---|{'---|' * len(methods)}")
    for kind, count in total.items():
        shares = " | ".join(f"{cited[name, kind] / count:.0%}" for name in methods)
        print(f"| {kind} | {count} | {shares} |")


def by_check(cases: Sequence[Case], embedder: Embedder) -> None:
    """How many near sentences each check refused, and how many of those the nearest place does bear out."""
    refused: dict[str, list[bool]] = defaultdict(list)
    for case in cases:
        for s in case.sentences:
            found = grounding.ground(s.text, case.passages, embedder)[0]
            if found.reason not in ("", "far"):
                refused[found.reason].append(_holding(case, found.evidence) in s.right)
    print("\n| check | refused, both halves | wrongly |\n|---|---|---|")
    for reason in grounding.REASONS[1:]:
        print(f"| {reason} | {len(refused[reason])} | {sum(refused[reason])} |")


def speed(cases: Sequence[Case], embedder: Embedder) -> None:
    """Milliseconds for a whole text of twenty sentences."""
    seconds = []
    for case in cases:
        text = " ".join(s.text for s in case.sentences)
        begun = time.perf_counter()
        grounding.ground(text, case.passages, embedder)
        seconds.append((time.perf_counter() - begun) / len(case.sentences))
    print(f"\n{1000 * float(np.median(seconds)):.2f} ms a sentence")


def mistakes(cases: Sequence[Case], embedder: Embedder) -> None:
    for case in cases:
        for s in case.sentences:
            found = grounding.ground(s.text, case.passages, embedder)[0]
            if found.passage not in s.right and (found.passage or s.right):
                print(
                    f"\n{s.kind}, cited {found.passage}, right {sorted(s.right)}, {found.score:.2f} {found.reason}"
                )
                print(f"  {s.text}\n  {found.evidence}")


if __name__ == "__main__":
    main()
