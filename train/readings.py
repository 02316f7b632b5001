"""Reads texts with questions: SQuAD-format files (v1.1, v2.0, XQuAD) and readings. Used by `train prepare questions`.

SQuAD: {"data": [{"title", "paragraphs": [{"context", "qas": [{"question", "answers": [{"text", "answer_start"}],
"is_impossible"}]}]}]}. A reading, or a list of them: {"title", "level", "text", "questions": [{"type": "short",
"question", "answer", "evidence"} or {"type": "true_false", "statement", "answer": true, "evidence", "correction"}]}.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from space.question_list import Item, ShortAnswer, Statement
from train.decoding import NotText

SUFFIXES = (".json",)


@dataclass(frozen=True)
class Asked:
    """A question as a SQuAD file has it: the answers that its annotators marked, some perhaps empty."""

    question: str
    answers: tuple[str, ...]
    impossible: bool


@dataclass(frozen=True)
class Written:
    """A finished item of a reading and the sentence of the text that decides it."""

    item: Item
    evidence: str


@dataclass(frozen=True)
class Context:
    """One text with what is asked about it."""

    text: str
    asked: list[Asked] = field(default_factory=list)
    written: list[Written] = field(default_factory=list)


@dataclass(frozen=True)
class Article:
    """A title and its texts; `level` is the reader's (B1) or empty."""

    title: str
    source: str
    contexts: list[Context]
    level: str = ""


def read_articles(text: str, name: str) -> Iterator[Article]:
    """The articles of a file. Raises NotText, which says where it is not as it should be."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise NotText(f"it is not JSON ({error})") from error
    if isinstance(value, dict) and "data" in value:
        for number, article in enumerate(_list(value, "data", "the file"), 1):
            yield _squad_article(article, name, number)
        return
    entries = value if isinstance(value, list) else [value]
    for number, entry in enumerate(entries, 1):
        where = f"entry {number}"
        if not isinstance(entry, dict) or not {"text", "questions"} <= entry.keys():
            raise NotText(f'{where}: neither SQuAD format ("data") nor a reading ("text" and "questions")')
        source = name if len(entries) == 1 else f"{name}#{number}"
        yield _reading(entry, where, source)


def _squad_article(article: Any, name: str, number: int) -> Article:
    where = f"data[{number - 1}]"
    contexts = [
        _squad_context(paragraph, f"{where}.paragraphs[{i}]")
        for i, paragraph in enumerate(_list(article, "paragraphs", where))
    ]
    title = article.get("title")
    title = re.sub(r"[\s_]+", " ", title).strip(" .") if isinstance(title, str) else ""
    return Article(title or f"{name}#{number}", f"{name}#{number}", contexts)


def _squad_context(paragraph: Any, where: str) -> Context:
    text = _text(paragraph, "context", where)
    asked = []
    for i, qa in enumerate(_list(paragraph, "qas", where)):
        at = f"{where}.qas[{i}]"
        question = _text(qa, "question", at)
        marked = [] if qa.get("answers") is None else _list(qa, "answers", at)
        answers = tuple(_text(answer, "text", f"{at}.answers[{j}]") for j, answer in enumerate(marked))
        asked.append(Asked(question, answers, bool(qa.get("is_impossible"))))
    return Context(text, asked)


def _reading(entry: dict[str, Any], where: str, source: str) -> Article:
    written = []
    for i, question in enumerate(_list(entry, "questions", where)):
        at = f"{where}.questions[{i}]"
        written.append(Written(_item(question, at), _filled(question, "evidence", at)))
    title, level = entry.get("title"), entry.get("level")
    return Article(
        title if isinstance(title, str) and title.strip() else source,
        source,
        [Context(_text(entry, "text", where), written=written)],
        level if isinstance(level, str) else "",
    )


def _item(question: Any, where: str) -> Item:
    kind = question.get("type") if isinstance(question, dict) else None
    if kind == "short":
        return ShortAnswer(_filled(question, "question", where), _filled(question, "answer", where))
    if kind == "true_false":
        true = question.get("answer")
        if not isinstance(true, bool):
            raise NotText(f"{where}: its answer is {true!r}, not true or false")
        correction = "" if true else str(question.get("correction") or "").strip()
        return Statement(_filled(question, "statement", where), true, correction)
    raise NotText(f"{where}: its type is {kind!r}, not short or true_false")


def _list(value: Any, key: str, where: str) -> list[Any]:
    found = value.get(key) if isinstance(value, dict) else None
    if not isinstance(found, list):
        raise NotText(f"{where}: no list {key!r}")
    return found


def _text(value: Any, key: str, where: str) -> str:
    found = value.get(key) if isinstance(value, dict) else None
    if not isinstance(found, str):
        raise NotText(f"{where}: no text {key!r}")
    return found


def _filled(value: Any, key: str, where: str) -> str:
    text = " ".join(_text(value, key, where).split())
    if not text:
        raise NotText(f"{where}: its {key!r} is empty")
    return text
