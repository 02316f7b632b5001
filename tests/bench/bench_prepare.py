"""Cost of preparing against size: `python -m tests.bench.bench_prepare SOURCE --speaker "NAME" [--sizes 60,250,1000]`.

SOURCE is a folder of real transcripts in blocks (`---`, label, text). Corpora of the wanted sizes in MB are made of them in a
temporary folder: each document has the header of one and runs of blocks of others, with one word in each paragraph
exchanged, so that nothing is a duplicate. Each is prepared in a process of its own (`--speaker`, all cores). Prints a
Markdown table; memory is the most that the process and its children held at once, shared pages counted once (Linux's PSS),
looked at four times a second.
"""

from __future__ import annotations

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
_RUNS = 6  # of blocks, in a document
_INTERVAL = 0.25  # seconds


def synthesise(source: Path, folder: Path, size: int, seed: int = 0) -> int:
    """Writes documents of `size` bytes together into `folder`; returns how many."""
    draw = random.Random(seed)
    texts = [path.read_text(encoding="utf-8") for path in sorted(source.rglob("*.txt"))]
    documents = [parts for text in texts if len(parts := text.split("\n---\n")) > _RUNS]
    words = sorted({word for text in texts[::10] for word in text.split() if word.isalpha()})
    written = number = 0
    while written < size:
        header = draw.choice(documents)[0]
        blocks = [
            _changed(block, words, draw) for _ in range(_RUNS) for block in _run(draw.choice(documents), draw)
        ]
        text = "\n---\n".join([header, *blocks])
        (folder / f"{number:06}.txt").write_text(text, encoding="utf-8")
        written += len(text.encode())
        number += 1
    return number


def _run(document: list[str], draw: random.Random) -> list[str]:
    """Consecutive blocks: a sixth of the document, at least one."""
    length = max(1, len(document) // _RUNS)
    start = draw.randrange(1, max(2, len(document) - length + 1))
    return document[start : start + length]


def _changed(block: str, words: list[str], draw: random.Random) -> str:
    """The block with one word of each line after the label exchanged."""
    label, *lines = block.split("\n")
    changed = []
    for line in lines:
        parts = line.split(" ")
        if len(parts) > 3:
            parts[draw.randrange(1, len(parts) - 1)] = draw.choice(words)
        changed.append(" ".join(parts))
    return "\n".join([label, *changed])


def measure(command: list[str]) -> tuple[float, float, float]:
    """Seconds of wall clock, seconds of CPU and peak MB of a command and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    peak = 0
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, sum(map(_pss, _family(process.pid))))
            time.sleep(_INTERVAL)
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed")
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, peak / 1024


def _family(pid: int) -> Iterator[int]:
    """The process and all that descend from it."""
    yield pid
    try:
        children = [
            child
            for path in Path(f"/proc/{pid}/task").glob("*/children")
            for child in path.read_text(encoding="ascii").split()
        ]
    except OSError:  # it has just ended
        return
    for child in children:
        yield from _family(int(child))


def _pss(pid: int) -> int:
    """Proportional set size in kB; 0 for a process that has just ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0
    return int(text.split("\nPss:")[1].split()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("--speaker", required=True)
    parser.add_argument("--sizes", default="60,250,1000", help="in MB (10^6 bytes)")
    args = parser.parse_args()
    print(
        "| MB | documents | seconds | MB/s | CPU seconds | CPU s per MB | peak MB |\n|---|---|---|---|---|---|---|"
    )
    for size in map(int, args.sizes.split(",")):
        with tempfile.TemporaryDirectory() as scratch:
            corpus = Path(scratch) / "corpus"
            corpus.mkdir()
            documents = synthesise(args.source, corpus, size * 1_000_000)
            command = [sys.executable, "-m", "train", "prepare", "conference", str(corpus)]
            command += ["--speaker", args.speaker, "--out", str(Path(scratch) / "out")]
            seconds, cpu, peak = measure(command)
        print(
            f"| {size:,} | {documents:,} | {seconds:.0f} | {size / seconds:.1f} | {cpu:.0f} | {cpu / size:.2f} | {peak:,.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
