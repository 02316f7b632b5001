"""Compares the techniques of a questions generator on texts of a SQuAD-format file, with the bundle as it is served.

    python -m train evaluate-questions space/bundle xquad.es.json --texts 12 --number 4 --types both --out questions.json

Each technique is measured twice on the same texts and seeds: `free`, what the model writes by itself, once; and `served`, with
the grammar, the checks and the repeated requests of space/questions.py. For each: lists that are valid (nothing but the items,
of the number and types asked for), items that the text bears out (space/question_checks.py), that ask the same as an earlier one,
that are Spanish (train/spanish.py), the mix of types, and speed. Prints a table; the JSON goes into a bundle's report.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from index.questions import read_questions
from space.bundle import Bundle
from space.chat import turn_marks
from space.engine import Request
from space.errors import TextDoesNotFit
from space.files import file_sha256
from space.question_checks import Source
from space.question_frames import MAX_TEXT_CHARS, Ask, Asked
from space.question_list import TYPES, Item, ShortAnswer, parse_questions
from space.questions import ITEM_TOKENS, check_room, checked, embedder_of, questions, techniques
from space.settings import Settings, available_cores
from space.studio import Studio
from train.card_figures import lists_table
from train.errors import BadOption, NothingToEvaluate
from train.spanish import LEAST_WORDS, is_spanish

LEAST_CHARS = 300
"""Of a text to ask about: a shorter one has not as many answers as questions are asked."""
SEEDS = 10_000


@dataclass(frozen=True)
class Written:
    """One list: its items, lines that belong to none, and what it took; `kinds` is how many of each type were asked for."""

    items: list[Item]
    stray: int
    kinds: dict[str, int]
    rounds: int
    tokens: int
    seconds: float

    @property
    def valid(self) -> bool:
        return not self.stray and Counter(map(kind_of, self.items)) == Counter(self.kinds)


def kind_of(item: Item) -> str:
    """The type, as it is asked for."""
    return "short" if isinstance(item, ShortAnswer) else "truefalse"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path, help="folder of a bundle with a questions generator")
    parser.add_argument("data", type=Path, help="JSON in SQuAD format")
    parser.add_argument("--generator", help="its name (the first of questions)")
    parser.add_argument("--texts", type=int, default=12, help="texts, drawn among those that fit the context")
    parser.add_argument("--number", type=int, default=4, help="items to ask for about each")
    parser.add_argument("--types", choices=TYPES, default="both")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")


def run(args: argparse.Namespace) -> None:
    """Evaluate and write. Raises BadOption, BadQuestions, NothingToEvaluate, BundleError, UnknownChoice and EngineError."""
    if args.texts < 1:
        raise BadOption(option="--texts", value=args.texts, reason="give 1 or more")
    bundle = Bundle.load(args.bundle)
    studio = Studio(bundle, Settings(threads=available_cores(os.environ), parallel=1))
    generator = studio.choose(args.generator, studio.questioners)
    contexts = [p.context for p in read_questions(args.data).paragraphs]
    wanted = Ask("", args.number, args.types, seed=args.seed, generator=generator.name)
    found = compare(studio, wanted, contexts, args.texts)
    if not found:
        raise NothingToEvaluate(path=args.data)
    data = {"file": args.data.name, "sha256": file_sha256(args.data)}
    report = {"data": data, "base": bundle.base.name, "adapter": generator.adapter, **found}
    args.out.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(lists_table(report))


def compare(studio: Studio, wanted: Ask, contexts: Sequence[str], number: int) -> dict[str, Any]:
    """The figures of every technique of `wanted.generator` on at most `number` of `contexts`; empty where none can be asked about."""
    generator = studio.choose(wanted.generator, studio.questioners)
    asks = [replace(wanted, technique=name) for name in techniques(generator)]
    texts = choose(studio, asks, contexts, number)
    if not texts:
        return {}
    return {
        "texts": len(texts),
        "number": wanted.number,
        "types": wanted.types,
        "techniques": {ask.technique: measure(studio, ask, texts) for ask in asks},
    }


def choose(studio: Studio, asks: Sequence[Ask], contexts: Sequence[str], number: int) -> list[str]:
    """At most `number` texts, drawn by the seed, that fit the context with every technique."""
    drawn = list(dict.fromkeys(text for text in contexts if LEAST_CHARS <= len(text) <= MAX_TEXT_CHARS))
    random.Random(asks[0].seed).shuffle(drawn)
    texts: list[str] = []
    for text in drawn:
        try:
            for ask in asks:
                check_room(studio.engine(), checked(studio, _about(ask, text, 0))[0])
        except TextDoesNotFit:
            continue
        texts.append(text)
        if len(texts) == number:
            break
    return texts


def measure(studio: Studio, ask: Ask, texts: Sequence[str]) -> dict[str, Any]:
    """The figures of one technique, free and served."""
    from tqdm import tqdm

    generator = studio.choose(ask.generator, studio.questioners)
    rows: dict[str, list[tuple[Source, Written]]] = {"free": [], "served": []}
    for number, text in enumerate(tqdm(texts, desc=ask.technique, unit="text", disable=None)):
        source = Source(text, embedder_of(studio, generator))
        one = _about(ask, text, number)
        rows["free"].append((source, free(studio, one)))
        rows["served"].append((source, served(studio, one)))
    return {way: summarize(found) for way, found in rows.items()}


def free(studio: Studio, ask: Ask) -> Written:
    """What the model writes when it is asked once for each type, without a grammar."""
    order, _ = checked(studio, ask)
    items: list[Item] = []
    stray, tokens, begun = 0, 0, time.monotonic()
    for kind, number in order.wanted.items():
        request = Request(
            messages=order.messages(kind),
            adapter=order.adapter,
            sampling=order.sampling,
            max_tokens=number * ITEM_TOKENS * 3,
            stop=turn_marks(studio.bundle.chat_template),
        )
        text = ""
        with closing(studio.engine().stream(request)) as steps:
            for step in steps:
                text += step.text
        tokens += step.written
        found = parse_questions(text)
        stray += len(found.rest) + sum(kind_of(item) != kind for item in found.items)
        items += found.items
    return Written(items, stray, order.wanted, 0, tokens, time.monotonic() - begun)


def served(studio: Studio, ask: Ask) -> Written:
    """The list that a visitor gets."""
    order, begun = checked(studio, ask)[0], time.monotonic()
    *_, last = questions(studio, ask)
    items = [asked.item for asked in last.items]
    return Written(items, 0, order.wanted, last.rounds, last.tokens, time.monotonic() - begun)


def summarize(found: Sequence[tuple[Source, Written]]) -> dict[str, Any]:
    """Counts over all lists; seconds and rounds are those of a list."""
    lists = [written for _, written in found]
    judged = [asked for source, written in found for asked in _judged(source, written.items)]
    texts = [
        asked.item.question if isinstance(asked.item, ShortAnswer) else asked.item.text for asked in judged
    ]
    long = [text for text in texts if len(text.split()) >= LEAST_WORDS]
    tokens, seconds = sum(w.tokens for w in lists), sum(w.seconds for w in lists)
    kinds = Counter(
        "true" if getattr(a.item, "true", False) else "false" for a in judged if a.kind == "truefalse"
    )
    return {
        "lists": len(lists),
        "asked": sum(sum(w.kinds.values()) for w in lists),
        "valid": sum(w.valid for w in lists),
        "items": len(judged),
        "borne_out": sum(not a.doubt for a in judged),
        "duplicates": sum(a.doubt == "duplicate" for a in judged),
        "doubts": dict(Counter(a.doubt for a in judged if a.doubt).most_common()),
        "short": sum(a.kind == "short" for a in judged),
        "true": kinds["true"],
        "false": kinds["false"],
        "spanish": sum(map(is_spanish, long)),
        "spanish_of": len(long),
        "rounds": round(sum(w.rounds for w in lists) / len(lists), 2),
        "seconds": round(seconds / len(lists), 2),
        "tokens_per_second": round(tokens / seconds, 1) if seconds else 0.0,
    }


def _judged(source: Source, items: Sequence[Item]) -> Iterator[Asked]:
    """The items of one list with the reason why each is not borne out, or that it asks the same as an earlier one."""
    for place, item in enumerate(items):
        same = any(kind_of(item) == kind_of(one) and source.same(item, one) for one in items[:place])
        verdict = source.judge(item)
        yield Asked(item, verdict.evidence, "duplicate" if same else verdict.reason)


def _about(ask: Ask, text: str, number: int) -> Ask:
    """`ask` about `text`, the `number`th, with its own seed."""
    return replace(ask, text=text, seed=ask.seed * SEEDS + number)
