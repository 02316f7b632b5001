"""Citations and texts without sources on the page, in headless Chromium (Debian's), with the embedded bundle.

    pytest tests/test_grounding_page.py

Skipped where /usr/bin/chromium is absent (`apt install chromium`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.space_app import WAIT, adjust, running_app

OPENING = (
    "Uno es panadero. Al final de la semana tenía tres amigos. Al final de la semana tenía nueve amigos."
)

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_app(tmp_path_factory.mktemp("page") / "app.log", threads=1, parallel=1) as url:
        yield url


@pytest.fixture(params=[1280, 390], ids=["desktop", "phone"])
def page(browser: Any, app: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The RAG tab; a script error fails the test."""
    context = browser.new_context(viewport={"width": request.param, "height": 860})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    one = context.new_page()
    errors: list[str] = []
    one.on("pageerror", lambda error: errors.append(str(error)))
    one.set_default_timeout(WAIT)
    one.goto(app)
    one.get_by_role("tab").nth(1).click()
    one.wait_for_selector("#write-rag:not([disabled])")
    yield one
    context.close()
    assert errors == []


def ask(page: Any, topics: str, opening: str = "", threshold: str = "0.5") -> None:
    page.locator("#topics-rag textarea").fill(topics)
    adjust(page, "Duración en minutos", "1")
    page.get_by_role("button", name="Más ajustes").last.click()
    adjust(page, "Relevancia mínima", threshold)
    adjust(page, "Primera frase", opening)
    page.locator("#write-rag").click()
    page.wait_for_selector("#sheet-rag .state.done")


def test_a_citation_leads_to_its_passage_and_is_not_copied(page: Any, tmp_path: Path) -> None:
    ask(page, "los amigos, un niño nuevo en la clase", OPENING)
    sentences = page.locator("#sheet-rag .sentence")
    cited = sentences.filter(has_text="tres amigos").locator(".cite")
    assert sentences.filter(has_text="nueve amigos").locator(".bare").count() == 1
    number = cited.get_attribute("data-number").strip("[]")
    passage = page.locator(f"#passage-{number}")
    assert not passage.is_visible()
    cited.scroll_into_view_if_needed()
    page.screenshot(path=tmp_path / "cited.png")
    cited.hover()
    page.wait_for_timeout(200)
    page.screenshot(path=tmp_path / "hover.png")
    cited.click()
    passage.wait_for(state="visible")
    assert "Al final de la semana tenía tres amigos" in passage.inner_text()
    page.wait_for_timeout(300)
    page.screenshot(path=tmp_path / "passage.png")
    page.locator("#sheet-rag").get_by_role("button", name="Copiar").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(OPENING)
    assert "[" not in copied
    assert "○" not in copied
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_without_passages_the_page_says_so_and_goes_on_when_asked(page: Any, tmp_path: Path) -> None:
    ask(page, "xilófono zutano", threshold="1")
    assert "No se ha escrito nada" in page.locator("#sheet-rag .note").inner_text()
    alone = page.locator("#sheet-rag-alone")
    alone.scroll_into_view_if_needed()
    page.screenshot(path=tmp_path / "nothing.png")
    alone.click()
    page.wait_for_selector("#sheet-rag .paper p:not(.hollow)")
    page.wait_for_selector("#sheet-rag .state.done")
    assert page.locator("#sheet-rag .unsourced").inner_text() == "Escrito sin fuentes"
    assert "Escrito sin fragmentos" in page.locator("#sheet-rag .note").first.inner_text()
    assert not alone.is_visible()
    page.locator("#sheet-rag .unsourced").scroll_into_view_if_needed()
    page.screenshot(path=tmp_path / "unsourced.png")
