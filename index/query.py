"""Prints the passages that answer a query: `python -m index search DIR "la vida en el mar" [-k 5] [--threshold T]`."""

from __future__ import annotations

import argparse
from pathlib import Path

from index.search import Index


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("index", type=Path, metavar="DIR", help="the index folder")
    parser.add_argument("query")
    parser.add_argument("-k", type=_positive, default=5, help="passages at most (default 5)")
    parser.add_argument(
        "--threshold", type=float, help="lowest score (default: the index's own; -1 shows all)"
    )


def run(args: argparse.Namespace) -> None:
    index = Index.load(args.index)
    hits = index.search(args.query, args.k, args.threshold)
    for hit in hits:
        place = f"{hit.passage.title} · {hit.passage.source} · passage {hit.passage.position}"
        print(
            f"{hit.score:.2f} {index.relevance(hit.score):6} (cosine {hit.dense:.2f}, words {hit.lexical:.2f})  {place}"
        )
        print(f"    {' '.join(hit.passage.text.split())}\n")
    if not hits:
        lowest = index.threshold if args.threshold is None else args.threshold
        print(f"No passage reaches the threshold {lowest:.2f}. --threshold -1 shows the nearest ones.")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return value
