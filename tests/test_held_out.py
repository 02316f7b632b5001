"""Held-out texts are apart from the training texts, and no passage for them is of a held-out document."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from space.bundle import Bundle
from space.settings import Settings
from tests.held_out_files import conversation, prepared
from train.errors import BundlePartInvalid, NothingToEvaluate
from train.held_out import BlindStudio, Held, check_same_corpus, query_of, read_held_out, without_copies
from train.likelihood import PASSAGES, Condition, Grounding, conditions

SEA = "El mar estaba quieto aquella mañana de invierno y las barcas volvían despacio al puerto con la red vacía."


def test_validation_and_test_are_read_by_document(tmp_path: Path) -> None:
    rows = {
        "validation": [conversation("a", SEA)],
        "test": [conversation("b", "Otra cosa."), conversation("b", "Y más.")],
    }
    held = read_held_out(prepared(tmp_path / "data", rows))
    assert [(d.id, d.split, len(d.conversations)) for d in held.documents] == [
        ("a", "validation", 1),
        ("b", "test", 2),
    ]
    assert held.documents[1].text == "Otra cosa.\n\nY más."
    figures = held.to_json()
    assert (figures["documents"], figures["of_validation"], figures["recipe"]) == (2, 1, "speech")
    first = read_held_out(tmp_path / "data", limit=1)
    assert [d.id for d in first.documents] == ["a"]
    assert first.hidden == {"a", "b"}


def test_near_duplicates_of_training_texts_are_left_out_and_counted(tmp_path: Path) -> None:
    copy = f"Buenos días. {SEA} Muchas gracias a todos."
    half = "Hoy quiero hablarles de las redes de pesca que cosía mi abuela sentada en el umbral de su casa junto a la puerta."
    rows = {"train": [conversation("t", SEA)], "test": [conversation("a", copy), conversation("b", half)]}
    held = read_held_out(prepared(tmp_path / "data", rows))
    assert [d.id for d in held.documents] == ["b"]
    assert held.hidden == {"a", "b"}
    assert held.left_out == held.to_json()["near_duplicates_left_out"] == 1
    assert held.to_json()["spans_seen"] == {"words": 8, "mean": 0, "most": 0}


def test_a_share_of_training_spans_is_measured(tmp_path: Path) -> None:
    mixed = SEA + " " + " ".join(f"palabra{n}" for n in range(40))
    held = read_held_out(
        prepared(tmp_path / "data", {"train": [conversation("t", SEA)], "test": [conversation("a", mixed)]})
    )
    assert held.documents[0].seen == pytest.approx(12 / (19 + 40 - 7))


def test_a_document_of_both_splits_is_refused(tmp_path: Path) -> None:
    rows = {"train": [conversation("a", "Uno.")], "test": [conversation("a", "Dos.")]}
    with pytest.raises(BundlePartInvalid, match="1 held-out documents are in train"):
        read_held_out(prepared(tmp_path / "data", rows))


def test_nothing_held_out_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NothingToEvaluate):
        read_held_out(prepared(tmp_path / "data", {"train": [conversation("a", "Uno.")]}))


def test_data_of_another_corpus_is_refused(space_bundle: Path, tmp_path: Path) -> None:
    bundle = Bundle.load(space_bundle, verify=False)
    folder = prepared(tmp_path / "data", {"test": [conversation("a", SEA)]})
    check_same_corpus(bundle, bundle.generators[0], folder)  # this lineage names no corpus
    known = dataclasses.replace(bundle, lineage={"corpus_sha256": "b" * 64})
    with pytest.raises(BundlePartInvalid, match="made from b"):
        check_same_corpus(known, bundle.generators[0], folder)


@pytest.fixture(scope="module")
def studio(space_bundle: Path) -> BlindStudio:
    hidden = {
        json.loads(line)["document"]
        for line in (space_bundle / "indexes/charlas/passages.jsonl").read_text().splitlines()[::3]
    }
    return BlindStudio(Bundle.load(space_bundle), Settings(), frozenset(sorted(hidden)[:6]))


def test_no_passage_is_of_a_hidden_document(studio: BlindStudio) -> None:
    generator = studio.grounded[0]
    everything = len(studio.index(generator).passages)
    for query in ("el murciélago y la hoja", "la casa, el pueblo, el agua", "la música"):
        plain = super(BlindStudio, studio).search(generator, query, 5)
        hits = studio.search(generator, query, 5)
        assert len(plain) == len(hits) == 5
        assert not {hit.passage.document for hit in hits} & studio.hidden
    assert len(studio.search(generator, "la casa", everything)) < everything


def test_a_passage_that_shares_twelve_words_is_left_out(studio: BlindStudio) -> None:
    hits = studio.search(studio.grounded[0], "la casa, el pueblo, el agua", 5)
    words = hits[2].passage.text.split()
    eleven, twelve = (Held("x", "test", [conversation("x", " ".join(words[2 : 2 + n]))]) for n in (11, 12))
    assert without_copies(hits, eleven) == hits
    assert without_copies(hits, twelve) == [*hits[:2], *hits[3:]]


def test_prompts_hold_as_many_passages_as_fit(studio: BlindStudio) -> None:
    generator = studio.grounded[0]
    grounding = Grounding(studio, generator)
    held = Held("x", "test", [conversation("x", SEA)])
    [whole] = grounding.prompts(held, lambda *_: True)
    [two] = grounding.prompts(held, lambda prompt, _: "[3]" not in prompt[-1]["content"])
    [none] = grounding.prompts(held, lambda *_: False)
    marks = [[f"[{n}] " in p[-1]["content"] for n in range(1, PASSAGES + 1)] for p in (whole, two, none)]
    assert marks == [[True] * 5, [True, True, False, False, False], [False] * 5]
    assert grounding.found["answers"] == 3
    assert query_of(held.conversations[0]) == "mar, barcas y redes"


def test_conditions_are_those_that_the_bundle_has(space_bundle: Path) -> None:
    bundle = Bundle.load(space_bundle, verify=False)
    charlas, base = bundle.generators
    rag = [Condition("base + RAG", None, rag=True), Condition("charlas + RAG", "charlas", rag=True)]
    assert conditions(bundle, charlas) == [Condition("base"), Condition("charlas", "charlas"), *rag]
    control = [Condition("base"), Condition("charlas", "charlas", control=True)]
    assert conditions(bundle, base) == conditions(bundle, None) == control
