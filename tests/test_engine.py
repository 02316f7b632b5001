"""The engine on a real tiny model: determinism, cancelling, limits, adapters, several threads."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from space.engine import Request
from space.errors import ModelUnreadable, PromptTooLong
from space.local_engine import LocalEngine
from space.native import Sampling
from train.tokenizer import ADDED_TOKENS, CHAT_TEMPLATE

CONTEXT = 1024


def make(model: Path, **adapters: Path) -> LocalEngine:
    return LocalEngine(model, adapters, CHAT_TEMPLATE, context=CONTEXT, threads=1)


@pytest.fixture(scope="module")
def engine(tiny_gguf: Path, tiny_lora_gguf: Path) -> Iterator[LocalEngine]:
    local = make(tiny_gguf, charlas=tiny_lora_gguf)
    yield local
    local.close()


def request(content: str = "Habla del mar", seed: int = 1, **options: object) -> Request:
    options = {"max_tokens": 40, "sampling": Sampling(seed=seed), **options}
    return Request([{"role": "user", "content": content}], **options)  # type: ignore[arg-type]


def text_of(engine: LocalEngine, asked: Request) -> str:
    return "".join(step.text for step in engine.stream(asked))


def long_prompt(words: int) -> str:
    return " ".join(f"palabra{n % 7}" for n in range(words))


def test_equal_seeds_give_equal_texts_and_others_differ(engine: LocalEngine) -> None:
    assert text_of(engine, request(seed=3)) == text_of(engine, request(seed=3))
    assert len({text_of(engine, request(seed=seed)) for seed in range(4)}) == 4


def test_the_adapter_changes_the_text_and_is_taken_off_again(engine: LocalEngine, tiny_gguf: Path) -> None:
    with closing(make(tiny_gguf)) as plain:
        base = text_of(plain, request())
    tuned = text_of(engine, request(adapter="charlas"))
    assert text_of(engine, request()) == base
    assert text_of(engine, request(adapter="charlas")) == tuned != base


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(0, 260), st.sampled_from(["", "x", "y"]), st.sampled_from([None, "charlas"])),
        min_size=2,
        max_size=5,
    )
)
def test_a_text_does_not_depend_on_what_ran_before(
    engine: LocalEngine, tiny_gguf: Path, tiny_lora_gguf: Path, runs: list[tuple[int, str, str | None]]
) -> None:
    """Prompts that share beginnings of any length, with and without the adapter, on a used and on a fresh engine."""
    asked = [request(long_prompt(n) + f" {tail}", adapter=a, max_tokens=12) for n, tail, a in runs]
    texts = [text_of(engine, one) for one in asked]
    with closing(make(tiny_gguf, charlas=tiny_lora_gguf)) as fresh:
        assert text_of(fresh, asked[-1]) == texts[-1]


def test_of_a_repeated_prompt_only_the_end_is_read(engine: LocalEngine) -> None:
    asked = request(long_prompt(150))
    list(engine.stream(asked))
    again = list(engine.stream(asked))
    reading = [step for step in again if not step.written]
    assert again[0].prompt > 200
    assert [(step.read, step.prompt) for step in reading] == [(again[0].prompt, again[0].prompt)]


def test_a_prompt_longer_than_the_context_is_refused_before_any_work(engine: LocalEngine) -> None:
    before = text_of(engine, request())
    with pytest.raises(PromptTooLong) as caught:
        engine.stream(request(long_prompt(2000)))
    assert caught.value.details["context"] == CONTEXT
    assert caught.value.details["tokens"] > CONTEXT
    assert str(CONTEXT) in caught.value.message("es")
    assert text_of(engine, request()) == before


def test_the_budget_and_the_context_end_a_text(engine: LocalEngine) -> None:
    held = {"min_words": 10**6}
    last = list(engine.stream(request(max_tokens=7, **held)))[-1]
    assert (last.written, last.end) == (7, "tokens")
    steps = list(engine.stream(request(max_tokens=10**6, **held)))
    assert steps[-1].end == "context"
    assert steps[-1].prompt + steps[-1].written == CONTEXT
    assert text_of(engine, request()) == text_of(engine, request())


def test_the_model_ends_by_itself_and_not_before_it_may(engine: LocalEngine) -> None:
    ends = [list(engine.stream(request(seed=seed, max_tokens=900)))[-1] for seed in range(6)]
    short = min((e for e in ends if e.end == "model"), key=lambda e: e.written)
    seed = ends.index(short)
    longer = list(engine.stream(request(seed=seed, max_tokens=900, min_words=short.written + 50)))
    assert longer[-1].written > short.written


def test_text_is_whole_characters_without_special_tokens(engine: LocalEngine) -> None:
    """The random model writes byte tokens at random, the worst case for UTF-8."""
    for seed in range(5):
        steps = list(engine.stream(request(seed=seed, max_tokens=200, min_words=10**6)))
        text = "".join(step.text for step in steps)
        text.encode("utf-8")
        assert not any(mark in text for mark in (*ADDED_TOKENS, "<s>", "</s>", "<unk>", "<0x"))
        assert [step.written for step in steps if step.written] == list(range(1, steps[-1].written + 1))


def test_an_unfinished_character_is_not_shown_until_it_is_whole(engine: LocalEngine) -> None:
    vocabulary = engine._model.vocabulary
    ids = [vocabulary.tokenize("a" + c)[len(vocabulary.tokenize("a")) :] for c in "漢🚀"]
    assert any(len(split) > 1 for split in ids)
    assert b"".join(vocabulary.piece(i) for i in ids[1]).decode() == "🚀"


def test_closing_frees_the_engine_within_a_token(engine: LocalEngine) -> None:
    for stop_after in (1, 2, 9):
        steps = engine.stream(request(long_prompt(300), max_tokens=900, min_words=10**6))
        list(itertools.islice(steps, stop_after))
        steps.close()
        begun = time.monotonic()
        assert text_of(engine, request(max_tokens=1)) is not None
        assert time.monotonic() - begun < 2


def test_a_text_after_a_cancelled_reading_is_the_usual_one(engine: LocalEngine) -> None:
    asked = request(long_prompt(250))
    usual = text_of(engine, asked)
    text_of(engine, request("otra cosa"))
    for stop_after in (1, 3):
        steps = engine.stream(asked)
        list(itertools.islice(steps, stop_after))
        steps.close()
        assert text_of(engine, asked) == usual


def test_the_deadline_ends_a_text(engine: LocalEngine) -> None:
    steps = list(engine.stream(request(deadline=0.05, max_tokens=900, min_words=10**6)))
    assert steps[-1].end == "deadline"
    assert text_of(engine, request())


def test_many_threads_get_their_own_texts(engine: LocalEngine) -> None:
    asked = [request(f"tema {n}", seed=n, adapter="charlas" if n % 3 else None) for n in range(12)]
    alone = [text_of(engine, one) for one in asked]
    with ThreadPoolExecutor(12) as pool:
        together = list(pool.map(lambda one: text_of(engine, one), asked))
    assert together == alone


def test_a_broken_model_or_adapter_says_which_file(tiny_gguf: Path, tmp_path: Path) -> None:
    half = tmp_path / "half.gguf"
    half.write_bytes(tiny_gguf.read_bytes()[: tiny_gguf.stat().st_size // 2])
    with pytest.raises(ModelUnreadable, match=r"half\.gguf"):
        make(half)
    with pytest.raises(ModelUnreadable, match=r"phi3-tiny"):
        make(tiny_gguf, charlas=tiny_gguf)
