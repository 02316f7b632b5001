"""The files of a list of questions, read back: GIFT by a small parser of its rules, CSV and Word by their libraries.

pytest tests/test_question_exports.py
"""

from __future__ import annotations

import base64
import csv
import io
import re
from dataclasses import dataclass

import pytest
from docx import Document
from hypothesis import given
from hypothesis import strategies as st

from space.question_exports import KINDS, export, gift, table
from space.question_frames import Asked, QuestionFrame
from space.question_list import Item, ShortAnswer, Statement
from space.texts import say

ITEMS = (
    Asked(ShortAnswer("¿Qué dice {él} de 2:1 = ~#\\?", 'pan, "agua" y }sal{'), "Dijo: 2:1 = ~#\\ {pan}."),
    Asked(Statement("La ración era de 3 kg.", True), "La ración era de 3 kg.", "unsupported"),
    Asked(Statement("Ñandú: ave.", False, "no es «ave», sino «pez = {x}»"), ""),
)
FRAME = QuestionFrame("done", 7, 3, ITEMS, text="Primera línea.\nSegunda, con ñ.")


@dataclass
class Parsed:
    """A question as Moodle reads it."""

    title: str
    text: str
    answers: list[str]
    feedback: str
    comment: str


def unescaped(text: str) -> str:
    return re.sub(r"\\([\\~=#{}:])", r"\1", text)


def split_at(text: str, mark: str) -> list[str]:
    """`text` at each `mark` that no backslash escapes."""
    parts, current, n = [], "", 0
    while n < len(text):
        if text[n] == "\\" and n + 1 < len(text):
            current += text[n : n + 2]
            n += 2
        elif text.startswith(mark, n):
            parts.append(current)
            current = ""
            n += len(mark)
        else:
            current += text[n]
            n += 1
    return [*parts, current]


def read_gift(text: str) -> list[Parsed]:
    """The questions of a GIFT file: blocks between blank lines, `::title::[format]text {answers####comment}`."""
    found = []
    for block in re.split(r"\n\s*\n", text.strip()):
        line = "".join(part for part in block.split("\n") if not part.startswith("//"))
        _, title, rest = split_at(line, "::")
        head, body = split_at(rest, "{")
        body, after = split_at(body, "}")
        assert after == ""
        assert head.startswith("[plain]")
        solution, *comment = split_at(body, "####")
        answer, *feedback = split_at(solution, "#")
        answers = [unescaped(one) for one in split_at(answer, "=%100%")[1:]] or [answer]
        found.append(
            Parsed(
                unescaped(title),
                unescaped(head.removeprefix("[plain]").strip()),
                answers,
                unescaped("".join(feedback)),
                unescaped("".join(comment)),
            )
        )
    return found


def check_gift(items: tuple[Asked, ...]) -> None:
    parsed = read_gift(gift(items, "es"))
    assert len(parsed) == len(items)
    for one, asked in zip(parsed, items, strict=True):
        item = asked.item
        assert one.comment == asked.evidence
        if isinstance(item, ShortAnswer):
            assert (one.text, one.answers) == (item.question, [item.answer])
        else:
            assert (one.text, one.answers) == (item.text, ["TRUE" if item.true else "FALSE"])
            assert one.feedback == item.correction


def test_gift_is_read_back() -> None:
    check_gift(ITEMS)
    assert gift(ITEMS, "es").count("// Revísela") == 1
    assert "::Question 2::" in gift(ITEMS, "en")


LINES = st.text(st.sampled_from("añ ~=#{}:\\;%«»\"'-2.$/"), min_size=1, max_size=25).map(
    lambda text: " ".join(f"x{text}x".split())
)
ANY: st.SearchStrategy[Item] = st.one_of(
    st.builds(ShortAnswer, LINES, LINES),
    st.builds(Statement, LINES, st.just(True)),
    st.builds(Statement, LINES, st.just(False), LINES),
)


@given(st.lists(st.builds(Asked, ANY, LINES), min_size=1, max_size=3))
def test_any_marks_are_read_back_from_gift_and_csv(items: list[Asked]) -> None:
    check_gift(tuple(items))
    rows = list(csv.reader(io.StringIO(table(items, "es"), newline="")))[1:]
    for row, asked in zip(rows, items, strict=True):
        text = asked.item.question if isinstance(asked.item, ShortAnswer) else asked.item.text
        assert row[2] == text
        assert row[5] == asked.evidence


def test_a_spreadsheet_reads_no_formula() -> None:
    for start in ("=1+1", "+1", "-1", "@x", "\t=1"):
        items = [Asked(ShortAnswer(f"{start} ¿qué?", start), start)]
        row = list(csv.reader(io.StringIO(table(items, "es"), newline="")))[1]
        assert row[2] == f"'{start} ¿qué?"
        assert row[3] == row[5] == f"'{start}"


@pytest.mark.parametrize("language", ["es", "en"])
def test_csv_keeps_accents_and_quotes(language: str) -> None:
    made = export(FRAME, "csv", "m", language)
    data = base64.b64decode(made["data"])
    assert data.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    column = {
        name: say(f"questions.column.{name}", language)
        for name in ("question", "answer", "check", "correction")
    }
    assert [row[column["answer"]] for row in rows] == [
        'pan, "agua" y }sal{',
        say("questions.true", language),
        say("questions.false", language),
    ]
    assert rows[2][column["question"]] == "Ñandú: ave."
    assert rows[2][column["correction"]] == "no es «ave», sino «pez = {x}»"
    assert [bool(row[column["check"]]) for row in rows] == [False, True, False]


def lines_of(kind: str) -> list[str]:
    made = export(FRAME, kind, "orador-x", "es")
    return [p.text for p in Document(io.BytesIO(base64.b64decode(made["data"]))).paragraphs]


def test_word_has_the_text_and_the_questions_and_the_key_only_where_asked() -> None:
    plain, key = lines_of("docx"), lines_of("docx-key")
    for lines in (plain, key):
        assert {"Primera línea.", "Segunda, con ñ.", "2. La ración era de 3 kg."} <= set(lines)
        assert "Semilla 7" in lines[-1]
    assert "Soluciones" not in plain
    assert not any("agua" in line for line in plain)
    assert '1. pan, "agua" y }sal{' in key
    assert "3. Falso: no es «ave», sino «pez = {x}»" in key
    assert any(line.startswith("2. Verdadero (Revísela") for line in key)


def test_the_files_have_names_and_types() -> None:
    made = {kind: export(FRAME, kind, "m", "en") for kind in KINDS}
    assert [made[kind]["name"] for kind in KINDS] == [
        "questions.gift.txt",
        "questions.csv",
        "questions.docx",
        "questions-with-key.docx",
    ]


def test_what_word_cannot_hold_is_left_out() -> None:
    frame = QuestionFrame("done", 1, 1, (Asked(ShortAnswer("¿Qué\ufffe es?", "a\x0bb"), ""),), text="x\ufffe")
    assert "1. ¿Qué es?" in [
        p.text
        for p in Document(io.BytesIO(base64.b64decode(export(frame, "docx", "m", "es")["data"]))).paragraphs
    ]
