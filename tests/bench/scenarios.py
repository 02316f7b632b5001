"""What visitors ask of the engines in `python -m tests.bench.bench_engine`, and when: the same tokens at the same times for all.

Prompts are the project's own templates over real passages of an index. All is decided before any engine starts, by a
fixed seed, and handed to the engines as a plan (JSON).
"""

from __future__ import annotations

import ctypes
import json
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path

import llama_cpp
from llama_cpp._logger import set_verbose

from space.chat import ChatTemplate, encode
from space.prompts import QUESTIONS, RAG, SPEECH, Message, format_context, question_request
from space.vocabulary import Vocabulary

TOPICS = (
    "la paciencia", "el mar", "la memoria de los pueblos", "los oficios que se pierden", "la lluvia", "el miedo a hablar",
    "las abejas", "la escuela rural", "el silencio", "los mapas", "la amistad", "el pan",
)  # fmt: skip
FIELDS = ("oceanografía", "educación", "historia", "biología")
READ_TOKENS = 16
"""Tokens written after a prompt whose reading is what counts."""
STREAMING = 8
"""Tokens that have been written when the long prompt arrives."""
SEED = 20261121

TITLES = {
    "alone": "One visitor, short prompt",
    "cold": "One visitor, RAG with five passages, cold",
    "reordered": "The same five passages in another order, another topic",
    "template": "The same template, other passages",
    "four": "Four visitors at once, short prompts",
    "random4": "4 visitors arriving at random, mixed prompts",
    "random8": "8 visitors arriving at random, mixed prompts",
    "long": "A long prompt arrives while others stream",
}


@dataclass(frozen=True)
class Prompt:
    """What is asked: `messages`, as one `text` and as `tokens`. The topic and passages they were made of, where they are RAG's."""

    messages: list[Message]
    text: str
    tokens: list[int]
    topics: str = ""
    passages: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Visit:
    """One visitor: comes `at` seconds after the start, or once somebody has `written_first` tokens; wants `written` tokens."""

    prompt: Prompt
    written: int
    at: float = 0.0
    written_first: int = 0
    seed: int = 0


@dataclass(frozen=True)
class Setup:
    """What every engine is given; `context` tokens for each of `slots` visitors. `ends` are the tokens that end an answer."""

    model: Path
    chat_template: str
    ends: list[int]
    context: int
    threads: int
    slots: int


@dataclass(frozen=True)
class Plan:
    """The setup, a prompt that nobody measures, and the visits of each scenario in the order in which they are played."""

    setup: Setup
    warm_up: Prompt
    scenarios: dict[str, list[Visit]]

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), default=str), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Plan:
        data = json.loads(path.read_text(encoding="utf-8"))
        setup = Setup(**{**data["setup"], "model": Path(data["setup"]["model"])})
        scenarios = {
            name: [Visit(**{**visit, "prompt": Prompt(**visit["prompt"])}) for visit in visits]
            for name, visits in data["scenarios"].items()
        }
        return cls(setup, Prompt(**data["warm_up"]), scenarios)


