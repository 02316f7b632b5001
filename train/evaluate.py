"""Compares a base model with its adapters on held-out conversations, in the GGUF files that are served.

    python -m train evaluate --base F.gguf --adapter charlas=F-LoRA.gguf --data talks=DIR/test.jsonl ... --out evaluation.json

For each data set and condition: negative log-likelihood of the answers (with the token that ends them; of a chat, each of the
persona's turns given those before it), as perplexity a token and bits a character, with 95 % intervals by bootstrap over documents; for each adapter also the difference from the base, paired.
Prints a table; the JSON goes into a bundle's report.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from space.files import file_sha256
from space.prompts import Message
from space.settings import available_cores
from train.bundle import MAX_CONTEXT
from train.chat_examples import answer_places
from train.errors import BadOption, NothingToEvaluate
from train.gguf_facts import GgufFacts
from train.scoring import Scorer

RESAMPLES = 2000


@dataclass(frozen=True)
class Document:
    """The answers of one document under one condition, added up; `characters` and `tokens` are the same in all."""

    nats: float
    tokens: int
    characters: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--base", type=Path, required=True, help="GGUF")
    parser.add_argument("--adapter", action="append", default=[], metavar="NAME=LORA.gguf")
    parser.add_argument("--data", action="append", required=True, metavar="NAME=JSONL", help="conversations")
    parser.add_argument("--context", type=int, help=f"tokens (default: the model's, at most {MAX_CONTEXT})")
    parser.add_argument("--limit", type=int, help="documents of each data set, the first in its order (all)")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")


def run(args: argparse.Namespace) -> None:
    """Evaluate and write. Raises BadOption, NothingToEvaluate, AnswerTooLong, ModelUnreadable, BundlePartInvalid."""
    adapters, sets = _pairs("--adapter", args.adapter), _pairs("--data", args.data)
    facts = GgufFacts.read(args.base)
    context = args.context or min(facts.context, MAX_CONTEXT)
    scorer = Scorer(args.base, adapters, facts.chat_template, context, available_cores(os.environ))
    report: dict[str, Any] = {
        "base": {"file": args.base.name, "sha256": file_sha256(args.base)},
        "adapters": {n: {"file": p.name, "sha256": file_sha256(p)} for n, p in adapters.items()},
        "sets": {},
    }
    for name, path in sets.items():
        examples = _read(path, args.limit)
        conditions = {adapter: measure(scorer, examples, adapter) for adapter in (None, *adapters)}
        report["sets"][name] = {"sha256": file_sha256(path), **summarize(conditions)}
    scorer.close()
    args.out.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(table(report))


def measure(scorer: Scorer, examples: dict[str, list[Any]], adapter: str | None) -> list[Document]:
    """The documents of `examples` (conversations by document) under one condition, in order."""
    from tqdm import tqdm

    documents = []
    for conversations in tqdm(examples.values(), desc=adapter or "base", unit="document", disable=None):
        nats, tokens, characters = 0.0, 0, 0
        for prompt, answer in answers(conversations):
            loss, count = scorer.answer(prompt, answer, adapter)
            nats, tokens = nats + loss, tokens + count
            characters += len(answer.strip())
        documents.append(Document(nats, tokens, characters))
    return documents


def answers(conversations: Iterable[dict[str, Any]]) -> Iterator[tuple[list[Message], str]]:
    """Each answer that `python -m train sft` learns from in such conversations, with all that was said before it."""
    for row in conversations:
        for place in answer_places(row):
            yield row["messages"][:place], row["messages"][place]["content"]


def summarize(conditions: dict[str | None, list[Document]]) -> dict[str, Any]:
    """Figures by condition ("base" for None), of which the adapters' have the paired `against_base`."""
    base = conditions[None]
    drawn = np.random.default_rng(0).integers(0, len(base), (RESAMPLES, len(base)))
    tokens, characters = (np.array([getattr(d, unit) for d in base]) for unit in ("tokens", "characters"))
    result: dict[str, Any] = {"documents": len(base), "tokens": int(tokens.sum()), "conditions": {}}
    for name, documents in conditions.items():
        nats = np.array([d.nats for d in documents])
        loss = nats.sum() / tokens.sum()
        figures = {
            "nats_per_token": loss,
            "perplexity": math.exp(loss),
            "bits_per_character": nats.sum() / math.log(2) / characters.sum(),
            "nats_interval": _interval(nats, tokens, drawn),
        }
        if name is not None:
            less = nats - np.array([d.nats for d in base])
            figures["against_base"] = less.sum() / tokens.sum()
            figures["against_base_interval"] = _interval(less, tokens, drawn)
        result["conditions"][name or "base"] = figures
    return result


def table(report: dict[str, Any]) -> str:
    """The report as a Markdown table."""
    rows = [
        "| held out | documents | condition | perplexity | bits per character | nats per token (95 %) | against base (95 %) |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, result in report["sets"].items():
        for condition, f in result["conditions"].items():
            low, high = f["nats_interval"]
            against = "–"
            if "against_base" in f:
                a, b = f["against_base_interval"]
                against = f"{f['against_base']:+.3f} ({a:+.3f} to {b:+.3f})"
            rows.append(
                f"| {name} | {result['documents']} | {condition} | {f['perplexity']:.1f} | {f['bits_per_character']:.3f} "
                f"| {f['nats_per_token']:.3f} ({low:.3f} to {high:.3f}) | {against} |"
            )
    return "\n".join(rows)


def _interval(values: np.ndarray, weights: np.ndarray, drawn: np.ndarray) -> list[float]:
    """95 % percentile interval of sum(values) / sum(weights) over the resampled documents `drawn` [resamples, n]."""
    ratios = values[drawn].sum(axis=1) / weights[drawn].sum(axis=1)
    return [float(x) for x in np.quantile(ratios, [0.025, 0.975])]


def _pairs(option: str, given: Iterable[str]) -> dict[str, Path]:
    pairs = {}
    for text in given:
        name, _, path = text.partition("=")
        if not path or not Path(path).is_file():
            raise BadOption(option=option, value=text, reason="give NAME=FILE, a file that exists")
        pairs[name] = Path(path)
    return pairs


def _read(path: Path, limit: int | None) -> dict[str, list[Any]]:
    """The conversations by document."""
    examples: dict[str, list[Any]] = defaultdict(list)
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        examples[row["document"]].append(row)
    if not examples:
        raise NothingToEvaluate(path=path)
    return dict(list(examples.items())[:limit])
