"""The chat in the real app: the endpoint through gradio_client, and the tab in headless Chromium.

pytest tests/test_chat_page.py
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client

from tests.chat_bundle import make_chat_bundle
from tests.space_app import ROOT, WAIT, cancel, errors_in, running_app


@pytest.fixture(scope="module")
def app(tiny_gguf: Path, tiny_lora_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("chat-app")
    bundle = make_chat_bundle(folder / "bundle", tiny_gguf, tiny_lora_gguf)
    with running_app(folder / "app.log", bundle=str(bundle.folder), threads=1, parallel=2) as url:
        yield url
    assert not errors_in(folder / "app.log")


@pytest.fixture
def page(browser: Any, app: str) -> Iterator[Any]:
    """The page at desktop width; a script error fails the test."""
    errors: list[str] = []
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_default_timeout(WAIT)
    page.goto(app)
    page.wait_for_selector("#write-chat:not([disabled])")
    yield page
    page.close()
    assert errors == []


def test_the_endpoint_streams_bubbles_and_takes_its_history_back(app: str) -> None:
    client = Client(app, verbose=False)
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert sorted(named) == ["/chat", "/info"]
    guide = (ROOT / "docs" / "api.md").read_text("utf-8")
    assert all(f"`{p['parameter_name']}`" in guide for p in named["/chat"]["parameters"])
    steps = list(client.submit("hola", seed=4, api_name="/chat"))
    replies = ["\n".join(bubbles) for bubbles, _ in steps]
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(replies[:-1]))
    bubbles, details = steps[-1]
    assert details["phase"] == "done"
    assert details["persona"] == "Lucía Ferreyra"
    assert [turn["role"] for turn in details["history"]] == ["user", "assistant"]
    assert details["history"][1]["content"] == "\n".join(bubbles)
    more, after = client.predict("¿y?", history=details["history"], seed=4, api_name="/chat")
    assert after["history"][:2] == details["history"]
    assert more
    assert client.predict("hola", seed=4, api_name="/chat")[0] == bubbles


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"history": [{"role": "system", "content": "x"}]}, "tiene que llevar el papel «user»"),
        ({"history": [{"role": "user", "content": "x"}], "language": "en"}, "which nobody answered"),
        ({"history": "x"}, "tiene que ser una lista"),
        ({"generator": "nadie"}, "Hay: lucia, ana"),
        ({"message": {"a": 1}}, "«Mensaje» tiene que ser texto"),
    ],
)
def test_bad_arguments_are_named_errors(app: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(Exception, match=message):
        Client(app, verbose=False).predict(**{"message": "hola", **arguments}, api_name="/chat")


def finished(page: Any, replies: int) -> None:
    page.wait_for_function(f"document.querySelectorAll('#chat .turn.them').length == {replies}")
    page.wait_for_selector("#chat .state.done")
    page.wait_for_selector("#write-chat:not([disabled])")


@pytest.mark.browser
def test_a_conversation_on_the_page(page: Any) -> None:
    note = page.locator("#chat .machine")
    page.locator("#chat .chips .gallery-item:visible").first.click()
    finished(page, 1)
    attack = "<img src=x onerror=\"document.title='roto'\">\n{{7*7}}"
    page.locator("#message-chat textarea").fill(attack)
    page.locator("#write-chat").click()
    finished(page, 2)
    assert page.locator("#chat .turn.you p").all_inner_texts()[-2:] == attack.split("\n")
    assert page.title() == "Orador"
    assert page.locator("#message-chat textarea").input_value() == ""
    page.locator("#begin-chat").click()
    finished(page, 3)
    assert "escribe sin que nadie le pregunte" in page.locator("#chat .log").inner_text()
    assert note.inner_text().startswith("Es una máquina que imita a Lucía Ferreyra")
    page.get_by_label("English").check()
    page.wait_for_function(
        "document.querySelector('#chat .machine').innerText.includes('machine that imitates')"
    )
    assert page.locator("#chat .turn.them").count() == 3
    page.get_by_label("Generator").click()
    page.get_by_role("option", name="Ana").click()
    page.wait_for_function("document.querySelector('#chat header b').innerText == 'Ana <b>{x}</b>'")
    assert page.locator("#chat .turn").count() == 0
    page.locator("#message-chat textarea").fill("hola")
    page.locator("#message-chat textarea").press("Enter")
    finished(page, 1)
    page.locator("#again-chat").click()
    page.wait_for_selector("#chat .nothing")


@pytest.mark.browser
def test_stop_and_errors_lose_nothing(page: Any, app: str) -> None:
    page.locator("#write-chat").click()
    toast = page.get_by_test_id("toast-body")
    toast.wait_for()
    assert "«Mensaje» está vacío" in toast.inner_text()
    client = Client(app, verbose=False)
    jobs = [client.submit("hola", seed=n, api_name="/chat") for n in range(6)]
    page.locator("#message-chat textarea").fill("espero")
    page.locator("#write-chat").click()
    page.wait_for_selector("#chat .turn.you")
    page.locator("#stop-chat").click()
    page.wait_for_selector("#write-chat:not([disabled])")
    kept = page.locator("#chat .turn.them p").all_inner_texts()
    assert kept or page.locator("#message-chat textarea").input_value() == "espero"
    cancel(jobs)
    page.wait_for_timeout(300)
    page.locator("#message-chat textarea").fill("x" * 2001)
    page.locator("#write-chat").click()
    page.wait_for_function("document.body.innerText.includes('el límite es 2000')")
    page.wait_for_selector("#write-chat:not([disabled])")
    assert page.locator("#message-chat textarea").input_value() == "x" * 2001


@pytest.mark.browser
def test_the_chat_fits_a_phone(page: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("#chat .chips .gallery-item:visible").first.click()
    finished(page, 1)
    log = page.locator("#chat .log")
    gap = log.evaluate(
        "e => e.getBoundingClientRect().bottom - e.querySelector('.turn:last-child').getBoundingClientRect().bottom"
    )
    assert gap >= 0 or log.evaluate("e => e.scrollHeight <= e.clientHeight"), "the last bubble is in sight"
