"""Teaches a model to use retrieved passages: adds RAG conversations to prepared speeches.

    python -m train ground DIR [--words 90] [--share 0.4] [--answer-words N] [--seed 0]

Writes DIR/grounded.jsonl, which `python -m train sft --data DIR` trains on too.

For each training example of `prepare` with a RAG template: a context of up to five passages in random order, then
the same answer. One or two hold sentences of the answer itself, so that copying from the context pays; two come from
other parts of the same document, and one from another document, so that a passage off the topic is left aside. A small
model learns to use its context only where nearly all of the answer stands there: `--share 0.9 --answer-words 110`.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

from index.passages import sentences, split
from space.prompts import PromptTemplate, format_context
from train.chat_examples import GROUNDED
from train.errors import NoRagTemplate

OWN_PASSAGES = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", type=Path, metavar="DIR", help="an output of `prepare`")
    parser.add_argument(
        "--words", type=int, default=90, help="words of a passage, as the index will have them"
    )
    parser.add_argument(
        "--share",
        type=float,
        default=0.4,
        help="share of the answer's sentences that the context shows (0.4)",
    )
    parser.add_argument(
        "--answer-words",
        type=int,
        help="words of an answer, at most: an excerpt of a longer one (whole answers)",
    )
    parser.add_argument("--limit", type=int, help="examples to take, at random (all)")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> None:
    """Write the conversations. Raises NoRagTemplate where the recipe has none."""
    templates = json.loads((args.data / "prepared.json").read_text("utf-8"))["templates"]
    if "rag" not in templates:
        raise NoRagTemplate(path=args.data.name)
    lines = (args.data / "train.jsonl").read_text("utf-8").splitlines()
    examples = [json.loads(line) for line in lines]
    rng = random.Random(args.seed)
    chosen = rng.sample(examples, min(args.limit or len(examples), len(examples)))
    grounder = Grounder(examples, PromptTemplate.from_json(templates["rag"]), args)
    out = args.data / GROUNDED
    part = out.with_suffix(".part")
    with part.open("w", encoding="utf-8") as file:
        for example in chosen:
            file.write(json.dumps(grounder.ground(example, rng), ensure_ascii=False) + "\n")
    part.replace(out)
    print(f"{len(chosen)} conversations with context in {out}")


class Grounder:
    """Finds the passages of a context for an example."""

    def __init__(
        self, examples: list[dict[str, Any]], template: PromptTemplate, args: argparse.Namespace
    ) -> None:
        """`args` has `words`, `share` and `answer_words`."""
        self.template, self.words = template, args.words
        self.share, self.answer_words = args.share, args.answer_words
        self.by_document: dict[str, list[str]] = defaultdict(list)
        for example in examples:
            self.by_document[example["document"]].append(example["messages"][-1]["content"])
        self.documents = sorted(self.by_document)

    def ground(self, example: dict[str, Any], rng: random.Random) -> dict[str, Any]:
        """The example with the RAG prompt in place of its own."""
        whole = example["messages"][-1]["content"]
        answer = rng.choice(split(whole, self.answer_words).pieces).strip() if self.answer_words else whole
        passages = [
            *self._own(answer, rng),
            *self._siblings(example["document"], whole, rng),
            self._stranger(example, rng),
        ]
        passages = [passage for passage in passages if passage]
        rng.shuffle(passages)
        context = format_context(passages)
        topics = example["values"]["topics"]
        return example | {"messages": self.template.example(answer, context=context, topics=topics)}

    def _own(self, answer: str, rng: random.Random) -> list[str]:
        parts = [s for paragraph in answer.split("\n\n") for s in sentences(paragraph)]
        taken = sorted(rng.sample(range(len(parts)), max(1, round(len(parts) * self.share))))
        pieces = split(" ".join(parts[n].strip() for n in taken), self.words).pieces
        return [piece.strip() for piece in pieces[:OWN_PASSAGES]]

    def _siblings(self, document: str, answer: str, rng: random.Random) -> list[str]:
        others = [text for text in self.by_document[document] if text != answer]
        return [self._passage(text, rng) for text in rng.sample(others, min(2, len(others)))]

    def _stranger(self, example: dict[str, Any], rng: random.Random) -> str:
        other = rng.choice(self.documents)
        return "" if other == example["document"] else self._passage(rng.choice(self.by_document[other]), rng)

    def _passage(self, text: str, rng: random.Random) -> str:
        return rng.choice(split(text, self.words).pieces).strip()
