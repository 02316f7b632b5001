"""A list of questions as a file for teachers: Moodle GIFT, CSV, Word without and with key; made in memory when it is asked for.

    export(frame, "gift", "orador-mini-es", "es")    # {"name": "preguntas.gift.txt", "mime": …, "data": base64}

GIFT: https://docs.moodle.org/en/GIFT_format; the evidence becomes the general feedback. Items that the text may not bear out are
marked in CSV and in the key, and by a comment in GIFT.
"""

from __future__ import annotations

import base64
import csv
import io
import re
from collections.abc import Callable, Sequence
from typing import Any

from space.downloads import MIME, NOT_XML
from space.question_frames import Asked, QuestionFrame
from space.question_list import ShortAnswer
from space.texts import say

KINDS = ("gift", "csv", "docx", "docx-key")
_GIFT = re.compile(r"[\\~=#{}:]")
_FORMULA = re.compile(r"[=+\-@\t\r]")
_ENDINGS = {
    "gift": ("gift.txt", "text/plain;charset=utf-8"),
    "csv": ("csv", "text/csv;charset=utf-8"),
    "docx": ("docx", MIME["docx"]),
    "docx-key": ("docx", MIME["docx"]),
}


def export(frame: QuestionFrame, kind: str, model: str, language: str) -> dict[str, str]:
    """The file of `kind` (one of KINDS) as the page takes it: name, mime type, base64 data."""
    write: dict[str, Callable[[], bytes]] = {
        "gift": lambda: gift(frame.items, language).encode("utf-8"),
        "csv": lambda: table(frame.items, language).encode("utf-8-sig"),
        "docx": lambda: document(frame, model, language, key=False),
        "docx-key": lambda: document(frame, model, language, key=True),
    }
    ending, mime = _ENDINGS[kind]
    name = say("questions.file.key" if kind == "docx-key" else "questions.file", language)
    data = base64.b64encode(write[kind]()).decode("ascii")
    return {"name": f"{name}.{ending}", "mime": mime, "data": data}


def gift(items: Sequence[Asked], language: str) -> str:
    """The items in Moodle's GIFT: short answers, and true or false with the correction as feedback."""
    blocks = []
    for number, asked in enumerate(items, 1):
        item = asked.item
        title = say("questions.number", language, n=number)
        if isinstance(item, ShortAnswer):
            head, solution = item.question, f"=%100%{_gift(item.answer)}"
        elif item.true:
            head, solution = item.text, "TRUE"
        else:
            head, solution = item.text, "FALSE" + (f"#{_gift(item.correction)}" if item.correction else "")
        comment = f"####{_gift(asked.evidence)}" if asked.evidence else ""
        doubt = f"// {say(f'doubt.{asked.doubt}', language)}\n" if asked.doubt else ""
        blocks.append(f"{doubt}::{_gift(title)}::[plain]{_gift(head)} {{{solution}{comment}}}\n")
    return "\n".join(blocks)


def table(items: Sequence[Asked], language: str) -> str:
    """The items as CSV (RFC 4180) with a line of names. What a spreadsheet would take for a formula gets an apostrophe."""
    names = ("number", "type", "question", "answer", "correction", "evidence", "check")
    rows: list[list[str]] = [[say(f"questions.column.{name}", language) for name in names]]
    for number, asked in enumerate(items, 1):
        item = asked.item
        correction = "" if isinstance(item, ShortAnswer) else item.correction
        kind = say(f"types.{asked.kind}", language)
        doubt = say(f"doubt.{asked.doubt}", language) if asked.doubt else ""
        cells = (
            str(number),
            kind,
            asked_text(asked),
            solution(asked, language),
            correction,
            asked.evidence,
            doubt,
        )
        rows.append([_cell(cell) for cell in cells])
    file = io.StringIO(newline="")
    csv.writer(file).writerows(rows)
    return file.getvalue()


def document(frame: QuestionFrame, model: str, language: str, key: bool) -> bytes:
    """A Word file: the text, the items with room for answers, and with `key` the solutions on a page of their own."""
    from docx import Document

    file = Document()
    title = say("questions.heading", language)
    file.core_properties.title = title
    file.core_properties.author = "Orador"
    file.add_heading(title, level=1)
    for line in filter(None, map(str.strip, _xml(frame.text).split("\n"))):
        file.add_paragraph(line)
    file.add_heading(say("questions.tasks", language), level=2)
    for number, asked in enumerate(frame.items, 1):
        paragraph = file.add_paragraph(f"{number}. {_xml(asked_text(asked))}")
        paragraph.paragraph_format.keep_with_next = True
        file.add_paragraph(_room(asked, language))
    if key:
        file.add_page_break()
        _add_key(file, frame.items, language)
    file.add_paragraph().add_run(say("file.origin", language, model=model, seed=frame.seed)).italic = True
    data = io.BytesIO()
    file.save(data)
    return data.getvalue()


def asked_text(asked: Asked) -> str:
    """The question or the statement."""
    return asked.item.question if isinstance(asked.item, ShortAnswer) else asked.item.text


def solution(asked: Asked, language: str) -> str:
    """The answer, or "true" or "false" in words."""
    if isinstance(asked.item, ShortAnswer):
        return asked.item.answer
    return say("questions.true" if asked.item.true else "questions.false", language)


def _room(asked: Asked, language: str) -> str:
    if isinstance(asked.item, ShortAnswer):
        return "_" * 60
    return f"☐ {say('questions.true', language)}    ☐ {say('questions.false', language)}"


def _add_key(file: Any, items: Sequence[Asked], language: str) -> None:
    file.add_heading(say("questions.key", language), level=2)
    for number, asked in enumerate(items, 1):
        correction = "" if isinstance(asked.item, ShortAnswer) else asked.item.correction
        words = ": ".join(filter(None, [solution(asked, language), correction]))
        paragraph = file.add_paragraph(f"{number}. ")
        paragraph.add_run(_xml(words)).bold = True
        if asked.doubt:
            paragraph.add_run(f" ({say(f'doubt.{asked.doubt}', language)})")
        if asked.evidence:
            file.add_paragraph(f"«{_xml(asked.evidence)}»").paragraph_format.left_indent = 360000


def _gift(text: str) -> str:
    return _GIFT.sub(lambda match: f"\\{match[0]}", " ".join(text.split()))


def _cell(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text


def _xml(text: str) -> str:
    return NOT_XML.sub("", text)
