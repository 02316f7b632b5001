"""Measures retrieval on a question set: `python -m index evaluate QA.json --embedder MODEL [--words 200] [--limit N]`.

QA.json is in SQuAD format. Its contexts are cut into passages as an index cuts them and searched with its questions, by the
embedder alone, by BM25 alone and by both with the weight that an index of these contexts would choose, without looking at
the questions. A passage is right when it comes from the question's context. Prints recall at 1 and 5, MRR at 10 and the
median and 95 % latency of a query.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from index.calibrate import choose_weight, make_cloze
from index.embed import Embedder, Vectors, encode_passages, encode_query
from index.encode import load_embedder
from index.fusion import Ranker
from index.lexical import Lexical
from index.passages import WORDS, split
from index.questions import Questions, read_questions

_DEPTH = 10


@dataclass(frozen=True)
class Score:
    """Retrieval measures of one kind of search; latencies in milliseconds a query."""

    search: str
    recall1: float
    recall5: float
    mrr10: float
    median_ms: float
    p95_ms: float


@dataclass(frozen=True)
class Evaluation:
    """The scores of all kinds of search over the same passages."""

    questions: int
    passages: int
    impossible: int
    dense_weight: float
    scores: list[Score]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("questions", type=Path, metavar="QA.json", help="a question set in SQuAD format")
    parser.add_argument("--embedder", required=True, metavar="MODEL", help="as for `index build`")
    parser.add_argument("--query-prompt")
    parser.add_argument("--passage-prompt")
    parser.add_argument("--words", type=int, default=WORDS, help=f"words a passage (default {WORDS})")
    parser.add_argument(
        "--limit", type=int, help="only every n-th question, so that at most about LIMIT are asked"
    )
    parser.add_argument("--json", type=Path, help="also write the result there")


def run(args: argparse.Namespace) -> None:
    embedder = load_embedder(args.embedder, args.query_prompt, args.passage_prompt)
    result = evaluate(read_questions(args.questions), embedder, args.words, args.limit)
    print(
        f"{args.questions.name}: {result.questions} questions, {result.passages} passages, {result.impossible} impossible left out"
    )
    print(f"dense weight chosen without the questions: {result.dense_weight}")
    print(table(result))
    if args.json:
        args.json.write_text(json.dumps(asdict(result), indent=1) + "\n", encoding="utf-8")


def evaluate(
    questions: Questions, embedder: Embedder, words: int = WORDS, limit: int | None = None
) -> Evaluation:
    """Builds both searches over the contexts and asks the questions. Deterministic but for the latencies."""
    texts: list[str] = []
    owners: list[int] = []
    for number, paragraph in enumerate(questions.paragraphs):
        pieces = split(paragraph.context, words).pieces
        texts.extend(piece.strip() for piece in pieces)
        owners.extend([number] * len(pieces))
    asked = [
        (q, number) for number, paragraph in enumerate(questions.paragraphs) for q in paragraph.questions
    ]
    asked = asked[:: max(1, -(-len(asked) // limit))] if limit else asked
    ranker = make_ranker(embedder, texts)
    cloze = make_cloze(texts)
    weight, _ = choose_weight(cloze, make_ranker(embedder, cloze.texts), embedder)
    rows = np.array(owners)
    kinds = {"dense": 1.0, "bm25": 0.0, "hybrid": weight}
    scores = [_score(name, w, ranker, embedder, asked, rows) for name, w in kinds.items()]
    return Evaluation(len(asked), len(texts), questions.impossible, weight, scores)


def make_ranker(embedder: Embedder, texts: list[str]) -> Ranker:
    """Both indexes over `texts`, in memory."""
    import faiss

    vectors: Vectors = encode_passages(embedder, texts)
    flat = faiss.IndexFlatIP(embedder.info.dimension)
    flat.add(vectors)
    return Ranker(flat, Lexical.build(texts))


def table(result: Evaluation) -> str:
    """The scores as a Markdown table."""
    lines = ["| search | recall@1 | recall@5 | MRR@10 | median ms | p95 ms |", "|---|---|---|---|---|---|"]
    for s in result.scores:
        lines.append(
            f"| {s.search} | {s.recall1:.3f} | {s.recall5:.3f} | {s.mrr10:.3f} | {s.median_ms:.1f} | {s.p95_ms:.1f} |"
        )
    return "\n".join(lines)


def _score(
    name: str,
    weight: float,
    ranker: Ranker,
    embedder: Embedder,
    asked: list[tuple[str, int]],
    owners: np.ndarray,
) -> Score:
    ranks, seconds = [], []
    for question, owner in asked:
        start = time.perf_counter()
        found = _search(name, weight, ranker, embedder, question)
        seconds.append(time.perf_counter() - start)
        right = np.flatnonzero(owners[found[:_DEPTH]] == owner)
        ranks.append(int(right[0]) if len(right) else _DEPTH)
    position = np.array(ranks)
    milliseconds = 1000 * np.quantile(seconds, [0.5, 0.95])
    reciprocal = np.where(position < _DEPTH, 1 / (position + 1), 0)
    return Score(
        search=name,
        recall1=float(np.mean(position < 1)),
        recall5=float(np.mean(position < 5)),
        mrr10=float(reciprocal.mean()),
        median_ms=float(milliseconds[0]),
        p95_ms=float(milliseconds[1]),
    )


def _search(name: str, weight: float, ranker: Ranker, embedder: Embedder, question: str) -> np.ndarray:
    """Row numbers, best first; each kind of search does only its own work, so that latencies compare."""
    if name == "dense":
        return ranker.vectors.search(encode_query(embedder, question)[None], _DEPTH)[1][0]
    if name == "bm25":
        coverage = ranker.lexical.coverage(question)
        best = np.argpartition(-coverage, min(_DEPTH, len(coverage)) - 1)[:_DEPTH]
        return best[np.argsort(-coverage[best], kind="stable")]
    return ranker.rank(question, encode_query(embedder, question), weight).ids
