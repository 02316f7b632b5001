"""How prompts with passages are read: where the passages stand, what is kept of them, that joining changes no number it must not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from space.chat import ChatTemplate, encode
from space.native import Context, Model
from space.prompts import RAG, format_context
from space.reading import LEAST, RECOMPUTED, Plan, Reading, Span, spans_of
from space.settings import EMBEDDED
from space.states import States
from space.vocabulary import Vocabulary
from tests.large import PASSAGES, PLENTY
from train.tokenizer import CHAT_TEMPLATE


@pytest.fixture(scope="module", params=["tiny", "embedded"])
def model(request: pytest.FixtureRequest, tiny_gguf: Path) -> Iterator[Model]:
    embedded = next((EMBEDDED / "models").glob("*.gguf"))
    loaded = Model(embedded if request.param == "embedded" else tiny_gguf, {})
    yield loaded
    loaded.close()


def prompt_of(vocabulary: Vocabulary, passages: Sequence[str], topics: str = "el mar") -> list[int]:
    template = ChatTemplate(CHAT_TEMPLATE, vocabulary.bos, vocabulary.eos)
    parts = template.parts(RAG.render(context=format_context(list(passages)), topics=topics), "")
    return encode(parts, vocabulary.markers, vocabulary.tokenize)


def decoded(vocabulary: Vocabulary, tokens: Sequence[int]) -> bytes:
    return b"".join(vocabulary.piece(token) for token in tokens)


def real_passages(number: int) -> list[str]:
    """Of the embedded index, as prompts have them, the long ones: short ones are not kept."""
    lines = (EMBEDDED / "indexes" / "charlas" / "passages.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [" ".join(json.loads(line)["text"].split()) for line in lines]
    return [text for text in texts if len(text.split()) > 40][:number]


def test_the_passages_of_a_real_prompt_are_found(model: Model) -> None:
    passages = real_passages(6)
    prompt = prompt_of(model.vocabulary, passages)
    spans = spans_of(prompt, passages, model.vocabulary)
    assert len(spans) == 6
    for span, passage in zip(spans, passages, strict=True):
        text = decoded(model.vocabulary, prompt[slice(*span)]).decode("utf-8")
        assert text.strip(" ") == passage


def test_a_passage_has_the_same_tokens_wherever_it_stands(model: Model) -> None:
    """Else its state would not be found again."""
    passages = real_passages(5)
    tokens = set()
    for order in (passages, passages[::-1], passages[2:]):
        prompt = prompt_of(model.vocabulary, order)
        spans = spans_of(prompt, order, model.vocabulary)
        tokens |= {tuple(prompt[slice(*span)]) for span in spans}
    assert len(tokens) == 5


def test_what_is_not_there_or_short_or_out_of_order_is_left_out(model: Model) -> None:
    one, two, three = PASSAGES
    prompt = prompt_of(model.vocabulary, [one, "Breve.", two, three])
    found = spans_of(prompt, [one, two, three], model.vocabulary)
    assert len(found) == 3
    assert spans_of(prompt, [one, "Breve.", two, "no está " * 30, three], model.vocabulary) == found
    assert spans_of(prompt, [two, one], model.vocabulary) == found[1:2]
    assert spans_of(prompt, [], model.vocabulary) == []


words = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=60)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.one_of(words, words.map(lambda word: word * 8)), min_size=1, max_size=5),
    gap=st.sampled_from(["", " ", "\n\n", "[2] ", "."]),
    asked=st.data(),
)
def test_spans_are_in_order_apart_and_within_their_texts(
    model: Model, texts: list[str], gap: str, asked: st.DataObject
) -> None:
    vocabulary = model.vocabulary
    prompt = vocabulary.tokenize(gap.join(texts))
    sought = [text for text in texts if asked.draw(st.booleans())]
    spans = spans_of(prompt, sought, vocabulary)
    assert len(spans) <= len(sought)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    data = iter(text.encode("utf-8") for text in sought)
    for start, stop in spans:
        assert stop - start >= LEAST
        found = decoded(vocabulary, prompt[start:stop])
        longest = max(len(vocabulary.piece(token)) for token in prompt)
        whole = next(text for text in data if found in text or found.lstrip() in text)
        assert len(whole) - len(found) <= 2 * longest


@pytest.fixture
def context(tiny_gguf: Path) -> Iterator[Context]:
    model = Model(tiny_gguf, {})
    opened = Context(model, 2, 1024, 256, 1)
    yield opened
    opened.close()
    model.close()


@pytest.fixture
def states(tmp_path: Path) -> Iterator[States]:
    kept = States("tiny", tmp_path / "states", PLENTY, PLENTY)
    yield kept
    kept.close()


def run(context: Context, states: States | None, plan: Plan, slice_: int = 50) -> tuple[np.ndarray, int]:
    """The last token's logits after reading `plan` in slot 0, and how many tokens were decoded for it."""
    context.truncate(0, 0)
    reading = Reading(context, states, plan, 0, 0)
    row, count, known = 0, 0, reading.read
    while not reading.done:
        tokens = reading.next(slice_ - 1 if reading.left == slice_ + 1 else slice_)
        row = context.read(0, tokens)
        reading.advance(len(tokens))
        assert reading.read >= known  # what is shown to a visitor never goes back
        count, known = count + len(tokens), reading.read
    assert known == len(plan.prompt)
    return context.logits(row).copy(), count


