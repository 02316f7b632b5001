"""Reads question sets in SQuAD format (v1.1 or v2.0): {"data": [{"paragraphs": [{"context", "qas": [{"question"}]}]}]}.

Used by `python -m index evaluate QA.json --embedder MODEL` and `python -m index embedder SOURCE... --out DIR`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from index.errors import BadQuestions


@dataclass(frozen=True)
class Paragraph:
    """A context and the questions it answers."""

    context: str
    questions: tuple[str, ...]


@dataclass(frozen=True)
class Questions:
    """A question set; `impossible` counts the questions left out because their context does not answer them."""

    paragraphs: list[Paragraph]
    impossible: int


def read_questions(path: Path) -> Questions:
    """Reads a SQuAD-format file; contexts that occur twice are joined. Raises BadQuestions."""
    contexts: dict[str, dict[str, None]] = {}
    impossible = 0
    try:
        for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
            for paragraph in article["paragraphs"]:
                questions = contexts.setdefault(str(paragraph["context"]), {})
                for qa in paragraph["qas"]:
                    if qa.get("is_impossible"):
                        impossible += 1
                    else:
                        questions[str(qa["question"])] = None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadQuestions(path=path) from error
    paragraphs = [Paragraph(context, tuple(questions)) for context, questions in contexts.items()]
    if not any(p.questions for p in paragraphs):
        raise BadQuestions(path=path)
    return Questions(paragraphs, impossible)
