"""Messages to token ids through the bundle's own chat template, so that no content can be read as a special token.

The template is rendered with sentinels in place of the contents. What the template itself writes may name special
tokens; what visitors, passages and models write never does. `pytest tests/test_chat.py` compares the ids with
transformers' `apply_chat_template`.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from space.errors import ForbiddenMark, TemplateInvalid
from space.prompts import Message

SENTINEL = "\ue0f0orador{}\ue0f1"
SENTINELS = re.compile("\ue0f0orador(\\d+)\ue0f1")
LEAST_MARK = 3
"""Characters of a turn's mark; a shorter one, such as a dash, may be part of any text."""
Tokenize = Callable[[str], list[int]]


@dataclass(frozen=True)
class Marker:
    """A special token: its id, and whether it swallows the white space at its left and right."""

    id: int
    lstrip: bool = False
    rstrip: bool = False


@dataclass(frozen=True)
class Part:
    """A stretch of a rendered prompt; `trusted` when the template wrote it."""

    text: str
    trusted: bool


class ChatTemplate:
    """A Jinja chat template, rendered in the sandbox that transformers uses, with its settings."""

    def __init__(self, source: str, bos: str = "", eos: str = "") -> None:
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
        environment.globals["raise_exception"] = _raise
        environment.globals["strftime_now"] = lambda form: datetime.datetime.now().strftime(form)
        self._tokens = {"bos_token": bos, "eos_token": eos}
        try:
            self._template = environment.from_string(source)
        except TemplateError as error:
            raise TemplateInvalid(reason=error) from error

    def parts(self, messages: Sequence[Message], opening: str = "") -> list[Part]:
        """The prompt up to the assistant's answer, which begins with `opening`. Raises TemplateInvalid."""
        marked: list[dict[str, Any]] = [
            {**message, "content": SENTINEL.format(n)} for n, message in enumerate(messages)
        ]
        try:
            text = self._template.render(messages=marked, add_generation_prompt=True, **self._tokens)
        except TemplateError as error:
            raise TemplateInvalid(reason=error) from error
        pieces = SENTINELS.split(text)
        seen = {int(n) for n in pieces[1::2]}
        if lost := [m["role"] for n, m in enumerate(messages) if n not in seen]:
            raise TemplateInvalid(reason=f"it leaves out the messages of {', '.join(lost)}")
        parts = [
            Part(messages[int(piece)]["content"].strip(), False) if n % 2 else Part(piece, True)
            for n, piece in enumerate(pieces)
        ]
        return [part for part in (*parts, Part(opening.strip(), False)) if part.text]


def turn_marks(source: str) -> tuple[str, ...]:
    """What the template `source` writes between an answer and the next message, in pieces without white space.

    An answer that holds one of them has gone on into somebody else's turn. Raises TemplateInvalid.
    """
    turns = [{"role": role, "content": role} for role in ("user", "assistant", "user")]
    parts = ChatTemplate(source).parts(turns)
    _, answer, after = (n for n, part in enumerate(parts) if not part.trusted)
    pieces = "".join(part.text for part in parts[answer + 1 : after]).split()
    return tuple(piece for piece in dict.fromkeys(pieces) if len(piece) >= LEAST_MARK)


def _raise(reason: str) -> None:
    raise TemplateError(reason)


def encode(parts: Sequence[Part], markers: Mapping[str, Marker], tokenize: Tokenize) -> list[int]:
    """The token ids of `parts`: special tokens by id, and each run between two of them by `tokenize`.

    `tokenize` reads no special token. Where a vocabulary makes it read one all the same (one that is not marked as a
    control token), a content that holds a mark of the template raises ForbiddenMark.
    """
    marks = re.compile("|".join(re.escape(mark) for mark in sorted(markers, key=len, reverse=True)) or "(?!)")
    runs: list[str] = [""]
    found: list[str] = []
    for part in parts:
        position = 0
        for match in marks.finditer(part.text) if part.trusted else ():
            runs[-1] += part.text[position : match.start()]
            found.append(match[0])
            runs.append("")
            position = match.end()
        runs[-1] += part.text[position:]
    ids: list[int] = []
    forbidden = {markers[mark].id: mark for mark in found}
    for n, run in enumerate(runs):
        if n and markers[found[n - 1]].rstrip:
            run = run.lstrip()
        if n < len(found) and markers[found[n]].lstrip:
            run = run.rstrip()
        plain = tokenize(run) if run else []
        if injected := forbidden.keys() & set(plain):
            raise ForbiddenMark(mark=forbidden[injected.pop()])
        ids += plain
        if n < len(found):
            ids.append(markers[found[n]].id)
    return ids
