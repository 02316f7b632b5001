"""Condensing passages: properties on any text, a real index, and the RAG tab of an engine that reads slowly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.search import Hit, Index, Passage
from space import generators as gen
from space.bundle import Bundle
from space.calibrate import Calibration
from space.condense import LONG, Excerpt, condense, context_of, pieces
from space.endpoints import listed
from space.engine import Request
from space.errors import SettingInvalid
from space.frames import Frame, Grounded
from space.kernels import DEFAULT
from space.local_engine import LocalEngine, Tuning
from space.prompts import format_context
from space.rag_prompt import LEAST_PASSAGES
from space.settings import EMBEDDED, Settings
from space.studio import Studio
from space.view import note_texts, passages
from tests.test_generators import ScriptedEngine, keys

SPEED = 10.0
WORDS = st.sampled_from(
    [
        "el",
        "mar",
        "no",
        "vuelve",
        "nunca.",
        "¿Quién",
        "rema?",
        "Nadie…",
        "lejos",
        "12",
        "Sr.",
        "ola;",
        "🌊",
        "mañana\n\n",
        "y",
    ]
)
TEXTS = st.lists(st.one_of(st.lists(WORDS, max_size=90).map(" ".join), st.text(max_size=200)), max_size=5)


@pytest.fixture(scope="module")
def index(space_bundle: Path) -> Index:
    """Twelve of our talks with random vectors."""
    return Index.load(space_bundle / "indexes" / "charlas")


@pytest.fixture(scope="module")
def talks() -> Index:
    """The index that a fresh clone serves."""
    return Index.load(Bundle.load(EMBEDDED, verify=False).indexes["charlas"])


def words(text: str) -> int:
    return len(text.split())


def hits(texts: Sequence[str]) -> list[Hit]:
    """`texts` as an index might have found them, the first one best."""
    return [
        Hit(Passage(n, text, "d", "", n, ""), 0.9, 0.5 / (n + 1), 0.5 / (n + 1))
        for n, text in enumerate(texts)
    ]


def tokens(excerpts: Sequence[Excerpt]) -> int:
    return words(context_of(excerpts))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=TEXTS, query=st.text(max_size=40), budget=st.integers(-5, 200))
def test_whatever_the_passages_the_budget_holds_and_sentences_stay_as_they_are(
    index: Index, texts: list[str], query: str, budget: int
) -> None:
    excerpts = condense(hits(texts), query, budget, words, index)
    assert excerpts == condense(hits(texts), query, budget, words, index)
    assert [excerpt.passage for excerpt in excerpts] == texts
    if words(format_context(texts)) <= budget:
        assert [excerpt.text for excerpt in excerpts] == texts
    else:
        assert tokens(excerpts) <= max(budget, 0)
    for excerpt in excerpts:
        place = 0
        for n in sorted(excerpt.chosen):
            place = excerpt.passage.index(excerpt.sentences[n], place) + len(excerpt.sentences[n])
        assert "".join(excerpt.text.split()) == "".join(
            "".join(excerpt.sentences[n].split()) for n in sorted(excerpt.chosen)
        )


@settings(max_examples=150, deadline=None)
@given(text=TEXTS.map("\n\n".join))
def test_the_pieces_of_a_passage_are_all_of_it(text: str) -> None:
    found = pieces(text)
    assert "".join("".join(piece.split()) for piece in found) == "".join(text.split())
    assert all(words(piece) <= LONG * 1.25 for piece in found)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=TEXTS, less=st.integers(1, 100))
def test_what_is_left_out_does_not_fit_any_more(index: Index, texts: list[str], less: int) -> None:
    budget = words(format_context(texts)) - less
    excerpts = condense(hits(texts), "el mar de noche", budget, words, index)
    for number, excerpt in enumerate(excerpts):
        for n in set(range(len(excerpt.sentences))) - excerpt.chosen:
            more = Excerpt(excerpt.passage, excerpt.sentences, excerpt.chosen | {n})
            assert tokens([*excerpts[:number], more, *excerpts[number + 1 :]]) > budget


def test_the_sentences_about_the_topic_are_kept(talks: Index) -> None:
    texts = [
        "La biblioteca abre los martes. El faro se apagó una noche de noviembre. Nadie compró pan.",
        "Mi tía cosía. Otra vez el faro, que el temporal había dejado sin lámpara. El gato dormía.",
    ]
    equal = [replace(hit, dense=0.3, lexical=0.3) for hit in hits(texts)]
    excerpts = condense(equal, "el faro apagado", 21, words, talks)
    assert [excerpt.text for excerpt in excerpts] == [
        "El faro se apagó una noche de noviembre.",
        "Otra vez el faro, que el temporal había dejado sin lámpara.",
    ]


def test_a_better_passage_is_asked_first(index: Index) -> None:
    texts = ["Una frase cualquiera de seis.", "Otra frase distinta de seis."]
    assert [bool(e.chosen) for e in condense(hits(texts), "xilófono", 6, words, index)] == [True, False]
    turned = [replace(hit, dense=1 - hit.dense, lexical=1 - hit.lexical) for hit in hits(texts)]
    assert [bool(e.chosen) for e in condense(turned, "xilófono", 6, words, index)] == [False, True]


def test_passages_of_a_real_index_are_condensed_to_what_is_asked(talks: Index) -> None:
    question = "¿quién apagó la lámpara del faro?"
    found = talks.search(question, k=5, threshold=-1)
    whole = words(format_context([hit.passage.text for hit in found]))
    excerpts = condense(found, question, whole // 3, words, talks)
    assert whole // 4 < tokens(excerpts) <= whole // 3
    kept = context_of(excerpts)
    assert sum("lámpara" in part or "faro" in part for e in excerpts for part in e.sentences) > 0
    with_lamp = [s for e in excerpts for s in e.sentences if "lámpara" in s and "faro" in s]
    assert all(" ".join(sentence.split()) in kept for sentence in with_lamp)
    everything = condense(found, question, whole, words, talks)
    assert all(excerpt.whole and excerpt.text == excerpt.passage for excerpt in everything)


def test_bad_input(index: Index) -> None:
    assert condense([], "el mar", 100, words, index) == []
    empty = condense(hits(["", " \n ", "."]), "el mar", 0, words, index)
    assert [bool(excerpt.chosen) for excerpt in empty] == [False, False, False]
    long = "palabra " * 39 + "y fin."
    assert [e.chosen for e in condense(hits([long, "Corta."]), "fin", 10, words, index)] == [set(), {0}]
    unmarked = " ".join(f"palabra{n}" for n in range(300))
    [excerpt] = condense(hits([unmarked]), "palabra250", 60, words, index)
    assert "palabra250" in excerpt.text.split()
    assert 1 < words(excerpt.text) <= 60


class SlowEngine(ScriptedEngine):
    """A scripted engine that reads SPEED tokens (words) a second."""

    reading_speed = SPEED


def ask(space_bundle: Path, text: str, seconds: int, number: int = 5) -> tuple[Frame, Request, Studio]:
    engine = SlowEngine(text)
    settings = Settings(threads=1, rag_seconds=seconds)
    studio = Studio(Bundle.load(space_bundle, verify=False), settings, engine)
    last = list(gen.rag(studio, Grounded("el mar", minutes=1, passages=number, threshold=0)))[-1]
    return last, engine.requests[0], studio


def test_an_engine_that_reads_quickly_is_given_whole_passages(space_bundle: Path) -> None:
    last, request, _ = ask(space_bundle, "Fin. " * 200, seconds=600)
    assert "condensed" not in keys(last)
    assert [found.excerpt for found in last.passages] == [None] * 5
    for found in last.passages:
        assert " ".join(found.hit.passage.text.split()) in request.messages[0]["content"]
    assert "<mark>" not in passages(last.passages, "es")
    assert [passage["given"] for passage in listed(last.passages)] == [None] * 5


def test_a_slow_engine_is_given_sentences_and_the_page_says_so(space_bundle: Path) -> None:
    last, request, _ = ask(space_bundle, "Fin. " * 200, seconds=25, number=10)
    prompt = request.messages[0]["content"]
    assert words(prompt) <= 25 * SPEED
    excerpts = [found.excerpt for found in last.passages]
    assert all(excerpts)
    chosen = sum(len(e.chosen) for e in excerpts if e)
    [note] = [note for note in last.notes if note.key == "condensed"]
    assert (note.values["n"], note.values["of"]) == (chosen, sum(len(e.sentences) for e in excerpts if e))
    assert 0 < chosen < note.values["of"]
    assert f"{chosen} de las {note.values['of']} frases" in note_texts(last, "es")[0]
    assert f"{chosen} of the {note.values['of']} sentences" in note_texts(last, "en")[0]
    shown = passages(last.passages, "es")
    assert shown.count("<mark>") == chosen
    for found, as_json in zip(last.passages, listed(last.passages), strict=True):
        assert found.used == bool(found.excerpt and found.excerpt.chosen) == bool(as_json["given"])
        assert (" ".join(str(as_json["given"]).split()) in prompt) == found.used or not found.used


def test_with_hardly_any_time_some_sentences_are_given_all_the_same(space_bundle: Path) -> None:
    last, request, _ = ask(space_bundle, "Fin. " * 200, seconds=1)
    given = [found.excerpt.text for found in last.passages if found.excerpt and found.used]
    assert LEAST_PASSAGES / 2 < words(format_context(given)) <= LEAST_PASSAGES
    assert format_context(given) in request.messages[0]["content"]
    assert "condensed" in keys(last)
    assert last.phase == "done"


def test_a_condensed_passage_bears_out_what_was_left_out_of_it(space_bundle: Path) -> None:
    last, _, studio = ask(space_bundle, "Fin. " * 200, seconds=1)
    number, sentence = next(
        (number, e.sentences[n])
        for number, found in enumerate(last.passages, 1)
        if (e := found.excerpt) and e.chosen
        for n in range(len(e.sentences))
        if n not in e.chosen and words(e.sentences[n]) > 5
    )
    again = gen.grounded(studio, replace(last, text=sentence, grounding=None))
    assert again.grounding
    assert again.grounding[0].passage == number
    middle = replace(last.passages[0], used=False)
    later = replace(last, passages=(middle, *last.passages[1:]), text=sentence)
    assert number == 1 or gen.grounded(studio, later).grounding[0].passage == number  # type: ignore[index]


def test_the_real_engine_writes_from_condensed_passages(space_bundle: Path) -> None:
    bundle = Bundle.load(space_bundle, verify=False)

    tuning = Tuning(Calibration(DEFAULT, reading=20.0, writing=5.0))
    engine = LocalEngine(bundle.base, bundle.adapters, bundle.chat_template, 2048, 1, tuning=tuning)
    try:
        studio = Studio(bundle, Settings(threads=1, rag_seconds=20), engine)
        last = list(gen.rag(studio, Grounded("el mar", minutes=1, seed=3, passages=5, threshold=0)))[-1]
        assert "condensed" in keys(last)
        assert last.text
        assert last.grounding
    finally:
        engine.close()


def test_the_seconds_are_a_setting() -> None:
    assert Settings.from_env({}).rag_seconds == 16
    assert Settings.from_env({"ORADOR_RAG_SECONDS": "45"}).rag_seconds == 45
    for bad in ("0", "-1", "veinte"):
        with pytest.raises(SettingInvalid):
            Settings.from_env({"ORADOR_RAG_SECONDS": bad})
