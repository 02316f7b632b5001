"""Prompt templates, in one place: training and serving render the same template by the same function.

A bundle carries the templates it was trained with (`PromptTemplate.to_json`), so that a Space can serve a
generator whose recipe it has never seen.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Message = dict[str, str]


@dataclass(frozen=True)
class PromptTemplate:
    """A conversation with `{placeholders}`; rendering ends before the assistant's answer.

    Values are inserted once and never read as templates: braces in a visitor's text stay braces.
    """

    messages: tuple[tuple[str, str], ...]

    @property
    def fields(self) -> frozenset[str]:
        """The placeholder names."""
        formatter = string.Formatter()
        return frozenset(name for _, text in self.messages for _, name, _, _ in formatter.parse(text) if name)

    def render(self, **values: str) -> list[Message]:
        """The messages to send to the model. Raises KeyError for a missing value."""
        return [{"role": role, "content": text.format_map(values)} for role, text in self.messages]

    def example(self, answer: str, **values: str) -> list[Message]:
        """A whole training conversation: the rendered prompt and the assistant's `answer`."""
        return [*self.render(**values), {"role": "assistant", "content": answer}]

    def to_json(self) -> list[Message]:
        return [{"role": role, "content": text} for role, text in self.messages]

    @classmethod
    def from_json(cls, messages: list[Mapping[str, Any]]) -> PromptTemplate:
        return cls(tuple((str(m["role"]), str(m["content"])) for m in messages))


SPEECH = PromptTemplate(
    (
        (
            "user",
            "Crea un discurso al estilo TED-Talk que suene como si fuera dado por un experto en {field} "
            "y que trate sobre {topics}",
        ),
    )
)
"""Training and the fine-tuned tab: field and topics (comma separated, the last joined by "y")."""

RAG = PromptTemplate(
    (
        (
            "user",
            "Eres un experto en redactar discursos. Usa únicamente el siguiente contexto para escribir un "
            "discurso sobre el tema indicado.\n\n"
            "Contexto:\n{context}\n\n"
            "Tema: {topics}\n\n"
            "El discurso debe tener:\n"
            "- Una introducción atractiva.\n"
            "- Los puntos principales desarrollados de forma clara y concisa.\n"
            "- Ejemplos o anécdotas relevantes.\n"
            "- Una conclusión contundente.",
        ),
    )
)
"""The RAG tab: retrieved passages as context, and the topics."""


def join_topics(topics: list[str]) -> str:
    """`["a", "b", "c"]` as "a, b y c"; "e" before the sound i ("pan e historia", but "agua y hielo")."""
    if len(topics) < 2:
        return "".join(topics)
    conjunction = "e" if re.match(r"[ií]|h[ií](?![aáeé])", topics[-1], re.I) else "y"
    return f"{', '.join(topics[:-1])} {conjunction} {topics[-1]}"


def format_context(passages: list[str]) -> str:
    """The passages as the context of a RAG prompt: numbered, one paragraph each."""
    return "\n\n".join(f"[{n}] {' '.join(text.split())}" for n, text in enumerate(passages, 1))
