"""Copying drills: every word of an answer stands in its prompt, in the same order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tiny import TALKS
from train.__main__ import main


def test_answers_stand_in_their_prompts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", "speech", str(TALKS), "--out", str(tmp_path / "talks")]) == 0
    assert main(["drills", str(tmp_path / "talks"), "--count", "30"]) == 0
    lines = (tmp_path / "talks" / "drills.jsonl").read_text("utf-8").splitlines()
    chats = [json.loads(line)["messages"] for line in lines]
    assert len(chats) == 60
    for repeat, grounded in zip(chats[::2], chats[1::2], strict=True):
        assert repeat[0]["content"] == f"Repite: {repeat[1]['content']}"
        prompt, answer = grounded[0]["content"], grounded[1]["content"]
        passages = answer.split("\n\n")
        assert len(passages) == 2
        assert all(f"] {passage}\n" in prompt for passage in passages)
        topics = prompt.split("Tema: ")[1].split("\n")[0].lower()
        assert all(
            any(word in passage.lower().split() for word in topics.split())
            for passage in (p.rstrip(".") for p in passages)
        )
    first = (tmp_path / "talks" / "drills.jsonl").read_bytes()
    assert main(["drills", str(tmp_path / "talks"), "--count", "30"]) == 0
    assert (tmp_path / "talks" / "drills.jsonl").read_bytes() == first
    assert main(["drills", str(tmp_path)]) == 2
    assert "documents.jsonl" in capsys.readouterr().err
