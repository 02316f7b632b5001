"""Prepared examples as token ids with the loss mask: what `python -m train sft` trains on.

The base model's chat template is rendered twice, once for the prompt as it is served (ending where the assistant
begins) and once for the whole conversation. Trained are the tokens by which the second exceeds the first: the
answer and its end. An example that is too long is left out and listed, never cut.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from train.base_model import Base
from train.errors import BadExample, BadTemplate, NoChatTemplate, NotPrepared, TooManyDropped
from train.tokenizer import CHAT_TEMPLATE

IGNORED = -100
"""The label of a token that is not trained (torch's and transformers' convention)."""


@dataclass(frozen=True)
class Example:
    """`ids` and `labels`, both of the length of the conversation; labels are IGNORED outside the answer."""

    ids: list[int]
    labels: list[int]
    title: str

    @property
    def trained(self) -> int:
        """The number of trained tokens."""
        return sum(label != IGNORED for label in self.labels)


@dataclass(frozen=True)
class Encoded:
    """The examples of one split that fit, and those that do not: `{"title", "tokens"}` each."""

    examples: list[Example]
    dropped: list[dict[str, Any]]


@dataclass(frozen=True)
class Prepared:
    """A folder written by `prepare`: its manifest, conversations by split, and the SHA-256 of both splits."""

    manifest: dict[str, Any]
    train: list[dict[str, Any]]
    validation: list[dict[str, Any]]
    sha256: str


def read_prepared(folder: Path) -> Prepared:
    """Read a folder of `python -m train prepare`. Raises NotPrepared, BadExample (file and line)."""
    manifest, splits = folder / "prepared.json", [folder / "train.jsonl", folder / "validation.jsonl"]
    for path in (manifest, *splits):
        if not path.is_file():
            raise NotPrepared(path=folder, missing=path.name)
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in splits)).hexdigest()
    train, validation = (_read_lines(path) for path in splits)
    if not train:
        raise NotPrepared(path=folder, missing="any example in train.jsonl")
    return Prepared(json.loads(manifest.read_text(encoding="utf-8")), train, validation, digest)


def _read_lines(path: Path) -> list[dict[str, Any]]:
    rows = []
    lines = path.read_text(encoding="utf-8").split("\n")  # splitlines() would also part texts at U+2028
    for number, line in enumerate(lines, 1):
        if not line and number == len(lines):
            break
        try:
            row = json.loads(line)
            messages = row["messages"]
            good = len(messages) > 1 and messages[-1]["role"] == "assistant"
            good = good and all(isinstance(m["content"], str) and m["content"].strip() for m in messages)
        except (ValueError, KeyError, TypeError):
            good = False
        if not good:
            raise BadExample(path=path.name, line=number)
        rows.append(row)
    return rows


def set_chat_template(tokenizer: Any, choice: str | None) -> None:
    """Give `tokenizer` the chat template to train and serve with: its own, "phi3", or a Jinja file's.

    Raises NoChatTemplate when the base model has none and none is chosen, BadTemplate for a missing file.
    """
    if choice == "phi3":
        tokenizer.chat_template = CHAT_TEMPLATE
    elif choice:
        if not Path(choice).is_file():
            raise BadTemplate(reason=f"no file {choice}")
        tokenizer.chat_template = Path(choice).read_text(encoding="utf-8")
    elif isinstance(tokenizer.chat_template, dict):
        tokenizer.chat_template = tokenizer.chat_template.get("default")
    if not tokenizer.chat_template:
        raise NoChatTemplate()


def end_tokens(tokenizer: Any, base: Base) -> set[int]:
    """The ids after which a text is over: the tokenizer's end of text and those of generation_config.json."""
    ends = {tokenizer.eos_token_id}
    path = base.folder / "generation_config.json"
    if path.is_file():
        found = json.loads(path.read_text(encoding="utf-8")).get("eos_token_id")
        ends.update(found if isinstance(found, list) else [found])
    return {end for end in ends if end is not None}


def encode(rows: Iterable[dict[str, Any]], tokenizer: Any, ends: set[int], max_length: int) -> Encoded:
    """Tokenize conversations; an answer whose rendering has no end token gets the tokenizer's end of text.

    Raises BadTemplate when the template fails or does not render the conversation as a continuation of its prompt.
    """
    examples: list[Example] = []
    dropped: list[dict[str, Any]] = []
    for row in rows:
        ids, start = _tokenize(row["messages"], tokenizer)
        if not ends.intersection(ids[start:]):
            ids = [*ids, tokenizer.eos_token_id]
        title = str(row.get("title") or row.get("document") or "")
        if len(ids) > max_length:
            dropped.append({"title": title, "tokens": len(ids)})
        else:
            examples.append(Example(ids, [IGNORED] * start + ids[start:], title))
    return Encoded(examples, dropped)


def _tokenize(messages: Sequence[dict[str, str]], tokenizer: Any) -> tuple[list[int], int]:
    """The ids of the conversation and the position where the answer begins.

    Contents are stripped, as the Space strips what visitors write: the space after a special token would get
    another token in llama.cpp than in transformers.
    """
    from jinja2 import TemplateError

    clean = [{**message, "content": message["content"].strip()} for message in messages]
    try:
        prompt = tokenizer.apply_chat_template(clean[:-1], tokenize=False, add_generation_prompt=True)
        whole = tokenizer.apply_chat_template(clean, tokenize=False)
    except TemplateError as error:
        raise BadTemplate(reason=str(error)) from error
    if not whole.startswith(prompt):
        raise BadTemplate(reason=f"a conversation does not begin with its own prompt {prompt[-40:]!r}")
    before = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    ids = tokenizer(whole, add_special_tokens=False)["input_ids"]
    if (
        ids[: len(before)] != before
    ):  # tokens merge across the border: the prompt's own tokens are what is served
        ids = before + tokenizer(whole[len(prompt) :], add_special_tokens=False)["input_ids"]
    return ids, len(before)


def check_dropped(encoded: Encoded, max_length: int, context: int) -> None:
    """Raises TooManyDropped when more than half of the examples are longer than `max_length`."""
    count = len(encoded.dropped)
    total = count + len(encoded.examples)
    if count * 2 > total:
        longest = max(row["tokens"] for row in encoded.dropped)
        raise TooManyDropped(dropped=count, total=total, limit=max_length, longest=longest, context=context)
