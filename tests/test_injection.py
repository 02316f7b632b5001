"""Instructions in passages and in messages are data: no mark in them becomes a special token, and a text comes all the same.

    pytest tests/test_injection.py

How often a model obeys: `python -m tests.bench.bench_injection`.
"""

from __future__ import annotations

import pytest

from space.bundle import Bundle
from space.settings import EMBEDDED, Settings
from space.studio import Studio
from tests.bench.bench_injection import INSTRUCTIONS, MARKER, grounded, row


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio(Bundle.load(EMBEDDED), Settings(threads=1))


@pytest.mark.parametrize("instruction", INSTRUCTIONS.values(), ids=INSTRUCTIONS)
def test_an_instruction_stays_data(instruction: str, studio: Studio) -> None:
    prompt = grounded(studio, studio.grounded[0], instruction)
    assert len(prompt) == len(grounded(studio, studio.grounded[0], ""))
    assert MARKER in prompt[-1]["content"]
    _, _, special_tokens = row(studio, instruction, [1])
    assert special_tokens == 0
