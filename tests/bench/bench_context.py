"""What a model is given of the passages found, and what that does to its answers: whole passages, or some of their sentences.

    python -m tests.bench.bench_context questions ../shared/data/qa/xquad.es.json [--words 200] [--articles 1,22 --answers preguntas]
    python -m tests.bench.bench_context texts --data charlas=runs/charlas --data base=runs/conferencias [--limit 40]

`questions` builds an index of the contexts of a SQuAD-format file, asks it, and counts how often the answer's own words are still in
what the model would be given; with `--answers ADAPTER` it measures the nats a token of the gold answer after it too. The
articles with odd numbers chose the method, so the even ones are asked unless told otherwise.

`texts`: nats a token of held-out texts given passages. Of a generator's talks: the whole text, after the passages that its topics find
in an index which holds that text itself; and, of these and any other prepared folder (`base=`), conversations as
`train ground` makes them. Intervals of 95 % by bootstrap over documents, the same resamples for each way.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from index.build import BuildOptions, build_index
from index.documents import Document
from index.passages import WORDS
from index.search import Index
from space.bundle import Bundle
from space.native import Context
from space.prompts import RAG, PromptTemplate, format_context, question_request
from space.reading import Plan, Reading, spans_of
from space.settings import EMBEDDED, available_cores
from space.states import States
from tests.bench.context_examples import PASSAGES, Asked, Example, grounded_tasks, read_asked, whole_tasks
from tests.bench.context_ways import ORDERS, SHARES, Retrieved, given
from train.held_out import read_held_out
from train.likelihood import interval, resamples
from train.scoring import Scorer


def read_prompt(context: Context, tokens: Sequence[int], _: Sequence[str]) -> int:
    """Reads a prompt into the empty slot 0; returns the row of the logits after it."""
    return _read(context, Reading(context, None, Plan(tokens, None), 0, 0))


def read_kept(context: Context, tokens: Sequence[int], texts: Sequence[str]) -> int:
    """The same with `texts`, its passages, each read alone and put together, as a large model is served."""
    states = States("", Path(), 2**30, 0)
    spans = spans_of(tokens, [" ".join(text.split()) for text in texts], context.model.vocabulary)
    try:
        return _read(context, Reading(context, states, Plan(tokens, None, spans), 0, 0))
    finally:
        states.close()


def _read(context: Context, reading: Reading) -> int:
    row = 0
    while not reading.done:
        some = reading.next(context.batch)
        row = context.read(0, some)
        reading.advance(len(some))
    return row


@dataclass(frozen=True)
class Mode:
    """A way of choosing what is given, the share of the tokens in per cent, and how the prompt gets into the context."""

    way: str
    share: int = 100
    read: Callable[[Context, Sequence[int], Sequence[str]], int] = read_prompt

    def texts(self, found: Retrieved) -> list[str]:
        """What is given of each passage."""
        if self.way == "none":
            return []
        return found.passages if self.share == 100 else given(self.way, found, self.share)


NONE, WHOLE, KEPT = Mode("none"), Mode("whole"), Mode("kept", read=read_kept)


def modes_of(ways: str | None) -> list[Mode]:
    """Nothing, whole passages, these each read alone, and each of `ways` (separated by commas; None: all) in each share."""
    chosen = ways.split(",") if ways else ["condensed", *ORDERS]
    return [NONE, WHOLE, KEPT, *(Mode(way, share) for way in chosen for share in SHARES)]


class CountingScorer(Scorer):
    """A scorer that also counts the tokens of a text, word by word: the same words are counted again and again."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._tokens = cache(lambda word: len(self.vocabulary.tokenize(word)))

    def count(self, text: str) -> int:
        return sum(map(self._tokens, text.split()))


def nats(
    scorer: Scorer, ids: Sequence[int], start: int, mode: Mode, texts: Sequence[str], adapter: str | None
) -> float:
    """Nats of `ids` from `start` on, after the prompt before it, which `mode` reads; `texts` are its passages."""
    context = scorer.context
    context.use_adapter(adapter)
    context.truncate(0, 0)
    rows = [context.logits(mode.read(context, ids[:start], texts)).astype(np.float64)]
    for first in range(start, len(ids) - 1, context.batch):
        some = ids[first : min(first + context.batch, len(ids) - 1)]
        context.read(0, some, range(len(some)))
        rows += [context.logits(row).astype(np.float64) for row in range(len(some))]
    logits = np.stack(rows)
    logits -= logits.max(axis=1, keepdims=True)
    chosen = logits[np.arange(len(logits)), ids[start:]]
    return float((np.log(np.exp(logits).sum(axis=1)) - chosen).sum())


