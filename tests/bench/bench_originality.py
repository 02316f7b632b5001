"""Originality at the size of a real corpus: `python -m tests.bench.bench_originality FOLDER [--megabytes 40]`.

Hashes the texts of FOLDER (.txt and .md) up to so many megabytes, loads the file back and prints a Markdown table: size, time to make
and to load, milliseconds a sentence while texts of our own stream word by word (each word a frame, as on the page), how many planted
spans of 12 words are found, and how much of our unrelated talks is called copied; for files with sources and with hashes only.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.documents import Document, read_documents
from index.passages import sentences
from space.originality import Tracker
from space.originals import Originals, Source, words

TALKS = Path(__file__).parents[2] / "train" / "texts" / "talks"
PLANTED = 2000
BAR_MS = 2.0


@dataclass(frozen=True)
class Speed:
    """Milliseconds a sentence."""

    median: float
    p95: float
    worst: float


def taken(folder: Path, megabytes: float) -> list[Document]:
    """Documents of `folder` up to `megabytes` of UTF-8, drawn in a fixed order."""
    documents = read_documents(folder)
    random.Random(0).shuffle(documents)
    result, size = [], 0
    for document in documents:
        if size >= megabytes * 1e6:
            break
        result.append(document)
        size += len(document.text.encode())
    return result


def stream(originals: Originals, talks: list[Document]) -> Speed:
    """Talks written word by word on top of each other; each sentence is timed with all its frames."""
    found = []
    for document in talks:
        tracker, text = Tracker(originals), ""
        for sentence in sentences(document.text):
            began = time.perf_counter()
            for word in sentence.split():
                text += f" {word}"
                tracker.update(text)
            found.append(1000 * (time.perf_counter() - began))
    return Speed(float(np.median(found)), float(np.quantile(found, 0.95)), max(found))


def whole(originals: Originals, talks: list[Document]) -> Speed:
    """As `stream`, with one frame a sentence."""
    found = []
    for document in talks:
        tracker, text = Tracker(originals), ""
        for sentence in sentences(document.text):
            text += f" {sentence}"
            began = time.perf_counter()
            tracker.update(text)
            found.append(1000 * (time.perf_counter() - began))
    return Speed(float(np.median(found)), float(np.quantile(found, 0.95)), max(found))


def recall(originals: Originals, documents: list[Document], talks: list[Document]) -> float:
    """The share of PLANTED spans of 12 words that are found whole in our own texts."""
    noise = random.Random(1)
    own = [words(document.text) for document in talks]
    corpus = [long for document in documents if len(long := words(document.text)) > 12]
    hits = 0
    for n in range(PLANTED):
        theirs = noise.choice(corpus)
        at, host = noise.randrange(len(theirs) - 12), own[n % len(own)][:120]
        place = noise.randrange(len(host))
        finding = Tracker(originals).update(" ".join([*host[:place], *theirs[at : at + 12], *host[place:]]))
        hits += finding is not None and finding.longest >= 12
    return hits / PLANTED


def alarms(originals: Originals, talks: list[Document]) -> tuple[float, float]:
    """The share of sentences (of 8 words on) and of 8-grams of our talks that are called copied."""
    flagged = judged = copied = ngrams = 0
    for document in talks:
        for text in sentences(document.text):
            if finding := Tracker(originals).update(text):
                judged, flagged = judged + 1, flagged + (finding.copied > 0)
        finding = Tracker(originals).update(document.text)
        assert finding is not None
        copied, ngrams = copied + finding.copied, ngrams + finding.ngrams
    return flagged / judged, copied / ngrams


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megabytes", type=float, default=40)
    args = parser.parse_args()
    documents, talks = taken(args.folder, args.megabytes), read_documents(TALKS)
    size = sum(len(document.text.encode()) for document in documents)
    print(f"{size / 1e6:.1f} MB, {len(documents):,} documents, 8 words an n-gram\n")
    print(
        "| file | MB per MB | made in | loaded in | chance of an 8-gram | counts from | ms a sentence, a frame a word (p95) "
        "| one frame (p95) | 12 planted words found | false: sentences, 8-grams |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for private in (False, True):
        began = time.perf_counter()
        sources = [Source(document.title, document.source) for document in documents]
        made = Originals.of([(n, d.text) for n, d in enumerate(documents)], sources, private=private)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "originals.bin"
            made.save(path)
            seconds = time.perf_counter() - began
            began = time.perf_counter()
            loaded = Originals.load(path)
            opened = time.perf_counter() - began
            every, one = stream(loaded, talks), whole(loaded, talks)
            flagged, copied = alarms(loaded, talks)
            print(
                f"| {'hashes only' if private else 'with sources'} | {path.stat().st_size / size:.2f} | {seconds:.1f} s "
                f"| {opened:.2f} s | {loaded.false_positives:.2%} | {loaded.least_words} words "
                f"| {every.median:.2f} ({every.p95:.2f}) | {one.median:.3f} ({one.p95:.3f}) "
                f"| {recall(loaded, documents, talks):.4f} | {flagged:.3%}, {copied:.3%} |"
            )
    print(f"\nBar: {BAR_MS:g} ms a sentence.")


if __name__ == "__main__":
    main()
