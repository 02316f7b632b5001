"""The line on originality in the real app: the page in headless Chromium, and the endpoint.

pytest tests/test_originality_page.py
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client

from space import generators as gen
from space.bundle import Bundle
from space.files import FileEntry
from space.frames import Speech
from space.originals import Originals, Source, words
from space.settings import Settings
from space.studio import Studio
from tests.space_app import ROOT, WAIT, errors_in, running_app

SEED = 7
SOURCE = Source("La casa que dura un día", "01-la-casa.md")


@pytest.fixture(scope="module")
def app(space_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An app whose model repeats 20 words of a document: what it writes with SEED (and as many texts at once) was put there."""
    folder = tmp_path_factory.mktemp("originality") / "bundle"
    shutil.copytree(space_bundle, folder)
    bundle = Bundle.load(folder)
    studio = Studio(bundle, Settings(threads=1, parallel=1))
    written = words(list(gen.finetuned(studio, Speech("el mar", minutes=1, seed=SEED)))[-1].text)
    (folder / "originals").mkdir()
    path = folder / "originals" / "charlas.bin"
    Originals.of([(0, " ".join(written[10:30]))], [SOURCE]).save(path)
    files = {**bundle.files, "originals/charlas.bin": FileEntry.of(path)}
    replace(bundle, files=files, originals={"charlas": "originals/charlas.bin"}).write()
    with running_app(folder.parent / "app.log", bundle=folder, threads=1, parallel=1) as url:
        yield url
    assert not errors_in(folder.parent / "app.log")


def test_the_endpoint_tells_it_while_the_text_grows(app: str) -> None:
    steps = list(Client(app, verbose=False).submit("el mar", minutes=1, seed=SEED, api_name="/finetuned"))
    found = steps[-1][1]["originality"]
    assert found["longest_words"] == 20
    assert (found["spans"][0]["title"], found["spans"][0]["source"]) == (SOURCE.title, SOURCE.source)
    assert found["original"] == pytest.approx(1 - 13 / found["ngrams"], abs=1e-4)
    guide = (ROOT / "docs" / "api.md").read_text("utf-8")
    assert all(f"`{key}`" in guide for key in found)


@pytest.mark.browser
def test_a_click_shows_the_span_and_its_source(app: str, browser: Any, tmp_path: Path) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(WAIT)
    page.goto(app)
    page.wait_for_selector("#write-finetuned:not([disabled])")
    page.locator("#topics-finetuned textarea").fill("el mar")
    page.get_by_role("button", name="Más ajustes").first.click()
    for label, value in (("Duración en minutos", 1), ("Semilla", SEED)):
        page.get_by_label(label).first.fill(str(value))
        page.get_by_label(label).first.press("Tab")  # a number counts when its field is left
    page.locator("#write-finetuned").click()
    page.wait_for_selector("#sheet-finetuned .state.done")
    line = page.locator("#sheet-finetuned details.originality")
    assert "lo más largo repetido: 20 palabras" in line.locator("summary").inner_text()
    assert not line.locator("q").is_visible()
    line.locator("summary").click()
    assert len(words(line.locator("q").inner_text())) == 20
    assert "La casa que dura un día · 01-la-casa.md" in line.inner_text()
    page.screenshot(path=tmp_path / "originality.png")
    page.close()
