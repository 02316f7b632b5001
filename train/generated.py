"""Texts that the served generators write on held-out topics, and what can be counted in them; used by `python -m train evaluate`.

Speeches of one minute through `space/generators.py`, replies through `space/chatting.py`: middle creativity, the seeds 0, 1, 2 …,
text n on the topics (or after the message) of the n-th held-out example, from the first again after the last. The texts of the
author that stand there are counted in the same way, as a yardstick.
"""

from __future__ import annotations

import dataclasses
import math
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from space import chatting
from space import generators as gen
from space.bundle import Bundle, Generator
from space.frames import Grounded, Speech
from space.length import Length
from space.settings import Settings
from train.held_out import BlindStudio, Held, answers, query_of
from train.judge import Judge
from train.likelihood import PASSAGES, Condition, interval, resamples
from train.spanish import spanish_share
from train.split import words

MINUTES = 1
FIRST_WORDS = 100
"""Distinct n-grams are counted in the first words of each text: a longer text has a smaller share of them."""
AUTHOR = "author"
KINDS = ("speech", "rag", "chat")


@dataclass(frozen=True)
class Text:
    """A text and how it came: `asked` in words, None where no length is asked; speed of the generated ones."""

    text: str
    document: str
    asked: int | None = None
    tokens_per_second: float | None = None
    first_token: float | None = None


@dataclass(frozen=True)
class Task:
    """What one text is about: the topics of a speech, or a message with the turns before it."""

    document: str
    answer: str
    topics: str = ""
    field: str = ""
    turns: tuple[dict[str, str], ...] = ()


def tasks(generator: Generator, documents: Sequence[Held]) -> list[Task]:
    """One for each held-out example; of a chat the persona's last turn."""
    result = []
    for held in documents:
        for row in held.conversations:
            prompt, answer = list(answers([row]))[-1]
            if generator.kind == "chat":
                turns = tuple(m for m in prompt if m["role"] != "system")
                result.append(Task(held.id, answer, turns=turns))
            else:
                field = row["values"].get("field", "")
                result.append(Task(held.id, answer, query_of(row), field))
    return result


def author_texts(generator: Generator, found: Sequence[Task]) -> list[Text]:
    """What the author wrote on the same topics; of a speech the beginning, ended as the page ends a text."""
    target = _target(generator)
    return [Text(_beginning(task.answer, target), task.document) for task in found]


def _target(generator: Generator) -> int | None:
    return None if generator.kind == "chat" else round(MINUTES * generator.words_per_minute)


def _beginning(text: str, target: int | None) -> str:
    if target is None:
        return text
    length = Length("", target)
    for word in re.findall(r"\s*\S+", text):
        if not length.add(word):
            break
    return length.text


class Writers:
    """The generator under each condition, served as it is in a Space but blind for the held-out documents."""

    def __init__(
        self, bundle: Bundle, generator: Generator, conditions: Sequence[Condition], hidden: frozenset[str]
    ) -> None:
        variants = {
            c.adapter: dataclasses.replace(generator, name=f"{generator.name}-{n}", adapter=c.adapter)
            for n, c in enumerate(conditions)
            if not c.control and not c.rag
        }
        self.names = {adapter: variant.name for adapter, variant in variants.items()}
        self.kind = generator.kind
        self.asked = _target(generator)
        served = dataclasses.replace(bundle, generators=list(variants.values()))
        settings = dataclasses.replace(Settings.from_env(), parallel=1, engine_url=None, max_chars=100_000)
        self.studio = BlindStudio(served, settings, hidden)

    def close(self) -> None:
        self.studio.engine().close()  # type: ignore[attr-defined]  # always the engine of this process

    def write(self, condition: Condition, task: Task, seed: int) -> Text:
        """One text. Raises what the generators raise."""
        name = self.names[condition.adapter]
        if self.kind == "chat":
            *before, last = task.turns
            talk = chatting.Talk(last["content"], before, seed=seed, generator=name)
            *_, reply = chatting.chat(self.studio, talk)
            return Text(
                "\n".join(reply.bubbles), task.document, None, reply.tokens_per_second, reply.first_token
            )
        speech = {"topics": task.topics, "field": task.field, "minutes": MINUTES, "seed": seed}
        if condition.rag:
            asked = Grounded(**speech, generator=name, passages=PASSAGES, threshold=-1)
            *_, frame = gen.rag(self.studio, asked)
        else:
            *_, frame = gen.finetuned(self.studio, Speech(**speech, generator=name))
        return Text(frame.text, task.document, self.asked, frame.tokens_per_second, frame.first_token)


