"""Copying drills: conversations whose answer repeats its prompt's words, for a small model that is pre-trained from nothing.

    python -m train drills DIR [--count 6000] [--seed 0]

Reads the words of DIR/documents.jsonl (an output of `prepare`) and writes DIR/drills.jsonl for `pretrain --examples`: half are
"Repite: " and shuffled words, half are RAG prompts with passages of shuffled words, two of which are the answer. Words in
random order cannot be guessed from the language, so that only looking them up lowers the loss: the induction that using
a context needs (Olsson et al., "In-context Learning and Induction Heads", 2022) comes sooner than from texts.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections import Counter
from pathlib import Path

from space.prompts import RAG, Message, PromptTemplate, format_context, join_topics
from train.errors import NotPrepared

FILE = "drills.jsonl"
LEAST = 4
"""Occurrences below which a word is left out: a name or a slip."""
_WORD = re.compile(r"[^\W\d_]+")
_REPEAT = PromptTemplate((("user", "Repite: {text}"),))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", type=Path, metavar="DIR", help="an output of `prepare`")
    parser.add_argument("--count", type=int, default=6000, help="drills of each kind (6000)")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> None:
    """Write the drills. Raises NotPrepared where DIR has no documents.jsonl."""
    documents = args.data / "documents.jsonl"
    if not documents.is_file():
        raise NotPrepared(path=args.data, missing=documents.name)
    counts: Counter[str] = Counter()
    with documents.open(encoding="utf-8") as lines:
        for line in lines:
            counts.update(_WORD.findall(json.loads(line)["text"]))
    driller = Driller(counts, random.Random(args.seed))
    drills = [make() for _ in range(args.count) for make in (driller.repeat, driller.grounded)]
    part = args.data / f"{FILE}.part"
    with part.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps({"messages": messages}, ensure_ascii=False) + "\n" for messages in drills)
    part.replace(args.data / FILE)
    print(f"{len(drills)} drills of {len(driller.words)} words in {args.data / FILE}")


class Driller:
    """Draws words by the square root of their frequency, so that rare ones come too."""

    def __init__(self, counts: Counter[str], random_: random.Random) -> None:
        self.words = sorted(word for word, count in counts.items() if count >= LEAST)
        self._weights = [counts[word] ** 0.5 for word in self.words]
        self._random = random_

    def repeat(self) -> list[Message]:
        """10 to 60 words, and the same again."""
        text = self._sentence(10, 60)
        return _REPEAT.example(text, text=text)

    def grounded(self) -> list[Message]:
        """Two to five passages of 8 to 30 words; the answer is the two of which the topics name a word each."""
        passages = [self._sentence(8, 30) for _ in range(self._random.randint(2, 5))]
        chosen = self._random.sample(passages, 2)
        topics = join_topics([self._random.choice(passage[:-1].split()) for passage in chosen])
        return RAG.example("\n\n".join(chosen), context=format_context(passages), topics=topics)

    def _sentence(self, least: int, most: int) -> str:
        size = self._random.randint(least, most)
        text = " ".join(self._random.choices(self.words, self._weights, k=size))
        return f"{text[0].upper()}{text[1:]}."
