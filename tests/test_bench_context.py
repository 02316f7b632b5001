"""The benchmark of what a model is given: the loss it measures is the scorer's, every way keeps its budget, questions are read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from index.search import Index
from space.prompts import RAG, format_context
from tests.bench.bench_context import KEPT, NONE, WHOLE, CountingScorer, Loss, Mode, holds, modes_of, nats
from tests.bench.context_examples import Asked, grounded_tasks, read_asked, whole_tasks
from tests.bench.context_ways import ORDERS, Retrieved, given
from train.held_out import Held
from train.scoring import BATCH
from train.tokenizer import CHAT_TEMPLATE


@pytest.fixture(scope="module")
def scorer(tiny_gguf: Path, tiny_lora_gguf: Path) -> Iterator[CountingScorer]:
    with closing(CountingScorer(tiny_gguf, {"charlas": tiny_lora_gguf}, CHAT_TEMPLATE, 2048, 1)) as one:
        yield one


@pytest.fixture(scope="module")
def index(space_bundle: Path) -> Index:
    return Index.load(space_bundle / "indexes" / "charlas")


@pytest.fixture(scope="module")
def talks(index: Index) -> list[Held]:
    """Two talks of the index as `prepare` would hold them out."""
    names = sorted({passage.document for passage in index.passages})[:2]
    found = []
    for name in names:
        text = "\n\n".join(p.text for p in index.passages if p.document == name)
        messages = [{"role": "user", "content": "Habla."}, {"role": "assistant", "content": text}]
        found.append(
            Held(name, "test", [{"document": name, "messages": messages, "values": {"topics": "mar, casa"}}])
        )
    return found


@pytest.mark.parametrize("adapter", [None, "charlas"])
@pytest.mark.parametrize("start", [1, 9, BATCH + 5])
def test_the_loss_is_that_of_the_scorer(scorer: CountingScorer, adapter: str | None, start: int) -> None:
    ids = [token % 200 + 5 for token in range(2 * BATCH + 40)]
    assert nats(scorer, ids, start, WHOLE, [], adapter) == pytest.approx(
        scorer.nats(ids, start, adapter), rel=1e-4
    )


@pytest.mark.parametrize("way", ["condensed", *ORDERS])
def test_every_way_keeps_its_budget(scorer: CountingScorer, index: Index, way: str) -> None:
    found = Retrieved(index.search("el mar, la casa", 5, threshold=-1e9), "el mar", index, scorer.count)
    whole = scorer.count(format_context(found.passages))
    texts = given(way, found, 50)
    assert whole * 0.3 < scorer.count(format_context(texts)) <= whole * 0.5
    sentences = [" ".join(text.split()) for text in found.passages]
    assert all(any(" ".join(t.split())[:20] in sentence for sentence in sentences) for t in texts)
    assert given(way, found, 50) == texts
    assert Mode(way, 50).texts(found) == texts
    assert (NONE.texts(found), WHOLE.texts(found)) == ([], found.passages)


def test_kept_passages_are_read_alone(scorer: CountingScorer, index: Index) -> None:
    """One is the same as reading on; of two the second does not see the first, so the numbers differ, but not by much."""
    hits = [" ".join(hit.passage.text.split()) for hit in index.search("el mar", 4, threshold=-1e9)]
    pairs = [f"{one} {other}" for one, other in zip(hits[::2], hits[1::2], strict=True)]
    found = []
    for texts in (pairs[:1], pairs):
        prompt = RAG.render(context=format_context(texts), topics="el mar")
        ids, start = scorer.tokens(prompt, "El mar es una casa sin puertas.")
        found.append([nats(scorer, ids, start, mode, texts, None) for mode in (WHOLE, KEPT)])
    assert found[0][1] == pytest.approx(found[0][0], rel=1e-5)
    assert found[1][1] != found[1][0]
    assert found[1][1] == pytest.approx(found[1][0], rel=0.2)


def test_held_out_texts_come_with_passages(index: Index, talks: list[Held]) -> None:
    whole = list(whole_tasks(talks, index))
    assert [example.document for example in whole] == [talk.id for talk in talks]
    assert all(len(example.hits) == 5 for example in whole)
    grounded = list(grounded_tasks(talks, index))
    assert len(grounded) == 8
    for example in grounded:
        assert example.text in next(talk.text for talk in talks if talk.id == example.document)
        own = [hit for hit in example.hits if hit.passage.text[:30] in example.text]
        assert own
        assert len(example.hits) > len(own) or len(example.hits) < 3


def test_losses_are_compared_by_document() -> None:
    loss = Loss()
    for document, worse in (("a", 2.0), ("b", 4.0)):
        for mode, more in ((NONE, 4.0), (WHOLE, 0.0), (Mode("first", 50), worse)):
            loss.add(mode, document, 10 + more, 2, 5 if mode == WHOLE else 3)
    rows = list(loss.table())
    assert rows[0].startswith("2 documents, 4 tokens")
    assert "| first, 50 % | 60% | 6.500 (6.000 to 7.000) | -0.500 | +1.500 (+1.000 to +2.000) |" in rows


def test_questions_are_read_and_answers_are_words_of_their_own(tmp_path: Path) -> None:
    asked = [
        {"question": "¿Cuántos?", "answers": [{"text": " 31 "}, {"text": "30"}]},
        {"question": "¿Y?", "answers": [], "is_impossible": True},
        {"question": "¿Nada?", "answers": [{"text": " "}]},
    ]
    data = {"data": [{"paragraphs": [{"context": "Eran 31.", "qas": asked}]}, {"paragraphs": []}]}
    (tmp_path / "qa.json").write_text(json.dumps(data), "utf-8")
    documents, found = read_asked(tmp_path / "qa.json")
    assert ([d.text for d in documents], found) == (["Eran 31."], [Asked("¿Cuántos?", "31", "1-0")])
    assert found[0].article == 1
    assert holds("Eran 31.", "31")
    assert holds("En Nueva York, ayer", "nueva york")
    assert not holds("Eran 310 o 1,31 %x31", "3")
    assert not holds("Eran 310.", "31")


def test_the_ways_can_be_chosen() -> None:
    assert modes_of("first") == [NONE, WHOLE, KEPT, *(Mode("first", share) for share in (75, 50, 35, 25))]
    assert len(modes_of(None)) == 3 + 4 * (1 + len(ORDERS))
