"""The page in headless Chromium (Debian's): examples, streaming, Stop, files, languages, phone width.

    pytest tests/test_page.py

Skipped where /usr/bin/chromium is absent (`apt install chromium`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client

from tests.space_app import SETTLED, WAIT, adjust, cancel, running_app, stop_at_first

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def app(space_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_app(
        tmp_path_factory.mktemp("page") / "app.log",
        bundle=space_bundle,
        threads=1,
        parallel=1,
        max_minutes=60,
    ) as url:
        yield url


@pytest.fixture
def page(browser: Any, app: str) -> Iterator[Any]:
    """The page at desktop width; a script error fails the test."""
    one = browser.new_page(viewport={"width": 1280, "height": 900})
    errors: list[str] = []
    one.on("pageerror", lambda error: errors.append(str(error)))
    _open(one, app)
    yield one
    one.close()
    assert errors == []


def _open(page: Any, app: str) -> None:
    page.set_default_timeout(WAIT)
    page.goto(app)
    page.wait_for_selector("#write-finetuned:not([disabled])")


def _finished(page: Any, tab: str = "finetuned") -> None:
    page.wait_for_selector(f"#sheet-{tab} .state.done")
    page.wait_for_selector(f"#write-{tab}:not([disabled])")


def test_an_example_writes_a_speech_at_a_click(page: Any, tmp_path: Path) -> None:
    page.locator(".chips .gallery-item:visible").first.click()
    _finished(page)
    assert page.locator("#topics-finetuned textarea").input_value() == "la memoria y los mapas"
    assert len(page.locator("#sheet-finetuned .paper").inner_text().split()) > 10
    figures = page.locator("#sheet-finetuned .figures").inner_text()
    assert all(word in figures for word in ("palabras", "hablado", "tokens/s", "semilla"))
    shot = tmp_path / "desktop.png"
    page.screenshot(path=shot, full_page=True)
    assert shot.stat().st_size > 20_000


def test_the_text_appears_while_it_is_written_and_stop_keeps_it(page: Any) -> None:
    page.locator("#topics-finetuned textarea").fill("el mar")
    adjust(page, "Duración en minutos", "60")
    stop_at_first(page, "#sheet-finetuned .paper p:not(.hollow)", "#stop-finetuned")
    page.locator("#write-finetuned").click()
    page.wait_for_selector("#sheet-finetuned .state.stopped")
    page.wait_for_selector("#write-finetuned:not([disabled])")
    kept = page.locator("#sheet-finetuned .paper").inner_text()
    assert kept
    page.wait_for_timeout(SETTLED)
    assert page.locator("#sheet-finetuned .paper").inner_text() == kept
    assert page.locator("#sheet-finetuned .state.stopped").count() == 1
    assert page.locator(".tools button:visible").count() > 1
    assert page.locator(".tools button[disabled]:visible").count() == 0
    assert page.locator("#sheet-finetuned .caret").count() == 0


@pytest.mark.parametrize("kind", ["txt", "md", "docx"])
def test_the_speech_can_be_saved(page: Any, kind: str, tmp_path: Path) -> None:
    page.locator("#topics-finetuned textarea").fill("el mar")
    page.locator("#topics-finetuned textarea").press("Shift+Enter")
    _finished(page)
    with page.expect_download() as saved:
        page.locator(f"#sheet-finetuned-{kind}").click()
    assert saved.value.suggested_filename == f"el-mar.{kind}"
    saved.value.save_as(tmp_path / "file")
    data = (tmp_path / "file").read_bytes()
    assert data.startswith(b"PK" if kind == "docx" else b"El mar" if kind == "txt" else b"# El mar")


def test_rag_shows_passages_and_then_a_text(page: Any, tmp_path: Path) -> None:
    page.get_by_role("tab").nth(1).click()
    page.locator("#topics-rag textarea").fill("la casa, el pueblo, el agua")
    page.get_by_role("button", name="Más ajustes").last.click()
    adjust(page, "Relevancia mínima", "0")
    page.locator("#write-rag").click()
    page.wait_for_selector("#sheet-rag .passage")
    _finished(page, "rag")
    assert page.locator("#sheet-rag .passage").count() == 5
    page.locator("#sheet-rag .passage summary").first.click()
    assert len(page.locator("#sheet-rag .passage p").first.inner_text().split()) > 10
    page.screenshot(path=tmp_path / "rag.png", full_page=True)


def test_the_place_in_the_queue_is_shown(page: Any, app: str) -> None:
    client = Client(app, verbose=False)
    jobs = [client.submit("el mar", minutes=30, seed=n, api_name="/finetuned") for n in range(8)]
    page.locator("#topics-finetuned textarea").fill("el mar")
    page.locator("#write-finetuned").click()
    place = page.locator("#sheet-finetuned [data-testid=status-tracker]:not(.hide)").first
    page.wait_for_function("document.querySelector('#sheet-finetuned').innerText.includes('queue: ')")
    assert place.is_visible()
    page.locator("#stop-finetuned").click()
    cancel(jobs)


def test_an_error_is_shown_and_the_page_goes_on(page: Any) -> None:
    page.locator("#write-finetuned").click()
    toast = page.get_by_test_id("toast-body")
    toast.wait_for()
    assert "«Temas» está vacío" in toast.inner_text()
    page.wait_for_selector("#write-finetuned:not([disabled])")


def test_what_a_visitor_types_never_becomes_a_part_of_the_page(page: Any) -> None:
    page.locator("#topics-finetuned textarea").fill("mar")
    page.get_by_role("button", name="Más ajustes").first.click()
    attack = "<img src=x onerror=\"document.title='roto'\"> {{7*7}} ${7*7}"
    page.get_by_label("Primera frase").first.fill(attack)
    page.locator("#write-finetuned").click()
    _finished(page)
    assert page.locator("#sheet-finetuned .paper").inner_text().startswith(attack)
    assert page.title() == "Orador"


def test_the_language_changes_every_text(page: Any) -> None:
    spanish = page.locator("body").inner_text()
    assert "Escribir el discurso" in spanish
    page.get_by_label("English").check()
    page.wait_for_function("document.body.innerText.includes('Write the speech')")
    english = page.locator("body").inner_text()
    for phrase in (
        "Fine-tuned",
        "Length in minutes",
        "About this model",
        "The speech will appear here",
        "Base model",
    ):
        assert phrase in english
    assert not any(phrase in english for phrase in ("Escribir", "Temas", "Duración", "Acerca", "Parar"))
    page.locator("#write-finetuned").click()
    toast = page.get_by_test_id("toast-body")
    toast.wait_for()
    assert "is empty" in toast.inner_text()


def test_the_page_fits_a_phone(browser: Any, app: str, tmp_path: Path) -> None:
    phone = browser.new_page(viewport={"width": 390, "height": 844}, has_touch=True)
    _open(phone, app)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    phone.locator(".chips .gallery-item:visible").first.tap()
    _finished(phone)
    phone.wait_for_timeout(800)
    assert phone.locator("#sheet-finetuned .figures").bounding_box()["y"] < 844
    phone.screenshot(path=tmp_path / "phone.png")
    phone.close()


def test_every_field_has_a_name(page: Any) -> None:
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('input, textarea, button')].filter(e => {
            const text = (e.labels && [...e.labels].map(l => l.innerText).join('')) || e.getAttribute('aria-label') || e.innerText || e.title;
            return e.offsetParent && !(text || '').trim() && e.type !== 'range';
        }).map(e => e.outerHTML.slice(0, 120))"""
    )
    assert nameless == []
