"""Evaluation on the GGUF that is served: the same loss as transformers', intervals, paired differences."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tests import tiny
from train.held_out import Held, answers
from train.likelihood import Condition, Document, measure, summarize
from train.scoring import BATCH, Scorer
from train.tokenizer import CHAT_TEMPLATE

ADAPTER = "charlas"
BASE, TUNED = Condition("base"), Condition(ADAPTER, ADAPTER)


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
    held = [Held("d", "test", [row])]
    [base], [tuned] = (measure(scorer, held, condition) for condition in (BASE, TUNED))
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
    worse = [Document(d.nats + 0.5, 10, 40) for d in base]
    rag = Condition(f"{ADAPTER} + RAG", ADAPTER, rag=True)
    figures = summarize({BASE: base, TUNED: better, rag: worse})["conditions"]
    low, high = figures["base"]["nats_interval"]
    assert figures["base"]["nats_per_token"] == pytest.approx(2.95)
    assert low < 2.95 < high
    assert high - low > 0.3
    assert figures["base"]["perplexity_interval"] == pytest.approx([math.exp(low), math.exp(high)])
    assert figures["base"]["bits_per_character"] == pytest.approx(2.95 * 10 / 40 / math.log(2))
    assert "against_base" not in figures["base"]
    assert figures[ADAPTER]["against_base_interval"] == pytest.approx([-0.1, -0.1])
    assert figures[rag.name]["against_base"] == pytest.approx(0.05)
    assert figures[rag.name]["against_plain_interval"] == pytest.approx([0.15, 0.15])


def test_intervals_are_the_same_at_every_call() -> None:
    found = {BASE: [Document(float(n * n), 10 + n, 40) for n in range(7)]}
    assert summarize(found) == summarize(found)


def test_a_plain_text_is_read_whole_also_where_it_is_longer_than_the_context(tiny_gguf: Path) -> None:
    text = conversation(400)[1]["content"]
    wide, narrow = (Scorer(tiny_gguf, {}, CHAT_TEMPLATE, size, 1) for size in (2048, 256))
    (nats, tokens), (again, count) = (one.text(text) for one in (wide, narrow))
    assert tokens == count == len(wide.vocabulary.tokenize(text)) > 512
    assert again == pytest.approx(nats, rel=0.02)  # random weights make little of a context
    short = wide.vocabulary.tokenize("El mar.")
    first = wide.vocabulary.markers[wide.vocabulary.bos].id
    assert wide.text("El mar.") == (pytest.approx(wide.nats([first, *short])), len(short))
