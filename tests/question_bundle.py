"""The tests' bundle with a generator of questions added: the tiny model, its adapter, an index with a static embedder."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from space.bundle import Bundle, Generator
from space.prompts import QUESTIONS, QUESTIONS_FEW_SHOT, QUESTIONS_SYSTEM, QUESTIONS_ZERO_SHOT

TEXT = (
    "Ramona Salas abrió la panadería de la calle Ombú en 1931. Su hermano Blas trajo el horno desde Rosario en un carro.\n"
    "El primer invierno vendían cuarenta kilos de pan por día. Una crecida del arroyo tapó el horno de barro en 1940.\n"
    "Los vecinos lo limpiaron en tres noches. Ramona nunca cobró el pan de aquella semana."
)
PROMPTS = {
    "questions": QUESTIONS,
    "questions_zero_shot": QUESTIONS_ZERO_SHOT,
    "questions_few_shot": QUESTIONS_FEW_SHOT,
    "questions_system": QUESTIONS_SYSTEM,
}


def with_questions(folder: Path, **changes: Any) -> Bundle:
    """The bundle in `folder` with the generator `preguntas`, changed by `changes`, beside the others; nothing is written."""
    bundle = Bundle.load(folder, verify=False)
    asking = Generator(
        "preguntas",
        "questions",
        {"es": "Preguntas", "en": "Questions"},
        PROMPTS,
        adapter="charlas",
        index="charlas",
        examples=[{"title": "La panadería", "text": TEXT, "number": "4", "types": "both"}, {"text": TEXT}],
    )
    return replace(bundle, generators=[*bundle.generators, replace(asking, **changes)])


def make_question_bundle(space_bundle: Path, folder: Path) -> Bundle:
    """Copies the bundle `space_bundle` to `folder` and gives it the generator of questions."""
    shutil.copytree(space_bundle, folder)
    bundle = with_questions(folder)
    bundle.write()
    return bundle
