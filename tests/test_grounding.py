"""Which passage bears out which sentence, on the labelled sentences and one rule at a time; texts without passages.

pytest tests/test_grounding.py
"""

from __future__ import annotations

import base64
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from index.embed import Embedder
from space import generators as gen
from space.bundle import Bundle
from space.downloads import download
from space.endpoints import details
from space.errors import NotFlag
from space.frames import Frame, Grounded
from space.grounding import REASONS, blocks, ground
from space.grounding_view import paper
from space.studio import Studio
from space.texts import TEXTS
from tests.bench.bench_grounding import counts, embedded, figures, first, load_cases, ours
from tests.test_generators import SETTINGS, keys, scripted

PASSAGES = [
    "En 1892 el capitán Camilo Carrillo lo contó en la Sociedad Geográfica de Lima. "
    "El reloj de la torre de aquel pueblo de montaña atrasaba solo los martes de invierno. "
    "La señora no entendía español, pero sabía contar.",
    "El perro del alcalde ladró tres veces en la plaza mayor.",
]
SAYS = "El reloj de la torre de aquel pueblo de montaña atrasaba solo los martes de invierno."


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return embedded()


def test_nine_of_ten_citations_are_right_on_sentences_never_tuned_on(embedder: Embedder) -> None:
    test = load_cases("test")
    precision, recall = figures(counts(test, ours(embedder)))
    assert precision >= 0.9
    assert recall >= 0.7
    assert precision > 5 * figures(counts(test, first))[0]


def test_the_labelled_set_is_large_mixed_and_parted_by_talk() -> None:
    halves = {half: load_cases(half) for half in ("tuning", "test")}
    kinds = Counter(s.kind for cases in halves.values() for case in cases for s in case.sentences)
    assert sum(kinds.values()) >= 400
    assert len(kinds) == 10
    assert min(kinds.values()) >= 20
    talks = {half: {talk for case in cases for talk in case.talks} for half, cases in halves.items()}
    assert not talks["tuning"] & talks["test"]
    for case in (*halves["tuning"], *halves["test"]):
        assert all(1 <= n <= len(case.passages) for s in case.sentences for n in s.right)


@pytest.mark.parametrize(
    ("sentence", "passage", "reason"),
    [
        (SAYS, 1, ""),
        ("En invierno atrasaba solo los martes el reloj de la torre de aquel pueblo de montaña.", 1, ""),
        ("El perro del alcalde ladró 3 veces en la plaza mayor.", 2, ""),
        ("El perro del alcalde ladró cinco veces en la plaza mayor.", 0, "figure"),
        (SAYS.replace("martes", "viernes"), 0, "figure"),
        ("En 1893 el capitán Camilo Carrillo lo contó en la Sociedad Geográfica de Lima.", 0, "figure"),
        ("En 1892 el capitán Camilo Cabrera lo contó en la Sociedad Geográfica de Lima.", 0, "name"),
        (SAYS.replace("atrasaba", "no atrasaba"), 0, "negation"),
        ("La señora entendía español, pero no sabía contar.", 0, "negation"),
        (SAYS.replace("atrasaba solo", "adelantaba solo"), 0, "negation"),
        (SAYS.replace(".", " y cantaba boleros."), 0, "clause"),
        ("Los volcanes de Islandia calientan las piscinas.", 0, "far"),
        ("«…»", 0, "far"),
    ],
)
def test_each_rule(sentence: str, passage: int, reason: str, embedder: Embedder) -> None:
    support = ground(sentence, PASSAGES, embedder)[0]
    assert (support.passage, support.reason) == (passage, reason)
    assert 0 <= support.score <= 1


def test_every_sentence_is_told_in_order_with_its_paragraph(embedder: Embedder) -> None:
    text = f"{SAYS} Nadie lo sabía.\n\n  Otra   cosa.\n"
    found = ground(text, PASSAGES, embedder)
    assert [(s.paragraph, s.sentence) for s in found] == [
        (0, SAYS),
        (0, "Nadie lo sabía."),
        (1, "Otra cosa."),
    ]
    assert blocks(text) == [[SAYS, "Nadie lo sabía."], ["Otra cosa."]]
    assert found[0].evidence == SAYS
    assert ground("", PASSAGES, embedder) == ()
    assert [s.reason for s in ground(text, [], embedder)] == ["far"] * 3


