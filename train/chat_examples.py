"""Prepared examples as token ids with the loss mask: what `python -m train sft` trains on.

The base model's chat template is rendered twice, once for the prompt as it is served (ending where the assistant
begins) and once for the whole conversation. Trained are the tokens by which the second exceeds the first: the
answer and its end. A conversation with several answers to learn (`"answers": n`, the last n of the assistant's) is one
sequence in which each of them is trained, where every prompt on the way is a beginning of it, token by token, and a
special token ends every answer; with another template each answer is a sequence with its own prompt. An example that is
too long is left out and listed, never cut.
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

GROUNDED = "grounded.jsonl"
IGNORED = -100
"""The label of a token that is not trained (torch's and transformers' convention)."""


@dataclass(frozen=True)
class Example:
    """`ids` and `labels`, both of the length of the conversation; labels are IGNORED outside the answers."""

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
    """A folder written by `prepare`: its manifest, conversations by split, and the SHA-256 of their files.

    `train` ends with the `grounded` conversations that `python -m train ground` added to the folder.
    """

    manifest: dict[str, Any]
    train: list[dict[str, Any]]
    validation: list[dict[str, Any]]
    sha256: str
    grounded: int = 0


def read_prepared(folder: Path) -> Prepared:
    """Read a folder of `python -m train prepare`. Raises NotPrepared, BadExample (file and line)."""
    manifest, splits = folder / "prepared.json", [folder / "train.jsonl", folder / "validation.jsonl"]
    for path in (manifest, *splits):
        if not path.is_file():
            raise NotPrepared(path=folder, missing=path.name)
    grounded = [path for path in [folder / GROUNDED] if path.is_file()]
    digest = examples_sha256(folder)
    train, validation, *added = (read_lines(path) for path in [*splits, *grounded])
    if not train:
        raise NotPrepared(path=folder, missing="any example in train.jsonl")
    more = added[0] if added else []
    return Prepared(
        json.loads(manifest.read_text(encoding="utf-8")), [*train, *more], validation, digest, len(more)
    )


def examples_sha256(folder: Path) -> str:
    """The SHA-256 of what is trained and validated on in a folder of `prepare`."""
    paths = [folder / name for name in ("train.jsonl", "validation.jsonl", GROUNDED)]
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths if path.is_file())).hexdigest()


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The examples of a file of `prepare`. Raises BadExample (file and line)."""
    rows = []
    lines = path.read_text(encoding="utf-8").split("\n")  # splitlines() would also part texts at U+2028
    for number, line in enumerate(lines, 1):
        if not line and number == len(lines):
            break
        try:
            row = json.loads(line)
            messages = row["messages"]
            good = len(messages) > 1 and answer_places(row)[-1] == len(messages) - 1
            good = good and all(isinstance(m["content"], str) and m["content"].strip() for m in messages)
        except (ValueError, KeyError, TypeError, IndexError):
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


def answer_places(row: dict[str, Any]) -> list[int]:
    """Where in `row["messages"]` the answers to learn are: the last `row["answers"]` (1) of the assistant's.

    Raises ValueError where there are not as many, or none is asked for.
    """
    places = [n for n, message in enumerate(row["messages"]) if message["role"] == "assistant"]
    wanted = row.get("answers", 1)
    if not isinstance(wanted, int) or not 1 <= wanted <= len(places):
        raise ValueError(f"{wanted!r} of {len(places)} answers")
    return places[-wanted:]


def encode(rows: Iterable[dict[str, Any]], tokenizer: Any, ends: set[int], max_length: int) -> Encoded:
    """Tokenize conversations; an answer whose rendering has no end token gets the tokenizer's end of text.

    Raises BadTemplate when the template fails or does not render the conversation as a continuation of its prompt.
    """
    examples: list[Example] = []
    dropped: list[dict[str, Any]] = []
    for row in rows:
        title = str(row.get("title") or row.get("document") or "")
        for ids, labels in _sequences(row, tokenizer, ends):
            if len(ids) > max_length:
                dropped.append({"title": title, "tokens": len(ids)})
            else:
                examples.append(Example(ids, labels, title))
    return Encoded(examples, dropped)


def _sequences(row: dict[str, Any], tokenizer: Any, ends: set[int]) -> list[tuple[list[int], list[int]]]:
    """Ids and labels of `row`: one sequence, or one for each answer where the template does not allow it."""
    pieces = [_tokenize(row["messages"][: place + 1], tokenizer, ends) for place in answer_places(row)]
    ends = ends | {token for token, added in tokenizer.added_tokens_decoder.items() if added.special}
    whole, start = pieces[-1]
    labels = [IGNORED] * start + whole[start:]
    for ids, begin in pieces[:-1]:
        over = _shared(ids, whole)
        if over <= begin or not ends.intersection(whole[begin:over]):
            return [(ids, [IGNORED] * begin + ids[begin:]) for ids, begin in pieces]
        labels[begin:over] = whole[begin:over]
    return [(whole, labels)]


def _shared(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens two sequences have in common at the beginning."""
    pairs = zip(first, second, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))


def _tokenize(messages: Sequence[dict[str, str]], tokenizer: Any, ends: set[int]) -> tuple[list[int], int]:
    """The ids of the conversation, which ends with an answer and its end token, and where the answer begins.

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
    if not ends.intersection(ids[len(before) :]):
        ids = [*ids, tokenizer.eos_token_id]
    return ids, len(before)


def check_dropped(encoded: Encoded, max_length: int, context: int) -> None:
    """Raises TooManyDropped when more than half of the examples are longer than `max_length`."""
    count = len(encoded.dropped)
    total = count + len(encoded.examples)
    if count * 2 > total:
        longest = max(row["tokens"] for row in encoded.dropped)
        raise TooManyDropped(dropped=count, total=total, limit=max_length, longest=longest, context=context)
