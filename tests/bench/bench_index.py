"""Index speed: `python -m tests.bench.bench_index [--embedder FOLDER] [--sizes 1000,10000,100000]`.

Passages of 200 words are drawn from the sentences of our own talks. For each size: passages a second of the whole
`build_index` (embedding, BM25, calibration, writing, hashing), and in a fresh process the time to load, the memory it adds,
and median and 95 % latency of 200 searches (hybrid, with the query's embedding). Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from index.build import BuildOptions, build_index
from index.documents import Document
from index.passages import sentences

ROOT = Path(__file__).parents[2]
TALKS = ROOT / "train" / "texts" / "talks"
_WORDS = 200
_QUERIES = 200


def synthetic(count: int, seed: int = 0) -> list[Document]:
    """`count` documents of one passage each, of sentences drawn from the talks."""
    random = np.random.default_rng(seed)
    texts = (path.read_text(encoding="utf-8").split("---", 2)[-1] for path in sorted(TALKS.glob("*.md")))
    pool = [s.strip() for text in texts for s in sentences(text) if len(s.split()) > 4]
    lengths = np.array([len(s.split()) for s in pool])
    documents = []
    for number in range(count):
        drawn = random.integers(0, len(pool), 60)
        fitting = drawn[np.cumsum(lengths[drawn]) <= _WORDS]
        documents.append(Document(str(number), f"T{number}", " ".join(pool[i] for i in fitting), "synthetic"))
    return documents


def measure(folder: Path) -> dict[str, float]:
    """Load and search an index in this process; milliseconds, seconds and MB."""
    import faiss  # noqa: F401
    import llama_cpp  # noqa: F401

    from index.search import Index

    before = _peak()
    start = time.perf_counter()
    index = Index.load(folder)
    loaded = time.perf_counter() - start
    words = [passage.text.split() for passage in index.passages[: 2 * _QUERIES]]
    queries = [" ".join(words[i][3 : 3 + 4 + i % 9]) for i in range(0, len(words), 2)]
    index.search(queries[0])
    seconds = []
    for query in queries:
        start = time.perf_counter()
        index.search(query)
        seconds.append(1000 * (time.perf_counter() - start))
    return {
        "load_s": loaded,
        "median_ms": statistics.median(seconds),
        "p95_ms": float(np.quantile(seconds, 0.95)),
        "mb": _peak() - before,
    }


def bench(size: int, embedder: Path) -> dict[str, Any]:
    """Build an index of `size` passages and measure it in a fresh process."""
    documents = synthetic(size)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "index"
        start = time.perf_counter()
        with contextlib.redirect_stderr(io.StringIO()):
            manifest = build_index(documents, folder, BuildOptions(str(embedder)))
        seconds = time.perf_counter() - start
        command = [sys.executable, "-m", "tests.bench.bench_index", "--measure", str(folder)]
        measured = json.loads(
            subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
        )
        disk = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    return {
        "passages": manifest.passages,
        "build_per_s": manifest.passages / seconds,
        "disk_mb": disk,
        **measured,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--embedder", type=Path, help="default: that of the embedded bundle")
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.measure)))
        return
    embedder = args.embedder or next((ROOT / "space" / "bundle").glob("indexes/*/embedder"), None)
    if embedder is None:
        parser.error("no embedded bundle; give --embedder FOLDER")
    print(
        "| passages | build, passages/s | search median ms | p95 ms | load s | memory MB | disk MB |\n|---|---|---|---|---|---|---|"
    )
    for size in map(int, args.sizes.split(",")):
        r = bench(size, embedder)
        print(
            f"| {r['passages']:,} | {r['build_per_s']:,.0f} | {r['median_ms']:.1f} | {r['p95_ms']:.1f} | "
            f"{r['load_s']:.2f} | {r['mb']:.0f} | {r['disk_mb']:.0f} |",
            flush=True,
        )


def _peak() -> float:
    status = Path("/proc/self/status").read_text(
        encoding="ascii"
    )  # ru_maxrss would include the parent's peak
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main()