def planned(context: Context, passages: Sequence[str], topics: str = "el mar") -> Plan:
    vocabulary = context.model.vocabulary
    prompt = prompt_of(vocabulary, passages, topics)
    return Plan(prompt, None, spans_of(prompt, passages, vocabulary))


def test_one_passage_joined_is_one_passage_read_through(context: Context, states: States) -> None:
    plan = planned(context, PASSAGES[:1])
    expected, count = run(context, None, Plan(plan.prompt, None))
    assert count == len(plan.prompt)
    for decodings in (len(plan.prompt), len(plan.prompt) - length(plan.spans[0])):
        found, count = run(context, states, plan)
        assert np.array_equal(found, expected)
        assert count == decodings


def length(span: Span) -> int:
    return span[1] - span[0]


def test_passages_stand_side_by_side_after_the_stem(context: Context, states: States) -> None:
    plan = planned(context, PASSAGES)
    cold, count = run(context, states, plan)
    assert count == len(plan.prompt) + 2 * RECOMPUTED
    longest = max(length(span) for span in plan.spans)
    positions = context.cells(0).positions.tolist()
    expected = list(range(plan.plain + length(plan.spans[0])))
    for span in plan.spans[1:]:
        expected += range(plan.plain + RECOMPUTED, plan.plain + length(span))
    expected += range(plan.plain + longest, plan.plain + longest + len(plan.rest()))
    assert positions == expected
    assert len(positions) == len(plan.prompt)
    hot, count = run(context, states, plan, 31)
    assert np.array_equal(hot, cold)
    assert count == plan.plain + len(plan.rest())


def test_the_order_of_passages_and_the_topics_are_read_anew(context: Context, states: States) -> None:
    run(context, states, planned(context, PASSAGES))
    one, two = planned(context, PASSAGES[::-1], "la paz"), planned(context, PASSAGES, "la paz")
    texts = [run(context, states, plan) for plan in (one, two)]
    assert [count for _, count in texts] == [plan.plain + len(plan.rest()) for plan in (one, two)]
    assert not np.array_equal(texts[0][0], texts[1][0])


def test_a_state_from_disk_gives_the_same_numbers(context: Context, tmp_path: Path) -> None:
    plan, found = planned(context, PASSAGES), []
    for _ in range(2):
        states = States("tiny", tmp_path / "two", PLENTY, PLENTY)
        found.append(run(context, states, plan))
        states.close()
    assert np.array_equal(found[0][0], found[1][0])
    assert found[1][1] == plan.plain + len(plan.rest())


def test_reading_only_to_keep_leaves_all_passages_and_reads_no_more(context: Context, states: States) -> None:
    plan = planned(context, PASSAGES)
    to_keep = Plan(plan.prompt, None, plan.spans, keep_only=True)
    _, count = run(context, states, to_keep)
    assert count == plan.plain + sum(map(length, plan.spans))
    assert context.lengths[0] == plan.plain
    _, count = run(context, states, plan)
    assert count == plan.plain + len(plan.rest())


def test_the_stem_is_kept_on_the_way(context: Context, states: States) -> None:
    plan = planned(context, PASSAGES)
    expected, _ = run(context, None, Plan(plan.prompt, None))
    found, _ = run(context, states, Plan(plan.prompt, None, stem=40))
    assert np.array_equal(found, expected)
    stem = states.get(None, plan.prompt[:40])
    assert stem is not None
    context.restore(1, [stem])
    assert context.lengths[1] == 40
    row = context.read(1, plan.prompt[40:])
    assert np.array_equal(context.logits(row), expected)
