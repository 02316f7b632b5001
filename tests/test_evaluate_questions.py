"""Techniques compared: on lists whose figures are certain, and by the command on a real small bundle.

pytest tests/test_evaluate_questions.py
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from space.question_checks import Source
from space.question_list import ShortAnswer, Statement
from tests.question_bundle import PROMPTS, TEXT, make_question_bundle
from train.__main__ import main
from train.card_figures import lists_table
from train.evaluate_questions import Written, summarize

GOOD = ShortAnswer("¿Quién trajo el horno desde Rosario?", "Su hermano Blas")
AGAIN = ShortAnswer("¿Quién trajo desde Rosario el horno?", "Blas")
FOREIGN = ShortAnswer("¿Cuándo llegó Napoleón a Waterloo?", "1940")
ENGLISH = ShortAnswer("¿What was the name of the street where she lived?", "Ombú")
TRUE = Statement("Los vecinos lo limpiaron en tres noches.", True)
FALSE = Statement(
    "Una crecida del arroyo tapó el horno de barro en 1950.", False, "no es «1950», sino «1940»"
)


def test_the_figures_of_known_lists() -> None:
    source = Source(TEXT)
    asked = {"short": 2, "truefalse": 2}
    lists = [
        Written([GOOD, ENGLISH, TRUE, FALSE], 0, asked, 1, 100, 2.0),
        Written([GOOD, AGAIN, FOREIGN, TRUE], 0, asked, 3, 100, 2.0),
        Written([GOOD, GOOD, TRUE, FALSE], 1, asked, 0, 0, 0.0),
    ]
    figures = summarize([(source, written) for written in lists])
    assert (figures["lists"], figures["valid"], figures["asked"], figures["items"]) == (3, 1, 12, 12)
    assert (figures["short"], figures["true"], figures["false"]) == (7, 3, 2)
    assert figures["duplicates"] == 2
    assert figures["doubts"]["foreign"] >= 1
    assert figures["borne_out"] == 12 - sum(figures["doubts"].values()) == 8
    assert (figures["spanish_of"], figures["spanish"]) == (12, 11)
    assert figures["tokens_per_second"] == 50.0
    assert figures["rounds"] == pytest.approx(1.33)


def test_nothing_written_has_no_shares() -> None:
    figures = summarize([(Source(TEXT), Written([], 3, {"short": 2}, 0, 10, 1.0))])
    assert (figures["valid"], figures["items"], figures["spanish_of"]) == (0, 0, 0)
    assert "| none |" in lists_table({"techniques": {"questions": {"free": figures}}})


@pytest.fixture(scope="module")
def bundle(space_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_question_bundle(space_bundle, tmp_path_factory.mktemp("evaluated") / "bundle")
    replace(made, context=1024).write()
    return made.folder


def squad(folder: Path, *contexts: str) -> Path:
    path = folder / "set.json"
    paragraphs = [{"context": text, "qas": [{"question": "¿Qué?"}]} for text in contexts]
    path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}), "utf-8")
    return path


def test_the_command_compares_every_technique_on_the_same_texts(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = squad(tmp_path, TEXT, "corto", f"{TEXT} {'xqz ' * 4000}")
    out = tmp_path / "out.json"
    command = ["evaluate-questions", str(bundle), str(data), "--number", "2", "--out", str(out)]
    assert main(command) == 0
    report = json.loads(out.read_text("utf-8"))
    assert report["texts"] == 1  # one is too short, one too long
    assert list(report["techniques"]) == list(PROMPTS)
    for ways in report["techniques"].values():
        assert ways["served"]["asked"] == ways["free"]["asked"] == 2
        assert ways["served"]["items"] >= ways["free"]["valid"] * 2
        assert ways["served"]["tokens_per_second"] > 0
    shown = capsys.readouterr().out
    assert shown.count("| served |") == 4
    assert main([*command[:2], str(squad(tmp_path, "corto")), *command[3:]]) == 2
    assert main([*command, "--texts", "0"]) == 2
    assert main([*command, "--generator", "charlas"]) == 2
