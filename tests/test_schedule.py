"""Many requests at once: random arrivals, cancels and failures against an engine that runs each request alone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from space.engine import Request
from space.errors import DecodeFailed, EngineClosed, GrammarInvalid
from space.jobs import Job
from space.local_engine import LocalEngine
from space.native import Context, Sampling
from space.slices import LEAST, READING, READING_ALONE, Slices
from space.writing import StopStrings
from train.tokenizer import CHAT_TEMPLATE

CONTEXT = 768


class FailingContext(Context):
    """A context whose next decodings fail, as many as `failures` says; `log` has what it did."""

    failures = 0
    log: ClassVar[list[str]] = []

    def _decode(self, count: int) -> None:
        if FailingContext.failures:
            FailingContext.failures -= 1
            raise DecodeFailed(code=-2)
        super()._decode(count)

    def read(self, slot: int, tokens: Sequence[int]) -> int:
        FailingContext.log.append("read")
        return super().read(slot, tokens)

    def write(self, tokens: Sequence[tuple[int, int]]) -> list[int]:
        FailingContext.log.append("write")
        return super().write(tokens)


class FailingEngine(LocalEngine):
    """`placed` has the seeds of the requests in the order in which they got a slot."""

    make_context = FailingContext
    placed: ClassVar[list[int]] = []

    def _place(self, job: Job) -> None:
        FailingEngine.placed.append(job.request.sampling.seed)
        super()._place(job)


@pytest.fixture(scope="module")
def engine(tiny_gguf: Path, tiny_lora_gguf: Path) -> Iterator[LocalEngine]:
    local = FailingEngine(tiny_gguf, {"charlas": tiny_lora_gguf}, CHAT_TEMPLATE, CONTEXT, 1, parallel=3)
    yield local
    local.close()


@pytest.fixture(scope="module")
def alone(tiny_gguf: Path, tiny_lora_gguf: Path) -> Iterator[LocalEngine]:
    local = LocalEngine(tiny_gguf, {"charlas": tiny_lora_gguf}, CHAT_TEMPLATE, CONTEXT, 1, parallel=2)
    yield local
    local.close()


@dataclass(frozen=True)
class Visit:
    """One visitor: what is asked, when, and after how many steps the visitor leaves (None: stays)."""

    words: int
    seed: int
    adapter: str | None
    tokens: int
    delay: float
    leaves: int | None

    @property
    def staying(self) -> Visit:
        return replace(self, delay=0.0, leaves=None)

    @property
    def request(self) -> Request:
        text = " ".join(f"palabra{n % 5}" for n in range(self.words)) + f" fin{self.seed % 2}"
        return Request(
            [{"role": "user", "content": text}],
            adapter=self.adapter,
            sampling=Sampling(seed=self.seed),
            max_tokens=self.tokens,
        )


visits = st.builds(
    Visit,
    words=st.integers(0, 200),
    seed=st.integers(0, 50),
    adapter=st.sampled_from([None, "charlas"]),
    tokens=st.integers(1, 40),
    delay=st.sampled_from([0.0, 0.0, 0.005, 0.05]),
    leaves=st.sampled_from([None, None, None, 0, 1, 5]),
)


def endless(number: int) -> Request:
    """A text that only its budget ends, after some 700 tokens."""
    asked = Visit(2, number, None, 700, 0, None).request
    return replace(asked, grammar="root ::= [a-z ] root")


def run(engine: LocalEngine, visit: Visit) -> tuple[str, str | None]:
    """The text that the visitor saw and how it ended (None: the visitor left)."""
    time.sleep(visit.delay)
    text, end = "", None
    with closing(engine.stream(visit.request)) as steps:
        for number, step in enumerate(steps):
            text, end = text + step.text, step.end
            if visit.leaves is not None and number >= visit.leaves:
                return text, None
    return text, end


def together(engine: LocalEngine, crowd: Sequence[Visit]) -> list[tuple[str, str | None] | Exception]:
    def one(visit: Visit) -> tuple[str, str | None] | Exception:
        try:
            return run(engine, visit)
        except DecodeFailed as error:
            return error

    with ThreadPoolExecutor(len(crowd)) as pool:
        return list(pool.map(one, crowd, timeout=60))


def idle(engine: LocalEngine) -> bool:
    """Whether no request is waiting or running, within a second."""
    for _ in range(200):
        if not engine._running and not engine._waiting:
            return True
        time.sleep(0.005)
    return False


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(visits, min_size=1, max_size=8), st.integers(0, 2))
def test_each_visitor_gets_the_text_of_a_machine_of_ones_own(
    engine: LocalEngine, alone: LocalEngine, crowd: list[Visit], failures: int
) -> None:
    FailingContext.failures = failures
    results = together(engine, crowd)
    FailingContext.failures = 0
    assert sum(isinstance(result, DecodeFailed) for result in results) <= 3 * failures
    for visit, result in zip(crowd, results, strict=True):
        if isinstance(result, DecodeFailed):
            continue
        expected = run(alone, visit.staying)
        assert expected[0].startswith(result[0])
        assert result == expected or visit.leaves is not None
    assert idle(engine)
    assert run(engine, crowd[0].staying) == run(
        alone, crowd[0].staying
    )  # no slot is lost, nothing is left behind


def test_a_text_does_not_stand_still_while_a_long_prompt_is_read(engine: LocalEngine) -> None:
    """Between any two slices of the long prompt, the running text gets its token."""
    with closing(engine.stream(endless(1))) as running:
        next(step for step in running if step.written)
        FailingContext.log.clear()
        list(
            engine.stream(Request([{"role": "user", "content": "palabras nunca leídas " * 80}], max_tokens=1))
        )
        log = list(FailingContext.log)
    assert log.count("read") > 1
    assert ("read", "read") not in pairwise(log)


def test_slices_grow_and_shrink_to_the_time_that_others_can_wait() -> None:
    slices = Slices()
    for _ in range(10):
        slices.took(True, slices.size(True, 2000), 0.01 * slices.size(True, 2000))
        slices.took(False, slices.size(False, 2000), 0.01 * slices.size(False, 2000))
    assert READING_ALONE / 2 < 0.01 * slices.size(True, 2000) <= READING_ALONE
    assert READING / 2 < 0.01 * slices.size(False, 2000) <= READING
    for _ in range(10):
        slices.took(True, slices.size(True, 2000), 60.0)
    assert slices.size(True, 2000) == LEAST
    assert [slices.size(True, left) for left in (1, 2, LEAST + 1, LEAST + 2)] == [1, 2, LEAST - 1, LEAST]


def test_requests_are_admitted_in_the_order_in_which_they_came(engine: LocalEngine) -> None:
    held = [engine.stream(endless(n)) for n in range(3)]
    for steps in held:
        next(steps)
    FailingEngine.placed.clear()
    with ThreadPoolExecutor(6) as pool:
        for n in range(6):
            pool.submit(list, engine.stream(Visit(1, n, None, 1, 0, None).request))
            for _ in range(2000):
                if len(engine._waiting) == n + 1:
                    break
                time.sleep(0.001)
        held[0].close()
    for steps in held:
        steps.close()
    assert FailingEngine.placed == list(range(6))


def test_closing_ends_all_with_an_error_and_later_requests_too(tiny_gguf: Path) -> None:
    engine = LocalEngine(tiny_gguf, {}, CHAT_TEMPLATE, CONTEXT, 1, parallel=2)
    running = [engine.stream(endless(n)) for n in range(2)]
    for steps in running:
        next(steps)
    engine.close()
    for steps in running:
        with pytest.raises(EngineClosed):
            list(steps)
    with pytest.raises(EngineClosed):
        list(engine.stream(Visit(2, 1, None, 5, 0, None).request))


GRAMMAR = r"""root ::= "1. " word "\n2. " word
word ::= [a-z] [a-z] [a-z]+ [.]"""


def test_a_grammar_holds_the_form_and_a_bad_one_is_named(engine: LocalEngine) -> None:
    asked = Visit(4, 3, None, 300, 0, None).request
    for seed in range(3):
        held = Request(asked.messages, sampling=Sampling(seed=seed), max_tokens=300, grammar=GRAMMAR)
        steps = list(engine.stream(held))
        text = "".join(step.text for step in steps)
        if steps[-1].end == "model":
            first, second = text.split("\n")
            assert first.startswith("1. ")
            assert second.startswith("2. ")
        assert text.startswith("1. ")
    bad = Request(asked.messages, grammar="root ::= missing")
    with pytest.raises(GrammarInvalid):
        list(engine.stream(bad))
    assert list(engine.stream(asked))[-1].end


def test_a_stop_string_ends_the_text_before_it(engine: LocalEngine) -> None:
    asked = replace(endless(7), max_tokens=120)
    whole = "".join(step.text for step in engine.stream(asked))
    stop = whole[30:34]
    steps = list(engine.stream(replace(asked, stop=("zzzz", stop))))
    assert "".join(step.text for step in steps) == whole[: whole.index(stop)]
    assert steps[-1].end == "stop"


@given(
    st.lists(st.text("ab|", max_size=4), max_size=12),
    st.lists(st.text("ab|", min_size=1, max_size=4), max_size=3),
)
def test_stop_strings_never_leak_and_nothing_else_is_lost(pieces: list[str], stops: list[str]) -> None:
    text, certain, stopped = "".join(pieces), "", False
    held = StopStrings(stops)
    for piece in pieces:
        added, stopped = held.add(piece)
        certain += added
        if stopped:
            break
    certain += "" if stopped else held.rest()
    places = [text.find(stop) for stop in stops if stop in text]
    if not stopped:
        assert certain == text
        assert not places
    else:
        assert not any(stop in certain for stop in stops)
        assert text.startswith(certain)
        assert any(text.startswith(stop, len(certain)) for stop in stops)