class Loss:
    """Nats and tokens by mode and document."""

    def __init__(self) -> None:
        self.found: dict[Mode, dict[str, np.ndarray]] = defaultdict(lambda: defaultdict(lambda: np.zeros(3)))

    def add(self, mode: Mode, document: str, loss: float, tokens: int, prompt: int) -> None:
        self.found[mode][document] += (loss, tokens, prompt)

    def table(self) -> Iterator[str]:
        """Markdown: nats a token, and how much less than without passages and than with whole ones."""
        documents = list(self.found[NONE])
        drawn = resamples(len(documents))
        values = {m: np.array([by[d] for d in documents]).T for m, by in self.found.items()}
        none, whole = values[NONE], values[WHOLE]
        yield f"{len(documents)} documents, {none[1].sum():.0f} tokens of answers\n"
        yield "| given | tokens of prompts | nats a token (95 %) | against none | against whole (95 %) |\n|---|---|---|---|---|"
        for mode, (loss, tokens, prompt) in values.items():
            low, high = interval(loss, tokens, drawn)
            less, more = interval(loss - whole[0], tokens, drawn)
            mean, size = loss.sum() / tokens.sum(), prompt.sum() / whole[2].sum()
            against = [(loss - other[0]).sum() / tokens.sum() for other in (none, whole)]
            yield (
                f"| {name_of(mode)} | {size:.0%} | {mean:.3f} ({low:.3f} to {high:.3f}) | {against[0]:+.3f} | "
                f"{against[1]:+.3f} ({less:+.3f} to {more:+.3f}) |"
            )


def name_of(mode: Mode) -> str:
    return mode.way if mode.share == 100 else f"{mode.way}, {mode.share} %"


def holds(text: str, answer: str) -> bool:
    """Whether `answer` stands in `text` as words of their own."""
    return re.search(rf"(?<!\w){re.escape(answer.casefold())}(?!\w)", text.casefold()) is not None


def questions(args: argparse.Namespace, bundle: Bundle, scorer: CountingScorer) -> None:
    documents, asked = read_asked(args.file)
    chosen = {int(n) for n in args.articles.split(",")} if args.articles else set(range(2, 1000, 2))
    asked = [one for one in asked if one.article in chosen]
    asked = random.Random(0).sample(asked, min(args.limit or len(asked), len(asked)))
    index = index_of(documents, bundle, args.words)
    modes, loss = modes_of(args.ways), Loss()
    held: Counter[Mode] = Counter()
    for one in tqdm(asked, unit="question", disable=None):
        hits = index.search(one.question, PASSAGES, threshold=float("-inf"))
        found = Retrieved(hits, one.question, index, scorer.count)
        for mode in modes:
            texts = mode.texts(found)
            held[mode] += any(holds(" ".join(text.split()), one.answer) for text in texts)
            if args.answers:
                ids, start = answer_tokens(scorer, bundle_questions(bundle, args.answers), texts, one)
                value = nats(scorer, ids, start, mode, texts, args.answers)
                loss.add(mode, one.document, value, len(ids) - start, start)
    print(f"{args.file.name}, passages of {args.words} words, {len(asked)} questions\n")
    print("\n".join(survivals(held, modes, len(asked))), flush=True)
    if args.answers:
        print("\n".join(loss.table()))


def index_of(documents: list[Document], bundle: Bundle, words: int) -> Index:
    """An index of `documents` by the embedder of the first one in `bundle`."""
    embedder = str(next(iter(bundle.indexes.values())) / "embedder")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "index"
        build_index(documents, out, BuildOptions(embedder=embedder, words=words))
        return Index.load(out)


