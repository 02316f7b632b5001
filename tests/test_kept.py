"""The engine of a large model: passages and beginnings that were read before are read no more, whoever comes meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice, pairwise
from pathlib import Path
from typing import ClassVar

import pytest

from space.bundle import Bundle
from space.engine import Request
from space.frames import Found, Grounded
from space.generators import prepare_examples
from space.jobs import Job
from space.local_engine import LocalEngine
from space.native import Sampling
from space.prompts import RAG, Message
from space.rag_prompt import RagPrompt
from space.settings import Settings
from space.studio import Studio
from tests.large import (
    CONTEXT,
    PASSAGES,
    Counting,
    CountingEngine,
    idle,
    large,
    plain,
    rag,
    steps_of,
    text_of,
)

Make = Callable[..., LocalEngine]


@pytest.fixture
def make(tiny_gguf: Path, tiny_lora_gguf: Path, tmp_path: Path) -> Iterator[Make]:
    """Engines that share a folder of states; they are closed in the end."""
    made: list[LocalEngine] = []

    def engine(kept: bool = True, parallel: int = 2) -> LocalEngine:
        folder = tmp_path / "states" if kept else None
        made.append(large(tiny_gguf, folder, {"charlas": tiny_lora_gguf}, parallel))
        return made[-1]

    yield engine
    for one in made:
        one.close()


def read_by(engine: LocalEngine, asked: Request) -> int:
    """The tokens that are decoded before the first one of the text."""
    Counting.tokens.clear()
    steps_of(engine, Request(asked.messages, adapter=asked.adapter, passages=asked.passages, max_tokens=1))
    return sum(Counting.tokens)


def test_passages_are_read_once_in_whatever_order_and_for_whatever_topics(make: Make) -> None:
    engine, first = make(), rag()
    other = rag(PASSAGES[::-1], "los ríos y la paz")
    assert engine.hot(first) == [False] * 3
    steps = steps_of(engine, first)
    reads = [step.read for step in steps if not step.written]
    assert len(reads) > 3
    assert all(before <= after for before, after in pairwise(reads))
    assert {step.prompt for step in steps} == {engine.count(first.messages)}
    assert engine.hot(other) == [True] * 3
    assert read_by(engine, other) < engine.count(other.messages) / 2
    again = steps_of(engine, rag(PASSAGES[::-1], "el pan"))
    assert again[0].read > again[0].prompt / 2


def test_a_prompt_stays_in_its_slot_while_another_is_free(make: Make) -> None:
    engine = make(kept=False)
    first, other = (Request([{"role": "user", "content": text}]) for text in ("El mar. " * 20, "¿Y el pan?"))
    assert read_by(engine, first) == engine.count(first.messages) > 40
    assert read_by(engine, other) < 20
    assert read_by(engine, first) == 2


def test_a_short_beginning_is_copied_from_a_slot_in_use(make: Make) -> None:
    engine = make(kept=False)
    asked = [
        [{"role": "user", "content": f"Habla despacio y en voz baja de {what}"}]
        for what in ("el mar", "las minas")
    ]
    first, other = (engine.encode(messages) for messages in asked)
    common = next(n for n, (one, two) in enumerate(zip(first, other, strict=False)) if one != two)
    assert 8 <= common < 32
    with closing(engine.stream(Request(asked[0], max_tokens=500, min_words=10**6))) as steps:
        assert next(step.written for step in steps if step.written)
        Counting.tokens.clear()
        copied = text_of(engine, Request(asked[1], max_tokens=5, sampling=Sampling(temperature=0)))
        read = sum(size for size in Counting.tokens if size > 2)  # two at most are written
    assert read == len(other) - common
    assert copied == text_of(
        make(kept=False), Request(asked[1], max_tokens=5, sampling=Sampling(temperature=0))
    )


def test_of_new_passages_only_those_are_read(make: Make) -> None:
    engine = make()
    steps_of(engine, rag(PASSAGES[:2]))
    mixed = rag((PASSAGES[2], PASSAGES[0]))
    assert engine.hot(mixed) == [False, True]
    assert read_by(engine, mixed) < engine.count(mixed.messages)
    assert engine.hot(mixed) == [True, True]


def test_without_states_nothing_is_ever_hot_and_the_prompt_is_read_through(
    make: Make, tiny_gguf: Path
) -> None:
    engine, usual = make(kept=False), plain(tiny_gguf)
    assert text_of(engine, rag()) == text_of(usual, rag())
    assert engine.hot(rag()) == [False] * 3
    assert steps_of(engine, rag())[-1].end == "tokens"
    usual.close()


def test_a_text_is_the_same_with_passages_just_read_kept_or_from_disk(make: Make) -> None:
    asked = rag(sampling=Sampling(seed=5), max_tokens=60)
    engine = make()
    texts = [text_of(engine, asked), text_of(engine, asked)]
    engine.close()
    another = make()
    assert another.hot(asked) == [True] * 3
    texts.append(text_of(another, asked))
    assert len(set(texts)) == 1
    assert texts[0]


def test_a_single_passage_gives_the_text_of_plain_reading(make: Make, tiny_gguf: Path) -> None:
    asked = rag(PASSAGES[:1], sampling=Sampling(seed=5), max_tokens=80)
    usual = plain(tiny_gguf)
    expected = text_of(usual, asked)
    usual.close()
    engine = make()
    assert [text_of(engine, asked), text_of(engine, asked)] == [expected, expected]
    assert engine.hot(asked) == [True]


def test_an_adapter_has_states_of_its_own(make: Make) -> None:
    asked = rag(adapter="charlas")
    fresh = text_of(make(kept=False), rag(PASSAGES[:1], adapter="charlas"))
    engine = make()
    base = text_of(engine, rag())
    assert engine.hot(asked) == [False] * 3
    assert text_of(engine, asked) != base
    assert engine.hot(asked) == [True] * 3
    assert text_of(engine, rag()) == base
    assert text_of(engine, rag(PASSAGES[:1], adapter="charlas")) == fresh


def test_the_budget_and_the_context_hold_with_passages(make: Make) -> None:
    engine = make()
    for _ in range(2):
        last = steps_of(engine, rag(max_tokens=7))[-1]
        assert (last.written, last.end) == (7, "tokens")
        last = steps_of(engine, rag(max_tokens=10**6))[-1]
        assert (last.prompt + last.written, last.end) == (CONTEXT, "context")


@pytest.mark.parametrize("leaves", [1, 2, 3, 4])
def test_who_leaves_while_passages_are_read_leaves_nothing_behind(make: Make, leaves: int) -> None:
    engine = make(parallel=1)
    steps = engine.stream(rag())
    assert all(not step.written for step in islice(steps, leaves))
    steps.close()
    found = text_of(engine, rag())
    assert idle(engine)
    assert found == text_of(make(), rag())
    assert text_of(engine, rag()) == found


class Gate(Counting):
    """Each decoding waits until `open` is set."""

    open: ClassVar[threading.Event] = threading.Event()
    entered: ClassVar[threading.Event] = threading.Event()

    def _decode(self, count: int) -> None:
        Gate.entered.set()
        assert Gate.open.wait(20)
        super()._decode(count)


class GatedEngine(CountingEngine):
    """`placed` has, in the order in which they got a slot, whether requests were read only to be kept."""

    make_context = Gate
    placed: ClassVar[list[bool]] = []

    def _place(self, job: Job) -> None:
        GatedEngine.placed.append(job.plan.keep_only)
        super()._place(job)


@pytest.mark.parametrize("parallel", [1, 2])
def test_a_visitor_goes_before_what_is_prepared(
    make: Make, monkeypatch: pytest.MonkeyPatch, parallel: int
) -> None:
    Gate.open.set()
    monkeypatch.setattr("tests.large.CountingEngine", GatedEngine)
    engine = make(parallel=parallel)
    visit = Request([{"role": "user", "content": "Hola"}], max_tokens=5, sampling=Sampling(temperature=0))
    expected = text_of(engine, visit)
    assert idle(engine)
    GatedEngine.placed.clear()
    Gate.open.clear()
    Gate.entered.clear()
    engine.prepare(rag())
    assert Gate.entered.wait(10)  # it is being read
    with ThreadPoolExecutor(1) as pool:
        text = pool.submit(text_of, engine, visit)
        for _ in range(5000):
            if engine._waiting:
                break
            threading.Event().wait(0.001)
        Gate.open.set()
        assert text.result(20) == expected
    assert idle(engine)
    assert GatedEngine.placed == [True, False, True]
    assert engine.hot(rag()) == [True] * 3
    before = text_of(engine, rag())
    assert before == text_of(make(), rag())


def test_what_is_prepared_is_read_while_nobody_waits_and_only_once(make: Make) -> None:
    engine = make()
    engine.prepare(rag())
    assert idle(engine)
    assert engine.hot(rag()) == [True] * 3
    Counting.tokens.clear()
    engine.prepare(rag(PASSAGES[::-1], "otra cosa"))
    assert idle(engine)
    assert Counting.tokens == []
    assert read_by(engine, rag()) < engine.count(rag().messages) / 2


def test_what_cannot_be_kept_is_not_prepared(make: Make) -> None:
    engine, stateless = make(), make(kept=False)
    Counting.tokens.clear()
    engine.prepare(rag(("Breve.", "Muy breve.")))
    engine.prepare(
        rag([passage + f" {n}" for n in range(10) for passage in PASSAGES])
    )  # more than the context
    stateless.prepare(rag())
    assert idle(engine)
    assert idle(stateless)
    assert Counting.tokens == []


def example(words: str) -> list[Message]:
    return RAG.render(context=f"{words} uno", topics=words)


def test_the_beginning_that_requests_share_is_kept_for_the_next_start(make: Make, tmp_path: Path) -> None:
    first = make()
    first.learn(None, example("A"), example("B"))
    assert idle(first)
    first.learn(None, example("C"), example("D"))  # other placeholders, the same beginning
    assert idle(first)
    asked = Request(example("palabras de un visitante " * 20), max_tokens=20, sampling=Sampling(seed=2))
    expected = text_of(first, asked)
    first.close()
    (kept,) = (tmp_path / "states").iterdir()
    second = make()
    second.learn(None, example("E"), example("F"))
    steps = steps_of(second, asked)
    fresh = steps_of(make(kept=False), asked)
    assert steps[0].read >= fresh[0].read + 32
    assert "".join(step.text for step in steps) == "".join(step.text for step in fresh) == expected
    second.close()
    assert list((tmp_path / "states").iterdir()) == [kept]


def test_a_beginning_is_not_used_for_another_adapter_or_prompt(make: Make) -> None:
    engine, fresh = make(), make(kept=False)
    engine.learn("charlas", example("A"), example("B"))
    assert idle(engine)
    for adapter, content in [(None, "x"), ("charlas", "x")]:
        asked = Request(example(content * 50), adapter=adapter, max_tokens=20)
        assert text_of(engine, asked) == text_of(fresh, asked)
    other = Request([{"role": "user", "content": "Eres otra cosa " * 30}], adapter="charlas", max_tokens=20)
    assert text_of(engine, other) == text_of(fresh, other)


def test_a_beginning_that_is_short_is_not_kept(make: Make, tmp_path: Path) -> None:
    engine = make()
    engine.learn(None, [{"role": "user", "content": "A"}], [{"role": "user", "content": "B"}])
    engine.learn(
        None, example("A"), example("A")
    )  # nothing differs: nobody can tell where a visitor's words begin
    assert idle(engine)
    assert not (tmp_path / "states").exists()


def test_the_passages_of_the_examples_are_read_while_nobody_asks(
    space_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("space.calibrate.LARGE", 0)
    studio = Studio(Bundle.load(space_bundle), Settings(threads=1, cache=tmp_path))
    studio.grounded[0].examples[:] = [{"topics": "el mar"}, {"field": "historia"}]
    prepare_examples(studio)
    engine, generator = studio.engine(), studio.grounded[0]
    assert idle(engine)
    prompt = RagPrompt(
        engine, generator.prompts["rag"], {"topics": "otro", "field": ""}, "", generator.adapter
    )
    found = tuple(Found(hit, "") for hit in studio.search(generator, "el mar", Grounded.passages))
    hot = engine.hot(prompt.request(found))
    assert hot == [item.hit.score >= studio.threshold(generator) for item in found]
    assert any(hot)
    engine.close()