class Prompts:
    """Makes prompts for `model` from the passages of the index folder `index`, none of them used twice.

    A passage of a RAG prompt is about `passage_tokens` long: some of the index's own, one after the other.
    """

    def __init__(self, model: Path, index: Path, passage_tokens: int = 250) -> None:
        set_verbose(False)
        parameters = llama_cpp.llama_model_default_params()
        parameters.vocab_only = True
        self._model = llama_cpp.llama_model_load_from_file(str(model).encode(), parameters)
        self._vocabulary = Vocabulary(self._model)
        self.chat_template = self._meta("tokenizer.chat_template")
        self.context = int(self._meta(f"{self._meta('general.architecture')}.context_length"))
        self.ends = sorted(self._vocabulary.ends)
        self._template = ChatTemplate(self.chat_template, self._vocabulary.bos, self._vocabulary.eos)
        lines = (index / "passages.jsonl").read_text(encoding="utf-8").splitlines()
        self._passages = self._join([json.loads(line)["text"] for line in lines], passage_tokens)
        self._topic = 0

    def close(self) -> None:
        llama_cpp.llama_model_free(self._model)

    def short(self) -> Prompt:
        """Some 40 tokens."""
        topics = f"{self.topic()} y {self.topic()}"
        return self._prompt(SPEECH.render(field=FIELDS[self._topic % len(FIELDS)], topics=topics), topics)

    def middle(self, passages: int = 1) -> Prompt:
        """Questions about a text of so many passages' length."""
        text = "\n\n".join(self.passages(passages))
        return self._prompt(QUESTIONS.render(text=text, request=question_request("short", 3)))

    def rag(self, passages: list[str]) -> Prompt:
        topics = self.topic()
        messages = RAG.render(context=format_context(passages), topics=topics)
        return self._prompt(messages, topics, passages)

    def passages(self, count: int) -> list[str]:
        """The next ones. Raises ValueError when the index has no more."""
        found = list(islice(self._passages, count))
        if len(found) < count:
            raise ValueError("the index has not enough passages for this many scenarios")
        return found

    def topic(self) -> str:
        self._topic += 1
        return TOPICS[self._topic % len(TOPICS)]

    def _prompt(self, messages: list[Message], topics: str = "", passages: list[str] | None = None) -> Prompt:
        parts = self._template.parts(messages)
        tokens = encode(parts, self._vocabulary.markers, self._vocabulary.tokenize)
        return Prompt(messages, "".join(part.text for part in parts), tokens, topics, passages or [])

    def _join(self, texts: list[str], size: int) -> Iterator[str]:
        parts: list[str] = []
        count = 0
        for text in (" ".join(text.split()) for text in texts):
            tokens = len(self._vocabulary.tokenize(text))
            if parts and count + tokens / 2 >= size:  # this one would take it farther from `size`
                yield " ".join(parts)
                parts, count = [], count - size  # what is missing or too much, the next one makes up for
            parts.append(text)
            count += tokens

    def _meta(self, key: str) -> str:
        """The value of a key of the GGUF, as a text."""
        buffer = ctypes.create_string_buffer(2**16)
        if llama_cpp.llama_model_meta_val_str(self._model, key.encode(), buffer, len(buffer)) < 0:
            raise KeyError(key)
        return buffer.value.decode("utf-8")


def scenarios(prompts: Prompts, slots: int, written: int, gap: float) -> dict[str, list[Visit]]:
    """All scenarios; visitors that arrive at random come `gap` seconds one after the other on average."""
    seen = prompts.passages(5)
    return {
        "alone": [Visit(prompts.short(), written)],
        "cold": [Visit(prompts.rag(seen), READ_TOKENS)],
        "reordered": [Visit(prompts.rag([seen[n] for n in (3, 0, 4, 2, 1)]), READ_TOKENS)],
        "template": [Visit(prompts.rag(prompts.passages(5)), READ_TOKENS)],
        "four": [Visit(prompts.short(), written, seed=n) for n in range(4)],
        "random4": list(_arrivals(prompts, 4, written, gap)),
        "random8": list(_arrivals(prompts, 8, written, gap)),
        "long": [
            *(Visit(prompts.short(), 2 * written, seed=n) for n in range(slots - 1)),
            Visit(prompts.rag(prompts.passages(5)), READ_TOKENS, written_first=STREAMING),
        ],
    }


def _arrivals(prompts: Prompts, count: int, written: int, gap: float) -> Iterator[Visit]:
    """In four visitors there are two with a short prompt, one with questions about a text, one with RAG, in any order."""
    chance = random.Random(SEED + count)
    kinds = ["short", "short", "middle", "rag"] * (count // 4)
    chance.shuffle(kinds)
    at = 0.0
    for seed, kind in enumerate(kinds):
        prompt = prompts.rag(prompts.passages(5)) if kind == "rag" else getattr(prompts, kind)()
        yield Visit(prompt, written, at=at, seed=seed)
        at += chance.expovariate(1 / gap)


def growth(prompts: Prompts, written: int) -> dict[str, list[Visit]]:
    """How cost grows: with the visitors who write at once, the length of a text, the passages, and these seen again."""
    grown: dict[str, list[Visit]] = {}
    for count in (1, 2, 4, 8):
        grown[f"{count} visitor{'s' * (count > 1)}, short prompts"] = [
            Visit(prompts.short(), written, seed=n) for n in range(count)
        ]
    for count in (1, 2, 4, 8, 12):
        prompt = prompts.middle(count)
        grown[f"a text, {len(prompt.tokens)} tokens"] = [Visit(prompt, READ_TOKENS)]
    for count in (1, 2, 3, 5, 8):
        passages = prompts.passages(count)
        noun = "passage" if count == 1 else "passages"
        grown[f"{count} {noun}, new"] = [Visit(prompts.rag(passages), READ_TOKENS)]
        grown[f"{count} {noun}, seen, reversed"] = [Visit(prompts.rag(passages[::-1]), READ_TOKENS)]
    room = prompts.context - written
    return {
        name: visits for name, visits in grown.items() if all(len(v.prompt.tokens) < room for v in visits)
    }
