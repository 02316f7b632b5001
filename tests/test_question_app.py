"""Questions through the real app: the endpoint, its documentation as it is printed, and the tab in Chromium.

pytest tests/test_question_app.py
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client

from tests.question_bundle import TEXT, make_question_bundle
from tests.space_app import ROOT, SETTLED, WAIT, errors_in, running_app, stop_at_first


@pytest.fixture(scope="module")
def app(space_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("questions")
    make_question_bundle(space_bundle, folder / "bundle")
    with running_app(
        folder / "app.log",
        bundle=str(folder / "bundle"),
        threads=1,
        parallel=1,
        wikipedia_url="http://127.0.0.1:9",
    ) as url:
        yield url
    assert not errors_in(folder / "app.log")


@pytest.fixture
def client(app: str) -> Client:
    return Client(app, verbose=False)


def test_the_list_streams_and_its_seed_repeats_it(client: Client) -> None:
    steps = list(client.submit(TEXT, number=3, types="both", seed=5, api_name="/questions"))
    counts = [len(items) for items, _ in steps]
    assert counts == sorted(counts)
    items, details = steps[-1]
    assert details["phase"] == "done"
    assert (details["number"], details["seed"], details["technique"]) == (3, 5, "questions")
    assert [item["type"] for item in items] == ["short", "short", "truefalse"][: len(items)]
    for item in items:
        assert item["evidence"] in TEXT
        assert isinstance(item["answer"], str if item["type"] == "short" else bool)
    assert client.predict(TEXT, number=3, types="both", seed=5, api_name="/questions")[0] == items


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"text": ""}, "«Texto» está vacío"),
        ({"text": "x" * 20_001}, "el límite es 20000"),
        ({"text": TEXT, "number": 11}, "entre 1 y 10"),
        ({"text": TEXT, "types": "essay", "language": "en"}, "short, truefalse, both"),
        ({"text": TEXT, "technique": "magic"}, "questions_few_shot"),
    ],
)
def test_bad_arguments_are_named_errors(client: Client, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(Exception, match=message):
        client.predict(**arguments, api_name="/questions")


def test_the_documentation_is_true(app: str, client: Client) -> None:
    guide = (ROOT / "docs" / "api.md").read_text("utf-8")
    endpoint = client.view_api(return_format="dict", print_info=False)["named_endpoints"]["/questions"]
    for parameter in endpoint["parameters"]:
        assert f"| `{parameter['parameter_name']}` |" in guide
    section = guide.split("## Questions\n")[1].split("\n## ")[0]
    items, details = client.predict(TEXT, number=1, seed=1, api_name="/questions")
    for name in (*details, *(name for item in items for name in item)):
        assert f"`{name}`" in section
    code = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert code
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code[1].replace("http://127.0.0.1:7860", app), {})
    assert "done" in printed.getvalue()


def test_info_tells_the_kinds_and_limits(client: Client) -> None:
    info = client.predict(api_name="/info")
    assert [g["kind"] for g in info["generators"]] == ["speech", "speech", "questions"]
    assert info["generators"][-1]["tabs"] == ["questions"]
    assert info["limits"]["questions"] == 10
    assert info["limits"]["question_text_characters"] == 20_000


@pytest.fixture(params=[1280, 390], ids=["desktop", "phone"])
def page(browser: Any, app: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The tab at a width; a script error fails the test."""
    one = browser.new_page(viewport={"width": request.param, "height": 850})
    errors: list[str] = []
    one.on("pageerror", lambda error: errors.append(str(error)))
    one.set_default_timeout(WAIT)
    one.goto(app)
    one.get_by_role("tab", name="Preguntas").click()
    one.wait_for_selector("#write-questions:not([disabled])")
    yield one
    assert one.evaluate("document.documentElement.scrollWidth") <= request.param
    one.close()
    assert errors == []


def finished(page: Any) -> None:
    page.wait_for_selector("#sheet-questions .state.done")
    page.wait_for_selector("#write-questions:not([disabled])")


