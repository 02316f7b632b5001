"""The questions generator: real tiny model, and a scripted engine where what is written matters.

pytest tests/test_question_serving.py
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest

from space.engine import Request, Step
from space.errors import BundleInvalid, EmptyField, NotNumber, TextDoesNotFit, TooLong, UnknownChoice
from space.prompts import (
    Message,
)
from space.question_compare import compare
from space.question_exports import solution
from space.question_frames import Ask, QuestionFrame
from space.question_list import ShortAnswer, Statement, can_be_asked
from space.question_view import note_texts, sheet, shown, status
from space.questions import ROUNDS, WARMER, WARMEST, questions
from space.settings import Settings
from space.studio import Studio
from tests.question_bundle import PROMPTS, TEXT, with_questions

SETTINGS = Settings(threads=1)


@pytest.fixture(scope="module")
def studio(space_bundle: Path) -> Studio:
    return Studio(with_questions(space_bundle), SETTINGS)


class ScriptedEngine:
    """Writes the given answers one after the other, a character a step, and keeps the requests; `context` in words."""

    def __init__(self, answers: Sequence[str], context: int = 4096) -> None:
        self.answers = list(answers)
        self.context = context
        self.requests: list[Request] = []
        self.pause = 0.0

    def count(self, messages: Sequence[Message], opening: str = "") -> int:
        return sum(len(message["content"].split()) for message in messages) + len(opening.split())

    def stream(self, request: Request) -> Generator[Step, None, None]:
        self.requests.append(request)
        answer = self.answers.pop(0)
        for n, letter in enumerate(answer, 1):
            time.sleep(self.pause)
            yield Step(letter, 10, 10, n)
        yield Step("", 10, 10, len(answer), "model")


def run(folder: Path, answers: Sequence[str], ask: Ask) -> tuple[list[QuestionFrame], ScriptedEngine]:
    engine = ScriptedEngine(answers)
    frames = list(questions(Studio(with_questions(folder, index=None), SETTINGS, engine), ask))
    return frames, engine


WHO = "¿Quién trajo el horno desde Rosario?\nRespuesta: Su hermano Blas"
WHEN = "¿Cuándo abrió Ramona la panadería?\nRespuesta: 1931"
LONG = "¿Cuántas noches limpiaron los vecinos?\nRespuesta: tres noches"
AGAIN = "¿Quién trajo desde Rosario el horno?\nRespuesta: Blas"
FOREIGN = "¿Cuándo llegó Napoleón a Waterloo?\nRespuesta: 1940"


def numbered(*items: str, first: int = 1) -> str:
    return "\n".join(f"{n}. {item}" for n, item in enumerate(items, first))


def test_a_real_model_gives_exactly_what_was_asked_for(studio: Studio) -> None:
    number = 3
    last = list(questions(studio, Ask(TEXT, number, "both", seed=5)))[-1]
    missing = sum(n.values["of"] - n.values["n"] for n in last.notes if n.key == "questions_missing")
    assert len(last.items) == number - missing
    assert last.phase == "done"
    assert last.rounds <= ROUNDS * 2
    again = list(questions(studio, Ask(TEXT, number, "both", seed=5)))[-1]
    assert again.items == last.items


def test_true_and_false_are_in_balance(studio: Studio) -> None:
    last = list(questions(studio, Ask(TEXT, 4, "truefalse", seed=2)))[-1]
    true = sum(isinstance(asked.item, Statement) and asked.item.true for asked in last.items)
    assert true <= 2
    assert len(last.items) - true <= 2


def test_an_item_appears_when_it_is_complete(space_bundle: Path) -> None:
    engine = ScriptedEngine([numbered(WHO, WHEN)])
    engine.pause = 0.004
    studio = Studio(with_questions(space_bundle), SETTINGS, engine)
    frames = list(questions(studio, Ask(TEXT, 2, seed=1)))
    counts = [len(frame.items) for frame in frames]
    assert counts == sorted(counts)
    assert {0, 1, 2} == set(counts)
    assert any(frame.partial.startswith("¿Cuándo") and len(frame.items) == 1 for frame in frames)
    last = frames[-1]
    assert [asked.item for asked in last.items] == [
        ShortAnswer("¿Quién trajo el horno desde Rosario?", "Su hermano Blas"),
        ShortAnswer("¿Cuándo abrió Ramona la panadería?", "1931"),
    ]
    assert last.items[0].evidence == "Su hermano Blas trajo el horno desde Rosario en un carro."
    assert (last.rounds, last.dropped, last.notes) == (0, {}, ())
    assert len(engine.requests) == 1
    assert engine.requests[0].adapter == "charlas"


def test_what_does_not_pass_is_asked_for_again_after_what_was_kept(space_bundle: Path) -> None:
    answers = [numbered(WHO, AGAIN, FOREIGN), numbered(WHEN, FOREIGN, first=2), numbered(LONG, first=3)]
    frames, engine = run(space_bundle, answers, Ask(TEXT, 3, seed=7))
    last = frames[-1]
    assert [asked.item.question for asked in last.items if isinstance(asked.item, ShortAnswer)] == [
        item.split("\n")[0] for item in (WHO, WHEN, LONG)
    ]
    assert last.rounds == 2
    assert last.dropped == {"duplicate": 1, "foreign": 2}
    assert [request.opening for request in engine.requests] == ["", numbered(WHO), numbered(WHO, WHEN)]
    assert [request.sampling.seed for request in engine.requests] == [7, 8, 9]
    first, *warmer = [request.sampling.temperature for request in engine.requests]
    assert warmer == [first + WARMER, min(first + 2 * WARMER, WARMEST)]
    assert len({str(request.messages) for request in engine.requests}) == 1
    assert "1 que repetían otra, 2 sobre algo que el texto no dice" in " ".join(note_texts(last, "es"))


def test_free_places_are_filled_with_marked_items_but_never_with_the_same_again(space_bundle: Path) -> None:
    answers = [
        numbered(WHO, FOREIGN, AGAIN),
        *[numbered(AGAIN, AGAIN, first=2)] * ROUNDS,
    ]
    frames, engine = run(space_bundle, answers, Ask(TEXT, 3, seed=7))
    last = frames[-1]
    assert last.rounds == ROUNDS
    assert engine.requests[-1].sampling.temperature == WARMEST
    assert [asked.doubt for asked in last.items] == ["", "foreign"]
    assert [note.key for note in last.notes] == ["questions_doubtful", "questions_missing"]
    assert last.dropped == {"duplicate": 1 + 2 * ROUNDS}


SAID = (
    "Blas trajo el horno desde Rosario en un carro.\nVerdadero",
    "El primer invierno vendían noventa kilos de pan por día.\nFalso: no es «noventa», sino «cuarenta»",
)


def test_both_kinds_are_two_calls_that_share_the_text(space_bundle: Path) -> None:
    frames, engine = run(
        space_bundle, [numbered(WHO, WHEN), numbered(*SAID)], Ask(TEXT, 4, "both", "B1", seed=3)
    )
    assert [asked.kind for asked in frames[-1].items] == ["short", "short", "truefalse", "truefalse"]
    assert [asked.doubt for asked in frames[-1].items] == [""] * 4
    one, other = (request.messages[0]["content"] for request in engine.requests)
    assert one[: len(TEXT)] == other[: len(TEXT)]
    assert "2 preguntas de respuesta corta de nivel B1" in one
    assert "2 afirmaciones verdaderas o falsas de nivel B1" in other


def test_a_false_statement_gets_the_correction_that_fits_or_is_not_shown(space_bundle: Path) -> None:
    other = "Una crecida del arroyo tapó el pozo de barro en 1940.\nFalso: no es «sin», sino «con»"
    asked = run(space_bundle, [numbered(SAID[0], other)], Ask(TEXT, 2, "truefalse"))[0][-1].items
    assert [one.doubt for one in asked] == ["", ""]
    assert isinstance(asked[1].item, Statement)
    assert asked[1].item.correction == "no es «pozo», sino «horno»"
    true = "Los vecinos lo limpiaron en tres noches.\nFalso: no es «sin», sino «con»"
    answers = [numbered(SAID[0], true), *[numbered(true, first=2)] * ROUNDS]
    last = run(space_bundle, answers, Ask(TEXT, 2, "truefalse"))[0][-1]
    assert len(last.items) == 1
    assert last.dropped == {"uncheckable": 1 + ROUNDS}
    assert [note.key for note in last.notes] == ["questions_missing"]


@pytest.mark.parametrize("technique", PROMPTS)
def test_only_the_trained_prompt_uses_the_adapter(space_bundle: Path, technique: str) -> None:
    _, engine = run(space_bundle, [numbered(WHO)], Ask(TEXT, 1, technique=technique))
    assert engine.requests[0].adapter == ("charlas" if technique == "questions" else None)
    assert len(engine.requests[0].messages) == len(PROMPTS[technique].messages)


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        (Ask(""), EmptyField),
        (Ask(" ¿? "), EmptyField),
        (Ask("x" * 20_001), TooLong),
        (Ask(TEXT, 0), NotNumber),
        (Ask(TEXT, 11), NotNumber),
        (Ask(TEXT, 2.5), NotNumber),
        (Ask(TEXT, 1, "both"), NotNumber),
        (Ask(TEXT, types="essay"), UnknownChoice),
        (Ask(TEXT, types=["short"]), UnknownChoice),
        (Ask(TEXT, technique="rag"), UnknownChoice),
        (Ask(TEXT, generator="charlas"), UnknownChoice),
    ],
)
def test_what_cannot_be_asked_is_an_error(studio: Studio, ask: Ask, error: type[Exception]) -> None:
    with pytest.raises(error):
        next(questions(studio, ask))


def test_a_text_over_the_context_is_an_error_that_says_the_limit(space_bundle: Path) -> None:
    engine = ScriptedEngine([], context=700)
    studio = Studio(with_questions(space_bundle), SETTINGS, engine)
    with pytest.raises(TextDoesNotFit, match="700") as caught:
        list(questions(studio, Ask("palabra y nada más. " * 200, 5)))
    shorter = "palabra y nada más. " * 200
    shorter = shorter[: caught.value.details["characters"]]
    engine.answers = [numbered(WHO)] * (1 + ROUNDS)
    assert list(questions(studio, Ask(shorter, 5)))
    assert engine.requests


def test_examples_of_a_bundle_can_be_asked(space_bundle: Path) -> None:
    example = {"text": TEXT, "number": "4", "types": "both"}
    assert can_be_asked(example)
    assert can_be_asked({"text": "x"})
    for change in ({"text": " "}, {"number": "x"}, {"number": "11"}, {"types": "all"}, {"number": "1"}):
        assert not can_be_asked({**example, **change})
    bundle = with_questions(space_bundle, examples=[{"topics": "el mar"}])
    with pytest.raises(BundleInvalid, match="examples need a text"):
        bundle.write()


def test_what_is_shown_is_escaped_and_says_where_it_is_from(space_bundle: Path) -> None:
    attack = TEXT.replace("Ombú", "<b>{{Ombú}}</b>")
    item = "¿En qué calle abrió Ramona la panadería?\nRespuesta: <b>{{Ombú}}</b>"
    frame = run(space_bundle, [numbered(item)], Ask(attack, 1))[0][-1]
    shown = sheet(frame, "es")
    assert "<b>{{" not in shown
    assert "<mark>&lt;b&gt;" in shown
    assert solution(frame.items[0], "es") == "<b>{{Ombú}}</b>"
    assert "1 de 1 preguntas" in status(frame, "es")
    assert "1 of 1 questions" in status(frame, "en")


def test_techniques_are_compared_on_one_seed(space_bundle: Path) -> None:
    engine = ScriptedEngine([numbered(WHO)] * len(PROMPTS))
    studio = Studio(with_questions(space_bundle, index=None), SETTINGS, engine)
    steps = list(compare(studio, Ask(TEXT, 1)))
    assert [frame.technique for frame in steps[-1]] == list(PROMPTS)
    assert len({frame.seed for frame in steps[-1]}) == 1
    assert all(frame.phase == "done" for frames in steps for frame in frames[:-1])
    assert [request.adapter for request in engine.requests] == ["charlas", None, None, None]
    state, together = shown(steps[-1], "es")
    for name in ("Afinado", "Solo instrucciones", "Con ejemplos", "Mensaje de sistema"):
        assert f"<h3>{name}</h3>" in together
    assert together.count("¿Quién trajo el horno") == 4
    assert "Terminado" in state
    assert shown(steps[-1][:1], "es")[1] == sheet(steps[-1][0], "es")
