"""Evaluation on the GGUF that is served: the same loss as transformers', intervals, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import tiny
from train.__main__ import main
from train.evaluate import Document, answers, measure, summarize
from train.scoring import BATCH, Scorer
from train.tokenizer import CHAT_TEMPLATE

ADAPTER = "charlas"


def conversation(words: int) -> list[dict[str, str]]:
    text = " ".join(" ".join(tiny.talk_paragraphs()).split()[:words])
    return [{"role": "user", "content": "Habla del mar."}, {"role": "assistant", "content": text}]


@pytest.fixture(scope="module")
def scorer(tiny_gguf: Path, tiny_lora_gguf: Path) -> Scorer:
    return Scorer(tiny_gguf, {ADAPTER: tiny_lora_gguf}, CHAT_TEMPLATE, 2048, 1)


@pytest.mark.parametrize("words", [3, 500])
def test_an_answer_has_the_loss_that_transformers_gives(words: int, tiny_model: Path, scorer: Scorer) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from train.base_model import resolve
    from train.chat_examples import Example, encode, end_tokens
    from train.measure import completion_loss

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    ends = end_tokens(tokenizer, resolve(str(tiny_model)))
    row = {"messages": conversation(words), "title": "t"}
    [whole] = encode([row], tokenizer, ends, 2048).examples
    example = Example(
        whole.ids[:-1], whole.labels[:-1], ""
    )  # Phi-3's template closes a conversation after <|end|>
    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    *prompt, answer = conversation(words)
    nats, tokens = scorer.answer(prompt, answer["content"])
    assert (tokens > BATCH) == (words == 500)
    assert tokens == example.trained
    assert nats / tokens == pytest.approx(completion_loss(model, [example]), abs=0.002)


def test_every_turn_of_a_persona_has_the_loss_that_transformers_gives(
    tiny_model: Path, scorer: Scorer
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from train.base_model import resolve
    from train.chat_examples import Example, encode, end_tokens
    from train.measure import completion_loss

    texts = tiny.talk_paragraphs()[0].split()
    turns = [
        {"role": role, "content": " ".join(texts[n * 20 : n * 20 + 20])}
        for n, role in enumerate(["user", "assistant"] * 3)
    ]
    row = {"messages": turns, "answers": 3, "document": "d"}
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    [whole] = encode([row], tokenizer, end_tokens(tokenizer, resolve(str(tiny_model))), 2048).examples
    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    found = {adapter: measure(scorer, {"d": [row]}, adapter) for adapter in (None, ADAPTER)}
    [base], [tuned] = found.values()
    example = Example(whole.ids[:-1], whole.labels[:-1], "")
    assert base.tokens == example.trained
    assert base.characters == sum(len(turn["content"]) for turn in turns[1::2])
    assert base.nats / base.tokens == pytest.approx(completion_loss(model, [example]), abs=0.002)
    fresh = sum(scorer.answer(*pair)[0] for pair in reversed(list(answers([row]))))
    assert base.nats == pytest.approx(fresh, abs=0.02)
    assert abs(tuned.nats - base.nats) > 0.1


def test_the_adapter_matters_only_while_it_is_asked_for(scorer: Scorer) -> None:
    *prompt, answer = conversation(60)
    plain, tuned, again = (scorer.answer(prompt, answer["content"], a)[0] for a in (None, ADAPTER, None))
    assert plain == again
    assert abs(plain - tuned) > 0.1


def test_intervals_are_over_documents_and_differences_are_paired() -> None:
    base = [Document(float(n), 10, 40) for n in range(20, 40)]
    better = [Document(d.nats - 1, 10, 40) for d in base]
    figures = summarize({None: base, "a": better})["conditions"]
    low, high = figures["base"]["nats_interval"]
    assert figures["base"]["nats_per_token"] == pytest.approx(2.95)
    assert low < 2.95 < high
    assert figures["a"]["against_base_interval"] == pytest.approx([-0.1, -0.1])
    assert high - low > 0.3


def test_the_command_writes_a_report(
    tiny_gguf: Path, tiny_lora_gguf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"messages": conversation(20 + n), "document": f"{n}.md"} for n in range(4)]
    (tmp_path / "test.jsonl").write_text("\n".join(map(json.dumps, rows)))
    command = ["evaluate", "--base", str(tiny_gguf), "--adapter", f"{ADAPTER}={tiny_lora_gguf}"]
    command += ["--out", str(tmp_path / "out.json"), "--data"]
    assert main([*command, f"talks={tmp_path / 'test.jsonl'}"]) == 0
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["sets"]["talks"]["documents"] == 4
    assert set(report["sets"]["talks"]["conditions"]) == {"base", ADAPTER}
    assert f"| talks | 4 | {ADAPTER} |" in capsys.readouterr().out
    (tmp_path / "empty.jsonl").write_text("")
    assert main([*command, f"talks={tmp_path / 'empty.jsonl'}"]) == 2
    assert "holds no conversation" in capsys.readouterr().err
    assert main([*command, "talks"]) == 2
    assert "NAME=FILE" in capsys.readouterr().err
    assert main([*command, f"talks={tmp_path / 'test.jsonl'}", "--context", "32"]) == 2
    assert "larger --context" in capsys.readouterr().err
