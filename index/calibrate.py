"""Sets what an index cannot know beforehand, without labels: the weight of the dense score, and what a score means.

Used by `python -m index build`, which stores the result in index.json.

Dense weight: for a sample of passages, a sentence taken out of the passage (inverse cloze: what it means without its words) and
a few words left in it (keywords) are searched for. Each kind's mean reciprocal rank is divided by its best over all weights,
and the smallest weight whose mean of both is within 0.5 % of the best is kept, so that BM25 prevails where the embedder
adds nothing.

Relevance: queries that have nothing to do with almost any corpus (index/texts/unrelated.txt) are searched. A hit's evidence
is the sum of its cosine and its coverage, each in standard deviations above what these queries reach; its z is the same of
that sum, and its score is 1 / (1 + exp(−(z − 1.645) / 1.5)). So 0.5, the threshold, is passed by about 5 % of unrelated
queries whatever the embedder, and 0.8 (z = 3.7) reads as high relevance. Center and standard deviation are taken from
the median and the 90 % quantile, which bear a corpus to which a few of the unrelated queries do relate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from index.embed import Embedder, encode_passages, encode_query
from index.fusion import Array, Ranker, Ranking, fuse
from index.lexical import Lexical
from index.passages import Passage, paragraphs, sentences
from index.store import Calibration

THRESHOLD = 0.5
HIGH = 0.8
WEIGHTS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
_TOLERANCE = 0.995
_QUERIES = 400
_POOL = 5_000
_MIN_WORDS = 6
_TAIL_90, _TAIL_95 = 1.2816, 1.645
_SLOPE = 1.5
_DEPTH = 20
_MIN_SCALE = 0.02
_UNRELATED = Path(__file__).parent / "texts" / "unrelated.txt"


@dataclass(frozen=True)
class Cloze:
    """Queries made of passages: `queries[i]` was taken out of row `rows[i]` of `texts`, which holds `keywords[i]` still."""

    texts: list[str]
    queries: list[str]
    keywords: list[str]
    rows: list[int]


def unrelated_queries() -> list[str]:
    """The committed queries, short and long, on narrow subjects."""
    return [line for line in _UNRELATED.read_text(encoding="utf-8").splitlines() if line.strip()]


def make_cloze(texts: list[str], seed: int = 0) -> Cloze:
    """One sentence of at least 6 words out of each of at most 400 passages, of at most 5,000 passages in all."""
    random = np.random.default_rng(seed)
    pool = sorted(random.permutation(len(texts))[:_POOL].tolist())
    texts = [texts[i] for i in pool]
    cloze = Cloze(list(texts), [], [], [])
    for row in random.permutation(len(texts)).tolist():
        parts = [s for paragraph in paragraphs(texts[row]) for s in sentences(paragraph)]
        choices = [i for i, part in enumerate(parts) if len(part.split()) >= _MIN_WORDS]
        if len(parts) < 3 or not choices:
            continue
        taken = int(random.choice(choices))
        cloze.queries.append(parts[taken].strip())
        cloze.rows.append(row)
        cloze.texts[row] = "".join(parts[:taken] + parts[taken + 1 :])
        words = cloze.texts[row].split()
        runs = random.integers(0, max(1, len(words) - 3), 2).tolist()
        cloze.keywords.append(" ".join(" ".join(words[start : start + 3]) for start in runs))
        if len(cloze.queries) == _QUERIES:
            break
    return cloze


def recall_and_mrr(rankings: list[Array], rows: list[int]) -> tuple[float, float]:
    """Recall at 5 and mean reciprocal rank at 10 of one right row a ranking."""
    ranks = [np.flatnonzero(ids[:10] == row) for ids, row in zip(rankings, rows, strict=True)]
    found = [int(rank[0]) for rank in ranks if len(rank)]
    return sum(r < 5 for r in found) / len(rows), sum(1 / (r + 1) for r in found) / len(rows)


def choose_weight(cloze: Cloze, ranker: Ranker, embedder: Embedder) -> tuple[float, dict[str, float]]:
    """The dense weight for `ranker`, an index of `cloze.texts`, and recall at 5 of dense, BM25 and both on inverse cloze.

    Without queries (passages of one or two sentences) the weight is 0.1, and there are no recalls.
    """
    if not cloze.rows:
        return 0.1, {}
    results = []
    for queries in (cloze.queries, cloze.keywords):
        found = [ranker.candidates(query, encode_query(embedder, query)) for query in queries]
        results.append(
            {w: recall_and_mrr([fuse(f, w).ids for f in found], cloze.rows) for w in (*WEIGHTS, 1.0)}
        )
    best = [max(1e-9, max(result[w][1] for w in WEIGHTS)) for result in results]
    merit = {w: sum(result[w][1] / top for result, top in zip(results, best, strict=True)) for w in WEIGHTS}
    weight = next(w for w in WEIGHTS if merit[w] >= _TOLERANCE * max(merit.values()))
    recall = {"dense": results[0][1.0][0], "bm25": results[0][0.0][0], "hybrid": results[0][weight][0]}
    return weight, {name: round(value, 4) for name, value in recall.items()}


def calibrate(ranker: Ranker, embedder: Embedder, passages: list[Passage], seed: int = 0) -> Calibration:
    """Everything above for a new index; costs one more encoding of at most 5,000 passages."""
    import faiss

    cloze = make_cloze([passage.text for passage in passages], seed)
    vectors = faiss.IndexFlatIP(embedder.info.dimension)
    vectors.add(encode_passages(embedder, cloze.texts))
    reduced = Ranker(vectors, Lexical.build(cloze.texts))
    weight, recall = choose_weight(cloze, reduced, embedder)
    related = [reduced.rank(query, encode_query(embedder, query), weight) for query in cloze.queries]
    queries = unrelated_queries()
    unrelated = [ranker.rank(query, encode_query(embedder, query), weight) for query in queries]
    dense = _center_and_scale([float(f.dense.max(initial=0)) for f in unrelated])
    lexical = _center_and_scale([float(f.lexical.max(initial=0)) for f in unrelated])
    bare = Calibration(weight, *dense, *lexical, [], [], recall)
    strengths = [float(evidence(f, bare)[0]) for f in unrelated]
    found = [float(evidence(f, bare)[0]) for f in related]
    return replace(bare, unrelated=_rounded(strengths), related=_rounded(found))


def evidence(ranked: Ranking, calibration: Calibration, depth: int = _DEPTH) -> Array:
    """Cosine plus coverage in standard deviations above unrelated queries' best, [the first `depth` hits].

    A hit counts for at least as much as those ranked after it, so that scores fall with rank.
    """
    dense = (ranked.dense[:depth] - calibration.dense_center) / calibration.dense_scale
    lexical = (ranked.lexical[:depth] - calibration.lexical_center) / calibration.lexical_scale
    return np.maximum.accumulate((dense + lexical)[::-1])[::-1]


def scorer(calibration: Calibration) -> Callable[[Array], Array]:
    """The map from evidence to the score between 0 and 1."""
    center, scale = _center_and_scale(calibration.unrelated, floor=0.1)

    def score(values: Array) -> Array:
        z = np.clip((values - center) / scale, -30, 30)
        return 1 / (1 + np.exp(-(z - _TAIL_95) / _SLOPE))

    return score


def _center_and_scale(values: list[float], floor: float = _MIN_SCALE) -> tuple[float, float]:
    center, upper = np.quantile(values, [0.5, 0.9])
    return float(center), max(floor, float(upper - center) / _TAIL_90)


def _rounded(values: list[float]) -> list[float]:
    return [round(value, 3) for value in sorted(values)]
