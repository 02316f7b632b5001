"""Quantizations of one model, side by side: size, bits per character on texts, speed of reading and of writing.

    python -m tests.bench.bench_quantization GGUF... --texts FILE [--characters 60000] [--rounds 5] [--threads 2]

FILE is a text, or the `data/heldout.json` of `python -m train pretrain`. Every file reads the same windows of 512 tokens. Speeds
are medians of rounds taken in turns, so that a busy machine slows all alike. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import time
from pathlib import Path

from space.settings import available_cores
from train.gguf_facts import GgufFacts
from train.scoring import Scorer

WINDOW = 512
_WRITTEN = 128


def texts(path: Path, characters: int) -> list[str]:
    """The middle of texts of the file, spread over it, 3,000 characters of each, `characters` in all."""
    found = path.read_text("utf-8")
    if path.suffix == ".json":
        pieces = [text for source in json.loads(found).values() for text in source.values()]
    else:
        pieces = [found]
    pieces = pieces[:: max(1, len(pieces) * 3000 // characters)]
    half = characters // len(pieces) // 2
    return [t[max(0, len(t) // 2 - half) : len(t) // 2 + half] for t in pieces]


class Candidate:
    """A GGUF and its timings, tokens per second."""

    def __init__(self, path: Path, threads: int) -> None:
        self.path = path
        self.model = Scorer(path, {}, GgufFacts.read(path).chat_template, WINDOW + _WRITTEN, threads)
        self.reading: list[float] = []
        self.writing: list[float] = []

    def bits_per_character(self, pieces: list[str]) -> float:
        """Mean over `pieces`, each read in windows whose first token is the one before, or the end token."""
        vocabulary, nats = self.model.vocabulary, 0.0
        end = vocabulary.markers[vocabulary.eos].id
        for piece in pieces:
            ids = [end, *vocabulary.tokenize(piece)]
            for start in range(0, len(ids) - 1, WINDOW - 1):
                nats += self.model.nats(ids[start : start + WINDOW])
        return nats / math.log(2) / sum(map(len, pieces))

    def time_once(self) -> None:
        """One round: read 512 tokens, write 128."""
        context = self.model.context
        context.truncate(0, 0)
        begun = time.perf_counter()
        context.read(0, [5] * WINDOW)
        read = time.perf_counter()
        for _ in range(_WRITTEN):
            context.write([(0, 7)])
        self.reading.append(WINDOW / (read - begun))
        self.writing.append(_WRITTEN / (time.perf_counter() - read))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+", metavar="GGUF")
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--characters", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=available_cores(os.environ))
    args = parser.parse_args()
    pieces = texts(args.texts, args.characters)
    candidates = [Candidate(path, args.threads) for path in args.files]
    for _ in range(args.rounds + 1):
        for candidate in candidates:
            candidate.time_once()
    print(f"{sum(map(len, pieces))} characters of {len(pieces)} texts, {args.threads} threads")
    print("| file | MB | bits per character | reads, tokens/s | writes, tokens/s |\n|---|---|---|---|---|")
    for c in candidates:
        read, wrote = statistics.median(c.reading[1:]), statistics.median(c.writing[1:])
        size = c.path.stat().st_size / 1e6
        print(
            f"| {c.path.name} | {size:.1f} | {c.bits_per_character(pieces):.4f} | {read:,.0f} | {wrote:,.0f} |"
        )


if __name__ == "__main__":
    main()
