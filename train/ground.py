"""Teaches a model to use retrieved passages: adds RAG conversations to prepared speeches.

    python -m train ground DIR --out DIR/grounded.jsonl [--words 90] [--seed 0]

For each training example of `prepare` with a RAG template: a context of up to four passages in random order, then
the same answer. One passage holds sentences of the answer itself, so that copying from the context pays; others come
from other parts of the same document, and one from another document, so that a passage off the topic is left aside.
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
from train.errors import NoRagTemplate

OWN_SHARE = 0.4
"""Share of the answer's sentences that the context shows."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", type=Path, metavar="DIR", help="an output of `prepare`")
    parser.add_argument("--out", type=Path, required=True, help="JSONL file to write")
    parser.add_argument(
        "--words", type=int, default=90, help="words of a passage, as the index will have them"
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
    grounder = Grounder(examples, PromptTemplate.from_json(templates["rag"]), args.words)
    with args.out.open("w", encoding="utf-8") as file:
        for example in chosen:
            file.write(json.dumps(grounder.ground(example, rng), ensure_ascii=False) + "\n")
    print(f"{len(chosen)} conversations with context in {args.out}")


class Grounder:
    """Finds the passages of a context for an example."""

    def __init__(self, examples: list[dict[str, Any]], template: PromptTemplate, words: int) -> None:
        self.template, self.words = template, words
        self.by_document: dict[str, list[str]] = defaultdict(list)
        for example in examples:
            self.by_document[example["document"]].append(example["messages"][-1]["content"])
        self.documents = sorted(self.by_document)

    def ground(self, example: dict[str, Any], rng: random.Random) -> dict[str, Any]:
        """The example with the RAG prompt in place of its own."""
        answer = example["messages"][-1]["content"]
        passages = [
            self._own(answer, rng),
            *self._siblings(example["document"], answer, rng),
            self._stranger(example, rng),
        ]
        passages = [passage for passage in passages if passage]
        rng.shuffle(passages)
        context = format_context(passages)
        topics = example["values"]["topics"]
        return example | {"messages": self.template.example(answer, context=context, topics=topics)}

    def _own(self, answer: str, rng: random.Random) -> str:
        parts = [s for paragraph in answer.split("\n\n") for s in sentences(paragraph)]
        taken = sorted(rng.sample(range(len(parts)), max(1, round(len(parts) * OWN_SHARE))))
        return split(" ".join(parts[n].strip() for n in taken), self.words).pieces[0].strip()

    def _siblings(self, document: str, answer: str, rng: random.Random) -> list[str]:
        others = [text for text in self.by_document[document] if text != answer]
        return [self._passage(text, rng) for text in rng.sample(others, min(2, len(others)))]

    def _stranger(self, example: dict[str, Any], rng: random.Random) -> str:
        other = rng.choice(self.documents)
        return "" if other == example["document"] else self._passage(rng.choice(self.by_document[other]), rng)

    def _passage(self, text: str, rng: random.Random) -> str:
        return rng.choice(split(text, self.words).pieces).strip()
