"""What the grammars accept, through llama.cpp's own sampler: what `format_questions` writes, and nothing that is not so many items.

pytest tests/test_question_grammar.py
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from space.engine import Request
from space.local_engine import LocalEngine
from space.native import Context, Model, Sampling
from space.question_grammar import ANSWER_WORDS, core, short_answers, span_words, statements
from space.question_list import Item, ShortAnswer, Statement, format_questions, parse_questions
from space.sampler import Sampler
from train.tokenizer import CHAT_TEMPLATE

TEXT = (
    "La farera de Punta Brava encendió la lámpara el 3 de mayo de 1904. Según el cuaderno, «nadie» respondió "
    "a la radio (ni el práctico), y costó 12,50 pesos.\n\nElla, Ñusta Ávila-Íñiguez, dijo: ¡basta!"
)
SEEDS = st.integers(0, 2**31 - 1)


class Held:
    """A grammar over the tiny model's vocabulary: says whether it lets a text be written, token by token."""

    def __init__(self, model: Path) -> None:
        self.model = Model(model, {})
        self.context = Context(self.model, 1, 256, 64, 1)

    def accepts(self, grammar: str, text: str) -> bool:
        """Whether `text` can be written under `grammar` and may end there."""
        sampler = Sampler(self.context, Sampling(temperature=0.0, repeat_penalty=1.0), grammar)
        end = min(self.model.vocabulary.ends)
        try:
            return all(self._may(sampler, token) for token in (*self.model.vocabulary.tokenize(text), end))
        finally:
            sampler.close()

    def _may(self, sampler: Sampler, token: int) -> bool:
        """Whether the sampler chooses `token` when the model is sure of it."""
        self.context.truncate(0, 0)
        row = self.context.read(0, [0])
        logits = self.context.logits(row)
        logits[:] = -50.0
        logits[token] = 50.0
        return bool(sampler.sample(row) == token)


@pytest.fixture(scope="module")
def held(tiny_gguf: Path) -> Held:
    return Held(tiny_gguf)


@pytest.fixture(scope="module")
def engine(tiny_gguf: Path) -> Iterator[LocalEngine]:
    one = LocalEngine(tiny_gguf, {}, CHAT_TEMPLATE, 1024, 1)
    yield one
    one.close()


NOUNS = [
    "farera",
    "lámpara",
    "3",
    "12,50",
    "radio",
    "«x»",
    "ni",
    "año",
    "Ávila-Íñiguez",
    "EE.UU",
    "50%",
    '"sí"',
    "(mar)",
]
WORDS = st.lists(st.sampled_from([word for word in NOUNS if "«" not in word]), min_size=4, max_size=12)


@st.composite
def spans(draw: st.DrawFn) -> str:
    """A stretch of a sentence of TEXT, without the marks at its ends."""
    words = [word for word in draw(st.sampled_from(span_words(TEXT))) if core(word)]
    begin = draw(st.integers(0, len(words) - 1))
    end = draw(st.integers(begin + 1, min(len(words), begin + ANSWER_WORDS)))
    text = core(" ".join(words[begin:end]))
    if text == "nadie":
        return draw(st.sampled_from([text, "«nadie»"]))
    return draw(st.sampled_from([text, text[0].upper() + text[1:], text[0].lower() + text[1:]]))


@st.composite
def short_items(draw: st.DrawFn) -> ShortAnswer:
    asking = draw(st.sampled_from(["Qué", "Por qué", "De dónde", "Desde hace cuántos", "Cuál"]))
    return ShortAnswer(f"¿{asking} {' '.join(draw(WORDS))}?", draw(spans()))


@st.composite
def said_items(draw: st.DrawFn) -> Statement:
    text = f"La {' '.join(draw(WORDS))}."
    if draw(st.booleans()):
        return Statement(text, True)
    wrong = " ".join(draw(WORDS)[:3])
    return Statement(text, False, f"no es «{wrong}», sino «{draw(spans())}»")


