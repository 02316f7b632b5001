"""The report as the page and the cards show it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from space.bundle import Bundle
from space.report_view import page, read_report
from tests.bundles import make_bundle
from tests.held_out_files import copied
from tests.space_app import running_app
from train.bundle import add_report
from train.card_figures import results
from train.cards import CardFacts, gguf_card

TITLES = {"charlas": {"es": "Charlas", "en": "Talks"}, "chat": {"es": "Lucía", "en": "Lucía"}}


def condition(nats: float, **more: Any) -> dict[str, Any]:
    return {
        "adapter": None,
        "rag": False,
        "control": False,
        "nats_per_token": nats,
        "nats_interval": [nats - 0.1, nats + 0.1],
        "perplexity": 10 * nats,
        "perplexity_interval": [9 * nats, 11 * nats],
        "bits_per_character": nats / 2,
        "bits_interval": [nats / 3, nats],
    } | more


def listed(**counts: int) -> dict[str, float]:
    figures = {"lists": 3, "asked": 12, "items": 10, "duplicates": 1, "short": 6, "true": 2, "false": 2}
    speed = {"rounds": 2.0, "seconds": 1.5, "tokens_per_second": 300.0}
    return {**figures, "spanish": 8, "spanish_of": 8, **speed, **counts}


EVALUATION: dict[str, Any] = {
    "sets": {
        "charlas": {
            "documents": 6,
            "of_validation": 3,
            "tokens": 4913,
            "spans_seen": {"words": 8, "mean": 0.0123, "most": 0.1},
            "rag": {"passages": 5, "answers": 6, "above_threshold": 3, "copies_left_out": 0},
            "conditions": {
                "base": condition(4.6),
                "charlas": condition(
                    4.4, adapter="charlas", against_base=-0.2, against_base_interval=[-0.3, -0.1]
                ),
                "charlas + RAG": condition(
                    4.3,
                    adapter="charlas",
                    rag=True,
                    against_base=-0.3,
                    against_base_interval=[-0.4, -0.2],
                    against_plain=-0.1,
                    against_plain_interval=[-0.2, 0.05],
                ),
                "chat": condition(
                    4.8, adapter="chat", control=True, against_base=0.2, against_base_interval=[0.1, 0.3]
                ),
            },
        }
    },
    "questions": {
        "chat": {
            "texts": 3,
            "number": 4,
            "types": "both",
            "techniques": {
                "questions": {"free": listed(valid=0, borne_out=0), "served": listed(valid=3, borne_out=9)},
                "questions_system": {"free": listed(valid=1, borne_out=3)},
            },
        }
    },
    "texts": {
        "charlas": {
            "prompts": 6,
            "samples": 24,
            "seeds": [0, 23],
            "asked_words": 130,
            "judge": "a <b>judge</b>",
            "conditions": {
                "author": {
                    "adapter": None,
                    "spanish": 1.0,
                    "spanish_interval": [1.0, 1.0],
                    "judge_perplexity": 220.0,
                },
                "base": {
                    "adapter": None,
                    "spanish": 0.9,
                    "spanish_interval": [0.8, 1.0],
                    "judge_perplexity": 99.0,
                },
            },
        }
    },
}
PARITY = {"charlas": {"rows": [{"what": "F16", "check": "tokens", "found": "equal", "passed": True}]}}
COPIED = {"copied": 0.02, "copied_interval": [0.01, 0.03], "longest": 11}
ORIGINALITY = {"sets": {"charlas": {"rows": [{"model": "charlas", "topics": "held out", **COPIED}]}}}


def test_figures_are_shown_with_what_they_mean() -> None:
    shown = page({"evaluation": EVALUATION, "parity": PARITY, "originality": ORIGINALITY}, TITLES, "es")
    for part in (
        "Charlas: ¿Habla como su autor?",
        "<span>46.0<small>41.4–50.6</small></span>",
        "Charlas frente a Modelo base: −18.1 % de perplejidad (intervalo del 95 %: −25.9 a −9.5 %).",
        "Charlas + RAG frente a Charlas: −9.5 % de perplejidad (intervalo del 95 %: −18.1 a +5.1 %).",
        "6 documentos (4913 tokens)",
        "1.2 % de sus grupos de 8 palabras",
        "en 3 de 6 textos alguno llega",
        "Otro autor (Lucía)",
        "El autor",
        "1 de 1 comprobaciones superadas",
        "<td>✓</td>",
        "Charlas, temas nuevos",
        "fueron 11 palabras seguidas",
        "Lucía: Lo que pregunta",
        "Listas de 4 preguntas sobre cada uno de 3 textos",
        "Afinado, servido</dt>",
        "<span>75 %</span>",
        "Mensaje de sistema, solo",
    ):
        assert part in shown, part
    assert "a &lt;b&gt;judge&lt;/b&gt;" in shown
    assert "frente a Modelo base: +" not in shown  # the control is a bar, not a finding


def test_english_has_no_spanish_left() -> None:
    shown = page({"evaluation": EVALUATION, "parity": PARITY, "originality": ORIGINALITY}, TITLES, "en")
    assert "Talks: Does it speak like its author?" in shown
    assert "Talks against Base model: −18.1 % perplexity" in shown
    assert not any(
        word in shown for word in ("perplejidad", "Modelo", "textos", "autor", "comprobaciones", "preguntas")
    )


@pytest.mark.parametrize(
    "report", [{}, {"seed": 3}, {"evaluation": {"sets": {}, "texts": {}}}, {"parity": {}}]
)
def test_without_figures_there_is_no_page(report: dict[str, Any]) -> None:
    assert page(report, TITLES, "es") == ""


def test_a_part_that_is_missing_is_not_shown() -> None:
    bare = {"sets": {"charlas": {"conditions": {"base": {"perplexity": 9.0, "bits_per_character": 1.0}}}}}
    shown = page({"evaluation": bare}, TITLES, "es")
    assert "<span>9.0</span>" in shown
    assert "documentos" not in shown
    assert "RAG" not in shown
    assert "Lo que escribe" not in shown


def test_the_card_has_evaluation_results(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "b")
    (bundle.folder / "report.json").write_text(json.dumps({"evaluation": EVALUATION}))
    card = gguf_card(CardFacts(bundle, gguf="ana/charlas-gguf", tag="v1"))
    _, front, text = card.split("---\n", 2)
    [index] = yaml.safe_load(front)["model-index"]
    assert index["name"] == bundle.name
    found = {(metric["name"], metric["value"]) for r in index["results"] for metric in r["metrics"]}
    assert ("perplexity, charlas + RAG", 43.0) in found
    assert len(found) == len(list(results({"evaluation": EVALUATION}))) == 8
    assert "| questions | served | 3 of 3 | 10 of 12 | 9 of 10 (90%) |" in text
    assert index["results"][0]["dataset"]["name"] == "charlas, 6 documents held out"
    assert "| charlas | 6 | chat (wrong author) | 48.0 |" in text
    assert "charlas + RAG against the same model without passages: -0.100 (-0.200 to +0.050)." in text
    assert "| charlas | author | 1 | – |" in text


def test_a_card_without_comparison_has_no_results(tmp_path: Path) -> None:
    card = gguf_card(CardFacts(make_bundle(tmp_path / "b"), gguf="ana/charlas-gguf", tag="v1"))
    assert "model-index" not in card


@pytest.mark.browser
def test_the_report_fits_a_phone_and_speaks_both_languages(
    space_bundle: Path, browser: Any, tmp_path: Path
) -> None:
    bundle = add_report(copied(space_bundle, tmp_path / "bundle"), "evaluation", EVALUATION)
    assert read_report(Bundle.load(bundle.folder)) == {"evaluation": EVALUATION}
    with running_app(tmp_path / "log", bundle=bundle.folder, threads=1) as url:
        phone = browser.new_page(viewport={"width": 390, "height": 844}, has_touch=True)
        phone.goto(url)
        phone.wait_for_selector("#write-finetuned:not([disabled])")
        if not phone.get_by_role("tab", name="Informe").is_visible():
            phone.get_by_label("More tabs").tap()
        phone.get_by_role("tab", name="Informe").or_(
            phone.locator(".overflow-dropdown button", has_text="Informe")
        ).first.tap()
        phone.get_by_text("¿Habla como su autor?").wait_for()
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390
        bar = phone.locator(".report .own svg rect").first.bounding_box()
        assert bar["width"] > 60
        assert bar["x"] + bar["width"] < 300
        phone.get_by_text("Más cifras").tap()
        assert phone.get_by_text("Como suele medirse").is_visible()
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390
        phone.get_by_label("English").check()
        phone.get_by_text("Does it speak like its author?").wait_for()
        phone.close()