def write_all(
    writers: Writers, conditions: Sequence[Condition], found: Sequence[Task], samples: int
) -> dict[str, list[Text]]:
    """`samples` texts under each condition that is not a control; text n has the seed n."""
    from tqdm import tqdm

    result: dict[str, list[Text]] = {}
    for condition in [c for c in conditions if not c.control]:
        places = tqdm(range(samples), desc=condition.name, unit="text", disable=None)
        result[condition.name] = [writers.write(condition, found[n % len(found)], n) for n in places]
    return result


def distinct(tokens: Sequence[str], n: int) -> float | None:
    """The share of different n-grams among the n-grams of `tokens` (Li et al. 2016); None where there is none."""
    spans = [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
    return len(set(spans)) / len(spans) if spans else None


def repeated(tokens: Sequence[str], n: int = 4) -> float | None:
    """The share of n-grams that stood in the text before."""
    different = distinct(tokens, n)
    return None if different is None else 1 - different


def counted(text: Text) -> dict[str, float | None]:
    """The figures of one text; None where it is too short for one, or none was asked for."""
    tokens = words(text.text)
    first = tokens[:FIRST_WORDS]
    return {
        **{f"distinct_{n}": distinct(first, n) for n in (1, 2, 3)},
        "repeated_4": repeated(tokens),
        "words": float(len(text.text.split())),
        "of_asked": len(text.text.split()) / text.asked if text.asked else None,
        "spanish": spanish_share(text.text),
    }


def figures(texts: Sequence[Text], judge: Judge | None) -> dict[str, Any]:
    """Means over the texts with 95 % intervals by bootstrap over their documents, the judge's perplexity, the speed."""
    rows = [counted(text) for text in texts]
    result: dict[str, Any] = {"texts": len(texts), "empty": sum(not text.text.strip() for text in texts)}
    for key in rows[0]:
        have = [(text.document, row[key], 1.0) for text, row in zip(texts, rows, strict=True)]
        result |= _mean(key, [(d, v, w) for d, v, w in have if v is not None], lambda x: x)
    if judge is not None:
        judged = [(text.document, *judge.nats(text.text)) for text in texts if text.text.strip()]
        result |= _mean("judge_perplexity", [(d, n, float(c)) for d, n, c in judged if c], math.exp)
    for key in ("tokens_per_second", "first_token"):
        values = [value for text in texts if (value := getattr(text, key))]
        if values:
            result[key] = statistics.median(values)
    return result


def _mean(
    key: str, rows: Sequence[tuple[str, float, float]], scale: Callable[[float], float]
) -> dict[str, Any]:
    """`key` and its interval: the sum of values over the sum of weights of `rows` (document, value, weight), scaled."""
    if not rows:
        return {}
    documents = sorted({document for document, _, _ in rows})
    values = np.array([sum(value for d, value, _ in rows if d == document) for document in documents])
    weights = np.array([sum(weight for d, _, weight in rows if d == document) for document in documents])
    low, high = interval(values, weights, resamples(len(documents)))
    return {key: scale(values.sum() / weights.sum()), f"{key}_interval": [scale(low), scale(high)]}


def texts_markdown(found: Mapping[str, Sequence[Text]]) -> str:
    """The texts to read, by condition."""
    lines: list[str] = []
    for name, texts in found.items():
        lines += [f"# {name}", ""]
        for n, text in enumerate(texts):
            lines += [f"## {n}: {text.document}", "", text.text, ""]
    return "\n".join(lines)