def test_every_reason_has_its_words() -> None:
    assert {f"grounding.{reason}" for reason in REASONS} <= TEXTS.keys()


def test_the_last_frame_and_a_stopped_one_say_what_is_borne_out(space_bundle: Path) -> None:
    bundle = Bundle.load(space_bundle, verify=False)
    studio = Studio(bundle, SETTINGS)
    passage = studio.search(studio.grounded[0], "el mar", 1)[0].passage.text
    sentence = blocks(passage)[0][0]
    studio, _ = scripted(
        space_bundle, f"{sentence} Nada tiene esto que ver con <b>quarks</b> ni gluones. " * 20
    )
    frames = list(gen.rag(studio, Grounded("el mar", minutes=1, passages=1, threshold=0)))
    assert all(frame.grounding is None for frame in frames[:-1])
    last = frames[-1]
    assert last.grounding
    assert [(s.passage, s.reason) for s in last.grounding[:2]] == [(1, ""), (0, "far")]
    assert [s["passage"] for s in details(last, "es")["grounding"][:2]] == [1, None]
    shown = paper(last, "es")
    assert 'href="#passage-1"' in shown
    assert "<b>" not in shown
    halfway = next(frame for frame in frames if len(frame.text) > len(sentence) + 10)
    assert gen.grounded(studio, halfway).grounding
    assert download(last, "txt", "modelo", "es") == download(
        replace(last, grounding=None), "txt", "modelo", "es"
    )


def test_passages_that_were_not_used_bear_nothing_out(space_bundle: Path) -> None:
    studio, _ = scripted(space_bundle, "Fin. " * 200, context=400)
    last = list(gen.rag(studio, Grounded("el mar", minutes=1, passages=6, threshold=0)))[-1]
    unused = next(found for found in last.passages if not found.used)
    text = blocks(unused.hit.passage.text)[0][0]
    only = replace(last, passages=(*(f for f in last.passages if f.used), unused), text=text, grounding=None)
    assert gen.grounded(studio, only).grounding[0].passage == 0  # type: ignore[index]
    assert gen.grounded(studio, replace(only, passages=(unused,))).grounding is None


def test_without_passages_it_goes_on_only_when_asked_and_says_so(space_bundle: Path) -> None:
    studio, engine = scripted(space_bundle, "Una frase propia. " * 60)
    ask = Grounded("xilófono zutano", minutes=1, threshold=1.0)
    refused = list(gen.rag(studio, ask))[-1]
    assert (refused.text, keys(refused), refused.unsourced) == ("", ["nothing"], False)
    last = list(gen.rag(studio, replace(ask, without_context=True)))[-1]
    assert last.text.startswith("Una frase propia.")
    assert keys(last)[0] == "without_context"
    assert (last.unsourced, last.passages, last.grounding) == (True, (), None)
    assert "Contexto:" not in engine.requests[0].messages[-1]["content"]
    assert "Escrito sin fuentes" in paper(last, "es")
    assert "Escrito sin fuentes" in base64.b64decode(download(last, "txt", "m", "es")["data"]).decode()


def test_going_on_alone_changes_nothing_where_passages_are_found(space_bundle: Path) -> None:
    studio, engine = scripted(space_bundle, "Una frase propia. " * 60)
    last = list(gen.rag(studio, Grounded("el mar", minutes=1, threshold=0, without_context=True)))[-1]
    assert not last.unsourced
    assert last.passages
    assert "Contexto:" in engine.requests[0].messages[-1]["content"]


@pytest.mark.parametrize("value", ["sí", 1, None])
def test_going_on_alone_is_true_or_false(space_bundle: Path, value: object) -> None:
    studio, _ = scripted(space_bundle, "Fin.")
    with pytest.raises(NotFlag):
        list(gen.rag(studio, Grounded("el mar", without_context=value)))


def test_a_frame_without_finding_is_shown_as_ever() -> None:
    frame = Frame("writing", 1, text="Una frase.", words=2)
    assert 'class="grounding"' not in paper(frame, "es")
    assert "Una frase." in paper(frame, "es")
    assert paper(None, "en")
