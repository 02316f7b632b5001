"""How many tokens a draft of prompt lookup would get right: `python -m tests.bench.bench_speculation [--bundle DIR] [--texts 20]`.

The bundle writes speeches from passages, conversations and questions; our own talks are taken as if they had been written, after
their plain prompt and after three passages of other talks. Each text is gone through as an engine would: where there is a draft, the tokens
that equal the text are accepted and one more is chosen. Nothing is timed. A row is a number of tokens that must match and a length of
draft: the share of steps with a draft, tokens accepted by one of these, tokens a step; `gain` is the tokens a second against plain
steps where a batch of 2 to 4 rows costs COST plain steps and one of more rows the same again for each four.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.documents import read_documents
from space.bundle import Bundle
from space.chat_history import fit
from space.chatting import REPLY_TOKENS, Talk, chat
from space.frames import Grounded
from space.generators import rag
from space.prompts import Message, format_context, question_request
from space.question_frames import Ask
from space.question_list import format_questions
from space.questions import questions
from space.settings import EMBEDDED, Settings
from space.speculation import Lookup
from space.studio import Studio

TEXTS = Path(__file__).parents[2] / "train" / "texts"
COST = 1.4
"""Seconds of a batch of four rows in those of one: four sequences of Phi-3-mini's shape on two cores, Q4_0 (docs/performance.md)."""
RUNS = range(2, 6)
LIMITS = range(1, 8)
TOPICS = (
    "el mar, los pescadores",
    "los relojes, el tiempo",
    "los maestros, la escuela",
    "las palabras, el diccionario",
    "la lluvia, los tejados",
    "el pan, las panaderías",
    "la música, los ensayos",
    "los mapas, los caminos",
    "la paciencia, la espera",
    "los árboles, el bosque",
)
SAID = (
    "hola, ¿cómo va todo?",
    "¿y mañana qué hacés?",
    "¿me traés algo de la panadería?",
    "jaja, contame más",
    "nos vemos a la tarde",
)


@dataclass(frozen=True)
class Text:
    """Token ids: what was read and what was written after it."""

    prompt: list[int]
    written: list[int]


def main() -> None:
    """Prints a table for each kind of text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, default=EMBEDDED, help="default: the embedded one")
    parser.add_argument("--texts", type=int, default=20, help="texts of each kind (default 20)")
    args = parser.parse_args()
    studio = Studio(Bundle.load(args.bundle), Settings(threads=1, parallel=1))
    kinds = {
        "speeches from passages": speeches(studio, args.texts),
        "chats": replies(studio, args.texts),
        "questions": lists(studio, args.texts),
        "our talks after their prompt": talks(studio, args.texts, 0),
        "our talks after three passages of others": talks(studio, args.texts, 3),
    }
    for name, texts in kinds.items():
        table(name, list(texts))
    studio.engine().close()  # type: ignore[attr-defined]


def table(name: str, texts: list[Text]) -> None:
    """Prints the figures of all settings for one kind of text."""
    read, written = (
        sum(len(ids) for ids in column)
        for column in zip(*((t.prompt, t.written) for t in texts), strict=True)
    )
    print(
        f"\n{name}: {len(texts)} texts, {read / len(texts):.0f} tokens read and {written / len(texts):.0f} written each\n"
    )
    print(
        "| must match | draft | steps with a draft | accepted by one | tokens a step | gain |\n|---|---|---|---|---|---|"
    )
    for run in RUNS:
        for limit in LIMITS:
            counts = [simulate(text, run, limit) for text in texts]
            plain, drafted, accepted = (sum(column) for column in zip(*counts, strict=True))
            steps = plain + drafted
            cost = plain + drafted * COST * ((limit + 4) // 4)
            print(
                f"| {run} | {limit} | {drafted / steps:.0%} | {accepted / max(1, drafted):.2f} "
                f"| {written / steps:.3f} | {written / cost:.2f} |"
            )


def simulate(text: Text, run: int, limit: int) -> tuple[int, int, int]:
    """Steps without and with a draft, and the tokens that these got accepted."""
    lookup = Lookup(text.prompt, run, limit)
    place = plain = drafted = accepted = 0
    while place < len(text.written):
        draft = lookup.draft()
        rest = text.written[place : place + len(draft)]
        right = next((n for n, (a, b) in enumerate(zip(draft, rest, strict=False)) if a != b), len(rest))
        plain, drafted, accepted = plain + (not draft), drafted + bool(draft), accepted + right
        for token in text.written[place : place + right + 1]:
            lookup.add(token)
        place += right + 1
    return plain, drafted, accepted


def speeches(studio: Studio, number: int) -> Iterator[Text]:
    """Speeches of the generators with documents, five passages each."""
    for n in range(number):
        generator = studio.grounded[n % len(studio.grounded)]
        topics = TOPICS[n // len(studio.grounded) % len(TOPICS)]
        *_, frame = rag(studio, Grounded(topics, minutes=2, seed=n, generator=generator.name, threshold=-1))
        used = [found.hit.passage.text for found in frame.passages if found.used]
        values = {"topics": " y ".join(topics.split(", ")), "field": topics, "context": format_context(used)}
        yield of(studio, generator.prompts["rag"].render(**values), frame.text)


def replies(studio: Studio, number: int) -> Iterator[Text]:
    """The fifth reply of each conversation."""
    for n in range(number):
        history: list[Message] = []
        for said in SAID:
            *_, frame = chat(studio, Talk(said, history, seed=n))
            history = frame.history
        persona = studio.personas[0]
        values = {**persona.values, "message": frame.said}
        prompt = fit(studio.engine(), persona.prompts["chat"], values, frame.before, REPLY_TOKENS)
        yield of(studio, prompt.messages, "\n".join(frame.bubbles))


def lists(studio: Studio, number: int) -> Iterator[Text]:
    """Four short questions about passages."""
    asking = studio.questioners[0]
    for n in range(number):
        hits = studio.search(studio.grounded[0], TOPICS[n % len(TOPICS)], 4)
        text = "\n".join(hit.passage.text for hit in hits[2 * (n // len(TOPICS)) % 4 :][:2])
        *_, frame = questions(studio, Ask(text, 4, "short", seed=n))
        messages = asking.prompts["questions"].render(
            text=frame.text, request=question_request("short", 4, "")
        )
        yield of(studio, messages, format_questions([asked.item for asked in frame.items]))


def talks(studio: Studio, number: int, passages: int) -> Iterator[Text]:
    """Talks of train/texts, after their title as topic and so many passages of other talks."""
    generator = studio.grounded[0]
    for document in list(read_documents(TEXTS / "talks"))[:number]:
        hits = studio.search(generator, document.title, 60)
        others = [hit.passage.text for hit in hits if hit.passage.title != document.title][:passages]
        values = {"topics": document.title, "field": document.title, "context": format_context(others)}
        yield of(studio, generator.prompts["rag" if passages else "speech"].render(**values), document.text)


def of(studio: Studio, messages: list[Message], text: str) -> Text:
    """The token ids of a prompt and of a text after it."""
    engine: Any = studio.engine()
    prompt = engine.encode(messages)
    return Text(prompt, engine.encode(messages, text)[len(prompt) :])


if __name__ == "__main__":
    main()
