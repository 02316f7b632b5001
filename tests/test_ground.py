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
from train.chat_examples import GROUNDED, read_prepared
from train.errors import NoRagTemplate


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("ground") / "talks"
    assert main(["prepare", "speech", str(TALKS), "--max-words", "200", "--out", str(out)]) == 0
    return out


def examples(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def options(words: int = 60, share: float = 0.4, answer_words: int | None = None) -> argparse.Namespace:
    return argparse.Namespace(words=words, share=share, answer_words=answer_words)


def test_the_answer_stays_and_the_prompt_becomes_the_rag_prompt(prepared: Path) -> None:
    alone = read_prepared(prepared)
    assert main(["ground", str(prepared), "--limit", "40"]) == 0
    both = read_prepared(prepared)
    assert (alone.grounded, both.grounded, len(both.train)) == (0, 40, len(alone.train) + 40)
    assert alone.sha256 != both.sha256
    before = {e["messages"][-1]["content"]: e for e in examples(prepared / "train.jsonl")}
    grounded = examples(prepared / GROUNDED)
    for example in grounded:
        prompt, answer = example["messages"]
        source = before[answer["content"]]
        assert prompt["content"].startswith(RAG.messages[0][1].split("{")[0])
        assert f"Tema: {source['values']['topics']}\n" in prompt["content"]


def test_one_or_two_passages_quote_the_answer_and_others_do_not(prepared: Path) -> None:
    grounder = ground.Grounder(examples(prepared / "train.jsonl"), RAG, options())
    example = examples(prepared / "train.jsonl")[3]
    answer = example["messages"][-1]["content"]
    prompt = grounder.ground(example, random.Random(0))["messages"][0]["content"]
    context = prompt.split("Contexto:\n")[1].split("\n\nTema:")[0]
    passages = context.split("\n\n")
    own = [s.strip() for paragraph in answer.split("\n\n") for s in sentences(paragraph)]
    quoting = [p for p in passages if any(s in p for s in own if count_words(s) > 5)]
    assert 2 <= len(passages) <= 5
    assert len(quoting) == len(grounder._own(answer, random.Random(0))) in (1, 2)
    assert all(count_words(p) <= 60 * 1.3 + 1 for p in passages)


def test_an_excerpt_can_stand_in_the_context_nearly_whole(prepared: Path) -> None:
    rows = examples(prepared / "train.jsonl")
    grounder = ground.Grounder(rows, RAG, options(share=0.9, answer_words=80))
    for number, example in enumerate(rows[:20]):
        prompt, answer = grounder.ground(example, random.Random(number))["messages"]
        assert answer["content"] in example["messages"][-1]["content"]
        assert 0 < count_words(answer["content"]) <= 80 * 1.3
        parts = [s.strip() for p in answer["content"].split("\n\n") for s in sentences(p)]
        shown = [part for part in parts if " ".join(part.split()) in prompt["content"]]
        assert len(shown) >= 0.7 * len(parts)


def test_a_recipe_without_a_rag_prompt_is_named(prepared: Path, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    manifest = json.loads((prepared / prepare.MANIFEST).read_text())
    del manifest["templates"]["rag"]
    (folder / prepare.MANIFEST).write_text(json.dumps(manifest))
    args = argparse.Namespace(data=folder, limit=None, seed=0, **vars(options()))
    with pytest.raises(NoRagTemplate, match="other"):
        ground.run(args)
