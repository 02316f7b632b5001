"""Drafts of a text that repeats itself: the text, its budget and its form are those of an engine without them.

Texts are compared within 256 tokens: further on, a row of a batch and a token written alone differ in the last bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from space.engine import Request
from space.local_engine import LocalEngine
from space.native import Context, Model, Sampling
from space.speculation import LIMIT, TRIAL
from tests.large import CONTEXT, Counting, idle, large, plain, steps_of, text_of

LOOPS = Sampling(temperature=0, repeat_penalty=1.0)
"""The most probable token of a random model soon makes loops."""
WITH_DRAFT = LIMIT + 1


@pytest.fixture(scope="module")
def engine(tiny_gguf: Path, tiny_lora_gguf: Path) -> Iterator[LocalEngine]:
    local = large(tiny_gguf, None, {"charlas": tiny_lora_gguf})
    yield local
    local.close()


@pytest.fixture(scope="module")
def usual(tiny_gguf: Path) -> Iterator[LocalEngine]:
    local = plain(tiny_gguf)
    yield local
    local.close()


def request(tokens: int = 150, repeats: int = 10, **options: object) -> Request:
    content = "uno dos tres cuatro " * repeats
    options = {"sampling": LOOPS, "min_words": 10**6, "max_tokens": tokens, **options}
    return Request([{"role": "user", "content": content}], **options)  # type: ignore[arg-type]


def counted(engine: LocalEngine, asked: Request) -> tuple[str, int, list[int]]:
    """The text, the decodings that it took, and the lengths of the drafts among them."""
    Counting.tokens.clear()
    Counting.drafts.clear()
    text = text_of(engine, asked)
    return text, len(Counting.tokens), list(Counting.drafts)


def test_a_text_with_drafts_is_the_text_without_in_fewer_decodings(
    engine: LocalEngine, usual: LocalEngine
) -> None:
    text, decodings, drafts = counted(engine, request())
    expected, without, none = counted(usual, request())
    assert text == expected
    assert len(drafts) >= TRIAL
    assert max(drafts) == LIMIT
    assert decodings <= without - TRIAL
    assert none == []


@pytest.mark.parametrize("repeats", [0, 3, 12])
def test_texts_of_other_prompts_and_seeds_are_the_same_too(
    engine: LocalEngine, usual: LocalEngine, repeats: int
) -> None:
    """Chosen at random: each token by the request's own sampler, whose random numbers a draft does not use up."""
    for seed in range(3):
        asked = request(120, repeats, sampling=Sampling(temperature=0.3, repeat_penalty=1.0, seed=seed))
        assert text_of(engine, asked) == text_of(usual, asked)


@pytest.mark.parametrize("tokens", [1, 2, 3, 17, 18, 19, 20, 21, 22])
def test_the_budget_is_exact(engine: LocalEngine, usual: LocalEngine, tokens: int) -> None:
    steps = steps_of(engine, request(tokens))
    assert (steps[-1].written, steps[-1].end) == (tokens, "tokens")
    assert [step.written for step in steps if step.written] == list(range(1, tokens + 1))
    assert "".join(step.text for step in steps) == text_of(usual, request(tokens))


@pytest.mark.parametrize("repeats", [100, 101, 102, 103])
def test_the_context_is_filled_to_the_last_token(engine: LocalEngine, repeats: int) -> None:
    steps = steps_of(engine, request(10**6, repeats))
    assert (steps[-1].prompt + steps[-1].written, steps[-1].end) == (CONTEXT, "context")
    written = [step.written for step in steps if step.written]
    assert written == list(range(1, len(written) + 1))


@pytest.mark.parametrize("left", [5, 12, 20])
def test_a_draft_never_goes_over_the_end_of_the_context(engine: LocalEngine, left: int) -> None:
    """The list of the prompt goes on, so each draft is a whole one."""
    grammar = 'root ::= ("uno " "dos " "tres " "cuatro ")+'
    fits = [n for n in range(60, 250) if engine.count(request(1, n).messages) < CONTEXT - left]
    steps = steps_of(engine, request(10**6, fits[-1], grammar=grammar))
    assert (steps[-1].prompt + steps[-1].written, steps[-1].end) == (CONTEXT, "context")


@pytest.mark.parametrize("depth", [40, 250, 600, 1000])
def test_the_rows_of_a_batch_are_those_of_tokens_written_one_by_one(tiny_gguf: Path, depth: int) -> None:
    model = Model(tiny_gguf, {})
    context = Context(model, 1, CONTEXT, 256, 1)
    tokens = [300 + 11 * n % 1500 for n in range(depth + WITH_DRAFT)]
    for start in range(0, depth, 200):
        context.read(0, tokens[start : min(depth, start + 200)])
    alone = [context.logits(context.write([(0, token)])[0]).copy() for token in tokens[depth:]]
    context.truncate(0, depth)
    context.read(0, tokens[depth:], range(WITH_DRAFT))
    for row, expected in enumerate(alone):
        np.testing.assert_allclose(context.logits(row), expected, atol=0.01)
    assert float(np.abs(alone[0] - alone[1]).max()) > 0.1
    context.close()
    model.close()


def test_a_stop_string_ends_the_text_before_it_also_within_a_draft(
    engine: LocalEngine, usual: LocalEngine
) -> None:
    whole = text_of(usual, request())
    assert len(whole) > 120
    for place in range(20, 115, 13):
        stop = (whole[place : place + 5],)
        steps = steps_of(engine, request(stop=stop))
        assert "".join(step.text for step in steps) == whole[: whole.index(stop[0])]
        assert steps[-1].end == "stop"


def test_a_grammar_holds_with_drafts(engine: LocalEngine, usual: LocalEngine) -> None:
    grammar = 'root ::= ("uno " "dos " "tres " "cuatro ")+'
    text, _, drafts = counted(engine, request(80, grammar=grammar))
    assert text == text_of(usual, request(80, grammar=grammar))
    assert ("uno dos tres cuatro " * 80).startswith(text)
    assert drafts.count(LIMIT) >= TRIAL


def test_an_early_end_becomes_a_paragraph_with_drafts_too(engine: LocalEngine, usual: LocalEngine) -> None:
    """The model may end after each sentence, is not let, and goes on: several tokens at once between drafts."""
    grammar = r'root ::= ("\n\n"? "uno dos tres cuatro.")+'
    for words in (30, 10**6):
        asked = request(150, grammar=grammar, min_words=words)
        steps, expected = steps_of(engine, asked), steps_of(usual, asked)
        assert "".join(step.text for step in steps) == "".join(step.text for step in expected)
        assert (steps[-1].end, steps[-1].written) == (expected[-1].end, expected[-1].written)


def test_who_leaves_within_a_draft_leaves_nothing_behind(engine: LocalEngine) -> None:
    expected = text_of(engine, request())
    for leaves in range(20, 60, 9):
        steps = engine.stream(request())
        assert len(list(islice(steps, leaves))) == leaves
        steps.close()
        assert text_of(engine, request()) == expected
    assert idle(engine)


def test_texts_with_an_adapter_are_the_same_alone_and_in_company(engine: LocalEngine) -> None:
    asked = [request(60, n, adapter="charlas" if n % 2 else None) for n in range(6)]
    alone = [text_of(engine, one) for one in asked]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda one: text_of(engine, one), asked))
    assert together == alone


def test_in_company_nothing_is_drafted(engine: LocalEngine) -> None:
    other = engine.stream(replace(request(900), grammar="root ::= [a-z ] root", sampling=Sampling(seed=1)))
    next(step for step in other if step.written)
    _, _, drafts = counted(engine, request(40))
    other.close()
    assert drafts == []
