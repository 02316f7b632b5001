"""How well a model predicts held-out answers under several conditions, with intervals and paired differences.

Used by `python -m train evaluate`. Negative log-likelihood of the answers, with the token that ends them, as perplexity a token
and bits a character; 95 % percentile intervals by bootstrap over documents (Efron and Tibshirani 1993, chapter 13), the same
resamples for every condition, so that differences are paired.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from space.bundle import Bundle, Generator
from space.prompts import Message, format_context
from train.held_out import BlindStudio, Held, answers, query_of, without_copies
from train.scoring import Scorer

RESAMPLES = 2000
SEED = 0
PASSAGES = 5
BASE = "base"
RAG = " + RAG"


@dataclass(frozen=True)
class Condition:
    """A model and its prompt: `adapter` None is the base; with `rag` passages stand before the topic; a `control` is an
    adapter of another author."""

    name: str
    adapter: str | None = None
    rag: bool = False
    control: bool = False


@dataclass(frozen=True)
class Document:
    """The answers of one document under one condition, added up; `characters` and `tokens` are the same in all."""

    nats: float
    tokens: int
    characters: int


def conditions(bundle: Bundle, generator: Generator | None) -> list[Condition]:
    """All that the bundle has for texts of `generator`'s author; None: of an author that no generator speaks as."""
    own = generator.adapter if generator else None
    result = [Condition(BASE), *([Condition(own, own)] if own else [])]
    if generator and generator.index and "rag" in generator.prompts:
        result += [Condition(c.name + RAG, c.adapter, rag=True) for c in result]
    return [*result, *(Condition(a, a, control=True) for a in bundle.adapters if a != own)]


class Grounding:
    """RAG prompts for held-out answers, with the best passages of documents that are not held out, whatever they score.

    `found` counts the answers, those for which a passage reaches the page's threshold, and the passages left out as copies.
    """

    def __init__(self, studio: BlindStudio, generator: Generator) -> None:
        self.studio, self.generator = studio, generator
        self.found = {"passages": PASSAGES, "answers": 0, "above_threshold": 0, "copies_left_out": 0}

    def prompts(self, document: Held, fits: Callable[[list[Message], str], bool]) -> list[list[Message]]:
        """The prompt of each answer of `document`, with as many passages as `fits` allows, the best ones."""
        return [
            self._prompt(document, row, answer, fits)
            for row in document.conversations
            for _, answer in answers([row])
        ]

    def _prompt(
        self,
        document: Held,
        row: dict[str, Any],
        answer: str,
        fits: Callable[[list[Message], str], bool],
    ) -> list[Message]:
        hits = self.studio.search(self.generator, query_of(row), 2 * PASSAGES)
        clean = without_copies(hits, document)
        self.found["answers"] += 1
        self.found["copies_left_out"] += len(hits) - len(clean)
        floor = self.studio.threshold(self.generator)
        self.found["above_threshold"] += any(hit.score >= floor for hit in clean[:PASSAGES])
        texts = [hit.passage.text for hit in clean[:PASSAGES]]
        values = {"field": "", **row["values"]}
        used = len(texts)
        while True:
            prompt = self.generator.prompts["rag"].render(context=format_context(texts[:used]), **values)
            if used == 0 or fits(prompt, answer):
                return prompt
            used -= 1


def measure(
    scorer: Scorer,
    documents: Sequence[Held],
    condition: Condition,
    grounded: Sequence[Sequence[list[Message]]] | None = None,
) -> list[Document]:
    """The `documents` under one condition, in order; `grounded` are their RAG prompts. Raises AnswerTooLong."""
    from tqdm import tqdm

    result = []
    for place, held in enumerate(tqdm(documents, desc=condition.name, unit="document", disable=None)):
        nats, tokens, characters = 0.0, 0, 0
        for n, (prompt, answer) in enumerate(answers(held.conversations)):
            if condition.rag and grounded is not None:
                prompt = grounded[place][n]
            loss, count = scorer.answer(prompt, answer, condition.adapter)
            nats, tokens = nats + loss, tokens + count
            characters += len(answer.strip())
        result.append(Document(nats, tokens, characters))
    return result


def resamples(count: int) -> np.ndarray:
    """[RESAMPLES, count] places drawn with replacement, the same at every call."""
    return np.random.default_rng(SEED).integers(0, count, (RESAMPLES, count))


def interval(values: np.ndarray, weights: np.ndarray, drawn: np.ndarray) -> list[float]:
    """95 % percentile interval of sum(values) / sum(weights) over the resampled documents `drawn` [resamples, n]."""
    ratios = values[drawn].sum(axis=1) / weights[drawn].sum(axis=1)
    return [float(x) for x in np.quantile(ratios, [0.025, 0.975])]


def summarize(found: Mapping[Condition, Sequence[Document]]) -> dict[str, Any]:
    """Figures by condition; each but the base has the paired `against_base`, in nats a token, and one with RAG also
    `against_plain`, the same model without passages."""
    nats = {c: np.array([d.nats for d in documents]) for c, documents in found.items()}
    plain = {c.adapter: nats[c] for c in found if not c.rag}
    base = next(iter(found.values()))
    drawn = resamples(len(base))
    tokens, characters = (np.array([getattr(d, unit) for d in base]) for unit in ("tokens", "characters"))
    result: dict[str, Any] = {"tokens": int(tokens.sum()), "characters": int(characters.sum())}
    result["conditions"] = {}
    for condition, values in nats.items():
        low, high = interval(values, tokens, drawn)
        figures: dict[str, Any] = {
            "adapter": condition.adapter,
            "rag": condition.rag,
            "control": condition.control,
            "nats_per_token": float(values.sum() / tokens.sum()),
            "nats_interval": [low, high],
            "perplexity": math.exp(values.sum() / tokens.sum()),
            "perplexity_interval": [math.exp(low), math.exp(high)],
            "bits_per_character": float(values.sum() / math.log(2) / characters.sum()),
            "bits_interval": interval(values / math.log(2), characters, drawn),
        }
        others: dict[str, str | None] = {}
        if condition != Condition(BASE):
            others["against_base"] = None
        if condition.rag:
            others["against_plain"] = condition.adapter
        for key, other in others.items():
            less = values - plain[other]
            figures[key] = float(less.sum() / tokens.sum())
            figures[f"{key}_interval"] = interval(less, tokens, drawn)
        result["conditions"][condition.name] = figures
    return result