@pytest.mark.browser
def test_an_example_writes_questions_at_a_click(page: Any, tmp_path: Path) -> None:
    chips = page.locator(".chips .gallery-item:visible")
    assert [chip.strip() for chip in chips.all_inner_texts()] == [
        "La panadería",
        "Ramona Salas abrió la panadería de la…",
    ]
    chips.first.click()
    finished(page)
    assert page.locator("#text-questions textarea").input_value() == TEXT
    assert page.locator("#count-questions").inner_text() == f"{len(TEXT)} de 20000 caracteres"
    assert page.locator("#number-questions input[type=number]").input_value() == "4"
    items = page.locator("#sheet-questions .quiz li")
    assert items.count() >= 2
    assert page.locator("#sheet-questions .solution p").first.is_hidden()
    page.get_by_role("button", name="Soluciones", exact=True).click()
    assert page.locator("#sheet-questions .solution p").last.is_visible()
    page.locator("#sheet-questions .evidence summary").first.click()
    assert page.locator("#sheet-questions blockquote").first.inner_text() in TEXT
    with page.expect_download() as saved:
        page.locator("#sheet-questions-gift").click()
    assert saved.value.suggested_filename == "preguntas.gift.txt"
    saved.value.save_as(tmp_path / "file")
    assert (tmp_path / "file").read_text("utf-8").count("[plain]") == items.count()


@pytest.mark.browser
def test_stop_keeps_what_is_there(page: Any) -> None:
    page.locator("#text-questions textarea").fill(TEXT)
    page.locator("#number-questions input[type=number]").fill("10")
    page.locator("#number-questions input[type=number]").press("Tab")
    stop_at_first(page, "#sheet-questions .state.writing", "#stop-questions")
    page.locator("#write-questions").click()
    page.wait_for_selector("#sheet-questions .state.stopped, #sheet-questions .state.done")
    page.wait_for_selector("#write-questions:not([disabled])")
    page.wait_for_timeout(SETTLED)
    assert page.locator("#sheet-questions .state.stopped, #sheet-questions .state.done").count() == 1
    assert page.locator("#sheet-questions .caret").count() == 0


@pytest.mark.browser
def test_a_file_comes_in_parts_and_techniques_side_by_side(page: Any, tmp_path: Path) -> None:
    (tmp_path / "panadería.txt").write_text("\n\n".join([TEXT] * 400), "utf-8")
    page.get_by_role("button", name="De un archivo o de Wikipedia").click()
    with page.expect_file_chooser() as chosen:
        page.locator("#file-questions").click()
    chosen.value.set_files(tmp_path / "panadería.txt")
    page.wait_for_selector(".origin:visible")
    assert re.search(r"parte 1 de \d+", page.locator(".origin").inner_text())
    page.locator("#text-questions textarea").fill(TEXT)
    page.locator("#number-questions input[type=number]").fill("1")
    page.locator("#number-questions input[type=number]").press("Tab")
    page.get_by_role("button", name="Más ajustes").locator("visible=true").click()
    page.get_by_label("Comparar todas").locator("visible=true").check()
    page.locator("#write-questions").click()
    page.wait_for_function("document.querySelectorAll('.side-by-side section .state.done').length === 4")
    page.wait_for_selector("#write-questions:not([disabled])")
    page.locator("#sheet-questions-csv").click()
    toast = page.get_by_test_id("toast-body")
    toast.wait_for()
    assert "una sola lista" in toast.inner_text()


@pytest.mark.browser
def test_an_article_of_a_wiki_that_is_not_there_is_an_error(page: Any) -> None:
    page.get_by_role("button", name="De un archivo o de Wikipedia").click()
    page.locator("#article-questions input, #article-questions textarea").fill("Maria Sibylla Merian")
    page.locator("#fetch-questions").click()
    toast = page.get_by_test_id("toast-body")
    toast.wait_for()
    assert "No se puede leer Wikipedia" in toast.inner_text()
    assert page.locator("#text-questions textarea").input_value() == ""


@pytest.mark.browser
def test_an_error_and_the_other_language(page: Any) -> None:
    page.get_by_label("English").check()
    page.wait_for_function("document.body.innerText.includes('Write the questions')")
    # The labels change one after the other.
    page.wait_for_function(
        "!['Texto', 'Preguntas', 'Soluciones', 'caracteres'].some(word => document.body.innerText.includes(word))"
    )
    page.locator("#write-questions").click()
    toast = page.get_by_test_id("toast-body")
    toast.wait_for()
    assert "“Text” is empty" in toast.inner_text()
    page.wait_for_selector("#write-questions:not([disabled])")
