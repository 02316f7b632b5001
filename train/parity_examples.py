"""The held-out conversations of the parity gate, as training has them: token ids, where the answer begins and ends.

`python -m train sft` keeps a sample of its validation examples beside run.json, with what it gives them; `python -m train export`
takes that sample, or one of --data, or our own texts.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from space.prompts import Message
from train.chat_examples import IGNORED, encode, read_lines
from train.errors import NotPrepared
from train.parity_texts import OWN

HELD_OUT = "held_out.jsonl"
MOST, BUDGET, LONGEST = 64, 4096, 1024
"""Conversations of a sample, their tokens together, and tokens of the longest: minutes for Phi-3-mini on two cores."""


@dataclass(frozen=True)
class Conversation:
    """`prompt` and `answer`, and the ids of both; the answer's are those from `start`, the last is the special
    token that ends it. `nats`: what the model gave each of these when its training ended, where the run kept it."""

    prompt: Sequence[Message]
    answer: str
    ids: list[int]
    start: int
    nats: list[float] | None = None


def conversations(
    rows: Sequence[dict[str, Any]], tokenizer: Any, ends: set[int], longest: int
) -> list[Conversation]:
    """The last answer of each of `rows` that is no longer than `longest` tokens."""
    marks = ends | {token for token, added in tokenizer.added_tokens_decoder.items() if added.special}
    found = []
    for row in rows:
        messages = row["messages"]
        for example in encode([{"messages": messages, "title": ""}], tokenizer, ends, longest).examples:
            start = next(n for n, label in enumerate(example.labels) if label != IGNORED)
            stop = next(n for n in range(start, len(example.ids)) if example.ids[n] in marks) + 1
            answer, ids = messages[-1]["content"], example.ids[:stop]
            found.append(Conversation(messages[:-1], answer, ids, start, row.get("nats")))
    return found


def sample(
    rows: Sequence[dict[str, Any]], tokenizer: Any, ends: set[int], context: int
) -> list[Conversation]:
    """The last answers of at most MOST of `rows`, evenly drawn, that are short enough."""
    chosen: list[Conversation] = []
    tokens = 0
    step = max(1, len(rows) // MOST)
    for row in [row for begin in range(step) for row in rows[begin::step]]:
        for one in conversations([row], tokenizer, ends, min(LONGEST, context)):
            if len(chosen) < MOST and tokens + len(one.ids) <= BUDGET:
                chosen.append(one)
                tokens += len(one.ids)
        if len(chosen) == MOST or tokens > 0.9 * BUDGET:
            break
    return chosen


def write_held_out(
    conversations: Sequence[Conversation], nats: Sequence[Sequence[float]], path: Path
) -> None:
    """The conversations with the nats of each token of their answers, one a line."""
    with path.open("w", encoding="utf-8") as stream:
        for one, values in zip(conversations, nats, strict=True):
            messages = [*one.prompt, {"role": "assistant", "content": one.answer}]
            row = {"messages": messages, "nats": [round(float(value), 5) for value in values]}
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")


def held_out(adapter: Path | None, data: Path | None) -> tuple[str, list[dict[str, Any]]]:
    """The conversations to check with, and what they are: of --data, of the adapter's run, or our own.

    Raises NotPrepared, BadExample.
    """
    kept = adapter.resolve().parent / HELD_OUT if adapter else None
    if data:
        paths = [data / "validation.jsonl", data / "test.jsonl"]
        if missing := [path.name for path in paths if not path.is_file()]:
            raise NotPrepared(path=data, missing=", ".join(missing))
        rows = [row for path in paths for row in read_lines(path)]
        if rows:
            return f"validation and test of {data.resolve().name}", rows
    elif kept and kept.is_file() and (rows := read_lines(kept)):
        return "held out from the training of the adapter", rows
    return "our own texts: there are no held-out examples", list(OWN)
