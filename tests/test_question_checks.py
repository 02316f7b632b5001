"""What a text bears out and what it does not, on a text of our own; on XQuAD how often the checks are right.

pytest tests/test_question_checks.py
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from index.embed import load_runtime
from space.question_checks import REASONS, Source
from space.question_list import Item, ShortAnswer, Statement
from space.settings import EMBEDDED

TEXT = (
    "Ramona Salas abrió la panadería de la calle Ombú en 1931. Su hermano Blas trajo el horno desde Rosario en un carro.\n"
    "El primer invierno vendían cuarenta kilos de pan por día. Una crecida del arroyo tapó el horno de barro en 1940.\n"
    "Los vecinos lo limpiaron en tres noches. Ramona nunca cobró el pan de aquella semana."
)


@pytest.fixture(scope="module", params=["words", "embedder"])
def source(request: pytest.FixtureRequest) -> Source:
    folder = next((EMBEDDED / "indexes").glob("*/embedder"))
    return Source(TEXT, load_runtime(folder) if request.param == "embedder" else None)


@pytest.mark.parametrize(
    ("item", "reason", "evidence"),
    [
        (ShortAnswer("¿Quién trajo el horno?", "su hermano BLAS"), "", "Su hermano Blas"),
        (ShortAnswer("¿En qué calle abrió la panadería Ramona?", "calle Ombu"), "", "Ramona Salas abrió"),
        (ShortAnswer("¿Cuántas noches limpiaron los vecinos?", "tres"), "", "Los vecinos"),
        (ShortAnswer("¿Quién trajo el horno?", "Eusebio"), "no_answer", ""),
        (ShortAnswer("¿Quién trajo el horno?", "Bla"), "no_answer", ""),
        (ShortAnswer("¿Quién trajo el horno a Blas?", "Blas"), "gives_away", "Su hermano Blas"),
        (ShortAnswer("¿Qué nota dio el violinista?", "tres noches"), "foreign", "Los vecinos"),
        (ShortAnswer("¿Cuándo abrió Eusebio la panadería?", "1931"), "foreign", "Ramona Salas abrió"),
        (ShortAnswer("¿Cuándo trajo Blas el horno desde Rosario?", "1940"), "misplaced", "Una crecida"),
        (Statement("Blas trajo el horno desde Rosario.", True), "", "Su hermano Blas"),
        (Statement("Vendían noventa kilos de pan por día.", True), "unsupported", "El primer invierno"),
        (Statement("Ramona abrió la panadería en 1940.", True), "unsupported", "Ramona Salas abrió"),
        (Statement("Ramona cobró el pan de aquella semana.", True), "unsupported", "Ramona nunca"),
        (
            Statement("Vendían noventa kilos de pan por día.", False, "no es «noventa», sino «cuarenta»"),
            "",
            "El primer invierno",
        ),
        (
            Statement("Una crecida tapó el horno en 1931.", False, "no es «1931», sino «1940»"),
            "",
            "Una crecida",
        ),
        (
            Statement("Vendían cuarenta kilos de pan.", False, "no es «cuarenta», sino «noventa»"),
            "not_false",
            "El primer invierno",
        ),
        (
            Statement("Vendían noventa kilos de pan.", False, "no es «treinta», sino «cuarenta»"),
            "uncheckable",
            "El primer invierno",
        ),
        (Statement("Vendían noventa kilos de pan.", False), "uncheckable", "El primer invierno"),
        (
            Statement("Llovió noventa veces sobre la plaza.", False, "no es «noventa», sino «cuarenta»"),
            "unsupported",
            "",
        ),
    ],
)
def test_what_the_text_says(source: Source, item: Item, reason: str, evidence: str) -> None:
    verdict = source.judge(item)
    assert verdict.reason == reason
    assert verdict.reason in ("", *REASONS)
    assert verdict.evidence.startswith(evidence)
    assert verdict.evidence in TEXT


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("¿Quién trajo el horno?", "¿Quién trajo el horno?", True),
        ("¿Quién trajo el horno desde Rosario?", "¿Quien trajo, desde Rosario, el horno?", True),
        ("¿Quién trajo el horno desde Rosario?", "¿Cuándo tapó la crecida el horno?", False),
        ("¿Cuántos kilos de pan vendían?", "¿Quién trajo el horno desde Rosario?", False),
    ],
)
def test_two_that_ask_the_same(source: Source, one: str, other: str, same: bool) -> None:
    assert source.same(ShortAnswer(one, "a"), ShortAnswer(other, "b")) == same
    assert source.same(ShortAnswer(other, "a"), ShortAnswer(one, "b")) == same


def test_statements_that_differ_in_one_value_are_the_same(source: Source) -> None:
    one, other = (f"El primer invierno vendían {n} kilos de pan por día." for n in ("cuarenta", "noventa"))
    assert source.same(Statement(one, True), Statement(other, False, "no es «noventa», sino «cuarenta»"))


@pytest.mark.parametrize(
    ("said", "correction"),
    [
        ("El primer invierno vendían noventa kilos de pan por día.", "no es «noventa», sino «cuarenta»"),
        ("Una crecida del arroyo tapó el pozo de barro en 1940.", "no es «pozo», sino «horno»"),
        ("Una crecida del arroyo tapó el horno de barro en 1940.", ""),  # nothing is false
        ("Una crecida del mar tapó el pozo de barro en 1940.", ""),  # two places
        ("La vecina Salas abrió la panadería de la calle Ombú en 1931.", ""),  # another subject
        ("Ramona nunca cobró el pan.", ""),  # shorter, not other
        ("Los vecinos lo limpiaron en tres semanas largas.", ""),  # one word for two
        ("Eusebio se fue.", ""),
    ],
)
def test_a_false_statement_is_corrected_by_its_sentence(source: Source, said: str, correction: str) -> None:
    item = Statement(said, False, "no es «sin», sino «con»")
    corrected = source.corrected(item)
    assert corrected == (Statement(said, False, correction) if correction else item)
    assert bool(source.judge(corrected).reason) != bool(correction)
    assert source.corrected(Statement(said, True)) == Statement(said, True)


@pytest.mark.parametrize("text", ["", "¡!", "1", "Una sola frase sin punto"])
def test_any_text_can_be_judged(text: str) -> None:
    for item in (
        ShortAnswer("¿Qué?", "x"),
        Statement("Sí.", True),
        Statement("Sí.", False, "no es «Sí», sino «no»"),
    ):
        assert Source(text).judge(item).reason


@pytest.mark.real_data
def test_how_often_the_checks_are_right(shared_data: Path) -> None:
    """The questions with their own answer, with another question's of the paragraph, and questions of other texts."""
    rng = random.Random(0)
    paragraphs = [
        paragraph
        for article in json.loads((shared_data / "qa" / "xquad.es.json").read_text("utf-8"))["data"]
        for paragraph in article["paragraphs"]
    ]
    right, other, foreign = [], [], []
    for paragraph in paragraphs:
        source = Source(paragraph["context"])
        asked = [(qa["question"], qa["answers"][0]["text"]) for qa in paragraph["qas"]]
        for question, answer in asked:
            right.append(source.judge(ShortAnswer(question, answer)).reason == "")
            elsewhere = rng.choice(rng.choice(paragraphs)["qas"])["question"]
            foreign.append(source.judge(ShortAnswer(elsewhere, answer)).reason == "")
            wrong = [candidate for _, candidate in asked if candidate != answer]
            other += [source.judge(ShortAnswer(question, rng.choice(wrong))).reason == ""] if wrong else []
    shares = [sum(kept) / len(kept) for kept in (right, other, foreign)]
    print(len(right), shares)
    assert shares[0] > 0.75
    assert shares[1] < 0.4
    assert shares[2] < 0.04