def balance(items: Sequence[Item]) -> tuple[int, int]:
    true = sum(isinstance(item, Statement) and item.true for item in items)
    return true, len(items) - true


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(short_items(), min_size=1, max_size=2), st.sampled_from([1, 3]))
def test_lists_of_short_answers_can_be_written(held: Held, items: list[Item], first: int) -> None:
    text = format_questions([*items[:1] * (first - 1), *items])
    written = text[text.index(f"{first}. ") :] if first == 1 else text[text.index(f"\n{first}. ") :]
    assert held.accepts(short_answers(TEXT, len(items), first), written)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(said_items(), min_size=1, max_size=3))
def test_lists_of_statements_can_be_written(held: Held, items: list[Item]) -> None:
    assert held.accepts(statements(TEXT, len(items), *balance(items)), format_questions(items))


GOOD = "1. ¿Quién encendió la lámpara?\nRespuesta: la farera"
SAID = "1. La farera encendió la lámpara.\nVerdadero\n2. La farera apagó la radio.\nFalso: no es «apagó», sino «encendió»"


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("1.", "2."),
        GOOD.replace("¿", ""),
        GOOD.replace("Quién", "La farera"),
        GOOD.replace("la farera", "el capitán"),
        GOOD.replace("la farera", "la de Punta"),
        GOOD.replace("la farera", "1904. Según el cuaderno"),
        GOOD.replace("la farera", "mayo de"),
        GOOD.replace("Respuesta", "respuesta"),
        GOOD.replace("¿Quién encendió la lámpara?", f"¿Quién {'encendió ' * 40}la lámpara?"),
        f"{GOOD}\n",
        f"{GOOD}\n{GOOD.replace('1.', '2.')}",
        GOOD.split("\n")[0],
    ],
)
def test_other_short_answers_cannot(held: Held, text: str) -> None:
    assert held.accepts(short_answers(TEXT, 1), GOOD)
    assert held.accepts(short_answers(TEXT, 1), text) == (text == GOOD.replace("la farera", "mayo de"))


@pytest.mark.parametrize(
    "text",
    [
        SAID.replace("Verdadero", "Falso: no es «lámpara», sino «radio»"),
        SAID.replace("Verdadero", "Verdad"),
        SAID.replace("La farera apagó", "la farera apagó"),
        SAID.replace("apagó la radio.", "apagó la radio"),
        SAID.replace("«encendió»", "«apagó»"),
        SAID.replace("no es «apagó», sino «encendió»", "la encendió"),
        SAID.split("\n2.")[0],
    ],
)
def test_other_statements_cannot(held: Held, text: str) -> None:
    grammar = statements(TEXT, 2, 1, 1)
    assert held.accepts(grammar, SAID)
    assert not held.accepts(grammar, text)


def test_the_balance_must_be_possible() -> None:
    with pytest.raises(ValueError, match="more than 2"):
        statements(TEXT, 2, 2, 1)


def written(engine: LocalEngine, grammar: str, seed: int) -> str:
    messages = [{"role": "user", "content": "Escribe."}]
    request = Request(messages, grammar=grammar, max_tokens=900, sampling=Sampling(1.5, seed=seed))
    return "".join(step.text for step in engine.stream(request))


MAKERS: list[Callable[[int], str]] = [
    lambda number: short_answers(TEXT, number),
    lambda number: statements(TEXT, number, number // 2, number // 2),
]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SEEDS, st.integers(1, 4), st.sampled_from(MAKERS))
def test_whatever_a_model_writes_is_so_many_items(
    engine: LocalEngine, seed: int, number: int, make: Callable[[int], str]
) -> None:
    """Random weights at a high temperature: the worst writer there is."""
    text = written(engine, make(number), seed)
    found = parse_questions(text)
    assert (len(found.items), found.rest) == (number, [])
    assert format_questions(found.items) == text.strip()
    for one, other in itertools.pairwise(found.items):
        assert type(one) is type(other)
    if isinstance(found.items[0], Statement):
        assert abs(np.subtract(*balance(found.items))) <= 1
    else:
        assert all(
            isinstance(item, ShortAnswer) and item.answer.lower() in TEXT.lower() for item in found.items
        )