def survivals(held: Counter[Mode], modes: Sequence[Mode], asked: int) -> Iterator[str]:
    """Markdown: the share of the questions whose answer stands in what is given, by way and share of the tokens."""
    yield "| given | " + " | ".join(f"{share} %" for share in SHARES) + " |"
    yield "|---" * (len(SHARES) + 1) + "|"
    for way in dict.fromkeys(mode.way for mode in modes[3:]):
        row = [f"{held[mode] / asked:.3f}" for mode in modes if mode.way == way]
        yield f"| {way} | {' | '.join(row)} |"
    yield f"whole passages: {held[WHOLE] / asked:.3f}\n"


def bundle_questions(bundle: Bundle, adapter: str) -> PromptTemplate:
    """The prompt of the questions generator with `adapter`."""
    return next(g for g in bundle.generators if g.adapter == adapter).prompts["questions"]


def answer_tokens(
    scorer: Scorer, template: PromptTemplate, texts: Sequence[str], one: Asked
) -> tuple[list[int], int]:
    """The conversation about `texts` that ends with the gold answer, and where that begins."""
    prompt = template.render(text="\n\n".join(texts), request=question_request("short", 1))
    before = f"1. {one.question}\nRespuesta:"
    ids, _ = scorer.tokens(prompt, f"{before} {one.answer}")
    head, _ = scorer.tokens(prompt, before)
    start = next(n for n, (a, b) in enumerate(zip(ids, head, strict=False)) if a != b)
    return ids, start


def texts(args: argparse.Namespace, bundle: Bundle, scorer: CountingScorer) -> None:
    for pair in args.data:
        name, _, folder = pair.partition("=")
        generator = next((g for g in bundle.generators if g.name == name), None)
        index = Index.load(bundle.indexes[(generator and generator.index) or next(iter(bundle.indexes))])
        held = read_held_out(Path(folder)).documents
        held = random.Random(0).sample(held, min(args.limit or len(held), len(held)))
        template = generator.prompts["rag"] if generator else RAG
        adapter = generator.adapter if generator else None
        tasks = {"grounded": grounded_tasks(held, index)}
        if generator:
            tasks["whole texts, passages found by their topics"] = whole_tasks(held, index)
        for kind, examples in tasks.items():
            loss = Loss()
            for example in tqdm(list(examples), desc=f"{name} {kind}", disable=None):
                measure(scorer, template, adapter, example, modes_of(args.ways), loss)
            print(f"\n### {name}: {kind}")
            print("\n".join(loss.table()), flush=True)


def measure(
    scorer: CountingScorer,
    template: PromptTemplate,
    adapter: str | None,
    example: Example,
    modes: Sequence[Mode],
    loss: Loss,
) -> None:
    """Adds the loss of one text in each of `modes`."""
    found = Retrieved(example.hits, example.topics, example.index, scorer.count)
    for mode in modes:
        texts = mode.texts(found)
        prompt = template.render(context=format_context(texts), topics=example.topics, field="")
        ids, start = scorer.tokens(prompt, example.text)
        value = nats(scorer, ids, start, mode, texts, adapter)
        loss.add(mode, example.document, value, len(ids) - start, start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, default=EMBEDDED)
    kinds = parser.add_subparsers(dest="kind", required=True)
    some = kinds.add_parser("questions")
    some.add_argument("file", type=Path, metavar="QA.json")
    some.add_argument("--words", type=int, default=WORDS, help=f"of a passage ({WORDS})")
    some.add_argument("--articles", help="numbers of the articles asked about, from 1 (the even ones)")
    some.add_argument("--answers", metavar="ADAPTER", help="also measure the answers, by this adapter")
    others = kinds.add_parser("texts")
    others.add_argument("--data", action="append", required=True, metavar="NAME=DIR", help="from `prepare`")
    for one in (some, others):
        one.add_argument("--ways", help=f"of choosing, separated by commas (condensed,{','.join(ORDERS)})")
        one.add_argument("--limit", type=int, help="questions or documents, drawn at random (all)")
    args = parser.parse_args()
    bundle = Bundle.load(args.bundle)
    threads = available_cores(os.environ)
    scorer = CountingScorer(bundle.base, bundle.adapters, bundle.chat_template, bundle.context, threads)
    with closing(scorer):
        {"questions": questions, "texts": texts}[args.kind](args, bundle, scorer)


if __name__ == "__main__":
    main()
