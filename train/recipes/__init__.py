"""Recipes: how one kind of corpus becomes training examples. A module of this package with a VERSION is one.

`python -m train prepare RECIPE --help` shows a recipe's options. A recipe module has: a docstring (its first line is
the help), `VERSION: int`, `TEMPLATES: dict[str, PromptTemplate]` (what the bundle carries), `add_arguments(parser)`,
`documents(corpus, args) -> list[Document]` (clean, one voice each) and
`examples(documents, args, audit) -> Iterable[Example]`, read once. `IN_ORDER = True` says that the documents come in the order of time,
so that the latest are held out.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from space.prompts import Message, PromptTemplate
from train.audit import Audit
from train.corpus import Corpus, Document


@dataclass(frozen=True)
class Example:
    """A template, its values and the answer, and where they came from; `derived` names values no metadata gave,
    `history` are the turns of the conversation before, `topics` what the report counts."""

    template: PromptTemplate
    values: dict[str, str]
    answer: str
    document: Document
    derived: list[str] = field(default_factory=list)
    part: int = 1
    parts: int = 1
    history: list[Message] = field(default_factory=list)
    topics: list[str] = field(default_factory=list)

    @property
    def learnt(self) -> str:
        """All that the model is to say in it: the assistant's turns."""
        earlier = [turn["content"] for turn in self.history if turn["role"] == "assistant"]
        return "\n".join([*earlier, self.answer])

    def to_json(self) -> dict[str, object]:
        return {
            "messages": self.template.example(self.answer, self.history, **self.values),
            "answers": 1 + sum(turn["role"] == "assistant" for turn in self.history),
            "values": self.values,
            "document": self.document.id,
            "title": self.document.title,
            "derived": self.derived,
            "part": self.part,
            "parts": self.parts,
        }


class Recipe(Protocol):
    """What a recipe module offers."""

    VERSION: int
    TEMPLATES: dict[str, PromptTemplate]

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...
    def documents(self, corpus: Corpus, args: argparse.Namespace) -> list[Document]: ...
    def examples(
        self, documents: list[Document], args: argparse.Namespace, audit: Audit
    ) -> Iterable[Example]: ...


def available() -> dict[str, Recipe]:
    """The recipes by name, in alphabetical order."""
    modules = {
        info.name: importlib.import_module(f"{__name__}.{info.name}")
        for info in pkgutil.iter_modules(__path__)
    }
    return {name: module for name, module in sorted(modules.items()) if hasattr(module, "VERSION")}
