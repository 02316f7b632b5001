"""Measures what the texts of a bundle's generators copy of their training texts: whether a model recites.

    python -m train originality BUNDLE --data charlas=runs/charlas --data chat=runs/chat --out runs/originality.json [--add]
    python -m train originality BUNDLE --data charlas=runs/charlas --adapter epoch9=E9-LoRA.gguf --out runs/early-stopping.json

NAME of `--data NAME=DIR` is a generator of the bundle and DIR the output of `prepare` that it was made from. The base and the adapter
write on topics that they were trained on and on held-out ones, as on the page (one minute, middle creativity, seeds 0, 1, 2 …); the author's own
held-out texts, counted in the same way, show what anybody repeats. `--adapter` adds checkpoints, to see where reciting begins.
A line is to be read so: of the 8-grams of all texts the share that training texts hold, and the longest span of each text.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from space.bundle import Bundle, Generator
from space.originality import Tracker
from space.originals import WORDS, Originals
from train import generated
from train.bundle import BundleSpec, assemble, joined
from train.card_figures import originality_table
from train.chat_examples import read_prepared
from train.errors import BadOption
from train.held_out import Held, check_same_corpus, read_held_out
from train.likelihood import BASE, Condition, interval, resamples

TEXTS = 24
LONG = 12
"""Words from which a span is a copy to anybody's eye."""
TRAINED, HELD_OUT = "trained on", "held out"


@dataclass(frozen=True)
class Subject:
    """One `--data`: a generator of the bundle, what it learned from, and tasks on topics of each kind."""

    generator: Generator
    originals: Originals
    tasks: dict[str, list[generated.Task]]
    hidden: frozenset[str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path, metavar="BUNDLE")
    parser.add_argument("--data", action="append", required=True, metavar="NAME=DIR", help="from `prepare`")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="JSON file to write")
    parser.add_argument(
        "--texts", type=int, default=TEXTS, help=f"texts a model writes on each kind of topics ({TEXTS})"
    )
    parser.add_argument(
        "--adapter",
        action="append",
        default=[],
        metavar="NAME=LORA.gguf",
        help="a further adapter of the base",
    )
    parser.add_argument(
        "--originals",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="instead of the bundle's, by generator",
    )
    parser.add_argument("--add", action="store_true", help="put the figures into the bundle's report")


def run(args: argparse.Namespace) -> None:
    """Write, count and save. Raises BadOption, BundlePartInvalid, OriginalsInvalid, NothingToEvaluate, or a BundleError."""
    if args.texts < 1:
        raise BadOption(option="--texts", value=args.texts, reason="1 or more")
    bundle = Bundle.load(args.bundle)
    checkpoints = {name: str(path.resolve()) for name, path in _pairs("--adapter", args.adapter).items()}
    originals = {name: str(path.resolve()) for name, path in _pairs("--originals", args.originals).items()}
    served = dataclasses.replace(
        bundle,
        adapter_files={**bundle.adapter_files, **checkpoints},
        originals={**bundle.originals, **originals},
    )
    subjects = [_subject(served, name, path) for name, path in _pairs("--data", args.data).items()]
    report: dict[str, Any] = {
        "ngram_words": WORDS,
        "long_words": LONG,
        "seeds": [0, args.texts - 1],
        "sets": {s.generator.name: _measured(served, s, list(checkpoints), args.texts) for s in subjects},
    }
    args.out.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", "utf-8")
    if args.add:
        spec = BundleSpec(bundle.name, bundle.base, [], reports={"originality": report})
        assemble(joined(spec, args.bundle), args.bundle)
    print(originality_table(report))


def _pairs(option: str, given: Sequence[str]) -> dict[str, Path]:
    pairs = {}
    for text in given:
        name, _, path = text.partition("=")
        if not path or not Path(path).exists():
            raise BadOption(option=option, value=text, reason="give NAME=PATH, a path that exists")
        pairs[name] = Path(path)
    return pairs


def _subject(bundle: Bundle, name: str, folder: Path) -> Subject:
    found = {g.name: g for g in bundle.generators if g.kind in generated.KINDS}
    if name not in found:
        reason = f"the bundle's speakers are {', '.join(found) or 'none'}"
        raise BadOption(option="--data", value=name, reason=reason)
    if name not in bundle.originals:
        reason = (
            "the bundle has no originals of it; make them with `train originals`, give --originals NAME=FILE"
        )
        raise BadOption(option="--data", value=name, reason=reason)
    generator = found[name]
    check_same_corpus(bundle, generator, folder)
    prepared = read_prepared(folder)
    spoken = prepared.train[: len(prepared.train) - prepared.grounded]
    learned = [Held(str(n), "train", [row]) for n, row in enumerate(spoken)]
    held_out = read_held_out(folder).documents
    random.Random(0).shuffle(learned)
    return Subject(
        generator,
        Originals.load(bundle.folder / bundle.originals[name]),
        {TRAINED: generated.tasks(generator, learned), HELD_OUT: generated.tasks(generator, held_out)},
        frozenset(document.id for document in held_out),
    )


def _measured(bundle: Bundle, subject: Subject, checkpoints: Sequence[str], texts: int) -> dict[str, Any]:
    generator = subject.generator
    own = [generator.adapter] if generator.adapter else []
    conditions = [Condition(BASE), *(Condition(name, name) for name in (*own, *checkpoints))]
    rows = [
        {"model": "author", "topics": HELD_OUT}
        | figures(
            subject.originals, [t.text for t in generated.author_texts(generator, subject.tasks[HELD_OUT])]
        )
    ]
    with closing(generated.Writers(bundle, generator, conditions, subject.hidden)) as writers:
        for topics, tasks in subject.tasks.items():
            written = generated.write_all(writers, conditions, tasks, texts)
            rows += [
                {"model": name, "topics": topics} | figures(subject.originals, [text.text for text in found])
                for name, found in written.items()
            ]
    return {
        "false_positives": subject.originals.false_positives,
        "counted_from_words": subject.originals.least_words,
        "corpora": list(subject.originals.corpora),
        "rows": rows,
    }


def figures(originals: Originals, texts: Sequence[str]) -> dict[str, Any]:
    """What `texts` copy: the share of 8-grams with a 95 % interval by bootstrap over texts, and the longest spans."""
    judged = [found for found in (Tracker(originals).update(text) for text in texts) if found is not None]
    result: dict[str, Any] = {"texts": len(texts), "too_short": len(texts) - len(judged)}
    if not judged:
        return result
    copied, ngrams = (np.array([getattr(found, key) for found in judged]) for key in ("copied", "ngrams"))
    longest = [found.longest for found in judged]
    return result | {
        "copied": float(copied.sum() / ngrams.sum()),
        "copied_interval": list(interval(copied, ngrams, resamples(len(judged)))),
        "copied_most": float((copied / ngrams).max()),
        "longest_median": float(np.median(longest)),
        "longest_p95": float(np.quantile(longest, 0.95)),
        "longest": max(longest),
        "with_long": sum(words >= LONG for words in longest),
        "verbatim": sum(found.verbatim for found in judged),
    }
