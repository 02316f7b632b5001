"""Conversations with retrieved passages, made from prepared speeches."""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

import pytest

from index.passages import count_words, sentences
from space.prompts import RAG
from tests.tiny import TALKS
from train import ground, prepare
from train.__main__ import main
from train.errors import NoRagTemplate


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("ground") / "talks"
    assert main(["prepare", "speech", str(TALKS), "--max-words", "200", "--out", str(out)]) == 0
    return out


def examples(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_the_answer_stays_and_the_prompt_becomes_the_rag_prompt(prepared: Path, tmp_path: Path) -> None:
    assert main(["ground", str(prepared), "--out", str(tmp_path / "g.jsonl"), "--limit", "40"]) == 0
    before = {e["messages"][-1]["content"]: e for e in examples(prepared / "train.jsonl")}
    grounded = examples(tmp_path / "g.jsonl")
    assert len(grounded) == 40
    for example in grounded:
        prompt, answer = example["messages"]
        source = before[answer["content"]]
        assert prompt["content"].startswith(RAG.messages[0][1].split("{")[0])
        assert f"Tema: {source['values']['topics']}\n" in prompt["content"]


def test_one_passage_quotes_the_answer_and_others_do_not(prepared: Path) -> None:
    grounder = ground.Grounder(examples(prepared / "train.jsonl"), RAG, words=60)
    example = examples(prepared / "train.jsonl")[3]
    answer = example["messages"][-1]["content"]
    prompt = grounder.ground(example, random.Random(0))["messages"][0]["content"]
    context = prompt.split("Contexto:\n")[1].split("\n\nTema:")[0]
    passages = context.split("\n\n")
    own = [s.strip() for paragraph in answer.split("\n\n") for s in sentences(paragraph)]
    quoting = [p for p in passages if any(s in p for s in own if count_words(s) > 5)]
    assert 2 <= len(passages) <= 4
    assert len(quoting) == 1
    assert all(count_words(p) <= 60 * 1.3 + 1 for p in passages)


def test_a_recipe_without_a_rag_prompt_is_named(prepared: Path, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    manifest = json.loads((prepared / prepare.MANIFEST).read_text())
    del manifest["templates"]["rag"]
    (folder / prepare.MANIFEST).write_text(json.dumps(manifest))
    args = argparse.Namespace(data=folder, out=tmp_path / "g.jsonl", words=60, limit=None, seed=0)
    with pytest.raises(NoRagTemplate, match="other"):
        ground.run(args)
