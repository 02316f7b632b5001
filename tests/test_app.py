"""The real app in a process of its own, through gradio_client and plain HTTP."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client

from tests.space_app import ROOT, app_environment, cancel, errors_in, running_app

QUEUE = 6
LONG: dict[str, Any] = {"topics": "el mar", "minutes": 10, "creativity": 1}
"""Some thousands of tokens: long enough to be interrupted."""


@pytest.fixture(scope="module")
def app(space_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("app") / "app.log"
    with running_app(log, bundle=space_bundle, queue_size=QUEUE, threads=1, parallel=1) as url:
        yield url
    assert not errors_in(log)


@pytest.fixture
def client(app: str) -> Client:
    return Client(app, verbose=False)


def test_the_endpoints_are_the_documented_ones(client: Client) -> None:
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert sorted(named) == ["/finetuned", "/info", "/rag", "/search"]
    guide = (ROOT / "docs" / "api.md").read_text("utf-8")
    for name, endpoint in named.items():
        assert f"`{name}`" in guide
        for parameter in endpoint["parameters"]:
            assert f"`{parameter['parameter_name']}`" in guide, (name, parameter["parameter_name"])


def test_a_text_streams_cumulatively_and_its_seed_repeats_it(client: Client) -> None:
    steps = list(client.submit("el mar, la paciencia", minutes=3, seed=5, api_name="/finetuned"))
    texts = [text for text, _ in steps]
    assert len(set(texts)) > 3
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(texts[:-1]))
    text, details = steps[-1]
    assert details["phase"] == "done"
    assert details["words"] == len(text.split())
    assert details["seed"] == 5
    again = client.predict("el mar, la paciencia", minutes=3, seed=5, api_name="/finetuned")
    assert again[0] == text


def test_rag_gives_the_passages_first(client: Client) -> None:
    steps = list(client.submit("el mar", passages=3, threshold=0, minutes=1, seed=1, api_name="/rag"))
    first = next(passages for _, passages, _ in steps if passages)
    assert [p["score"] for p in first] == sorted((p["score"] for p in first), reverse=True)
    assert first[0]["source"]
    text, passages, _ = steps[-1]
    assert len(passages) == 3
    assert text


def test_rag_says_when_nothing_passes(client: Client) -> None:
    text, passages, details = client.predict("zutano", threshold=1, language="en", api_name="/rag")
    assert (text, passages) == ("", [])
    assert "lowest relevance" in details["notes"][0]["message"]


def test_search_and_info(client: Client) -> None:
    assert len(client.predict("el mar", passages=4, threshold=0, api_name="/search")) == 4
    info = client.predict(api_name="/info")
    assert info["bundle"] == "orador-tiny-es"
    assert [g["tabs"] for g in info["generators"]] == [["finetuned", "rag"], ["finetuned"]]
    assert info["engine"]["calibration"]["kernels"] == {"repack": True, "halved": False, "exact": True}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"topics": ""}, "«Temas» está vacío"),
        ({"topics": 5}, "tiene que ser texto"),
        ({"topics": "x" * 100_000}, "el límite es 2000"),
        ({"topics": "mar", "minutes": 0}, "entre 1 y 10"),
        ({"topics": "mar", "minutes": "<b>dos</b>", "language": "en"}, "must be a number between 1 and 10"),
        ({"topics": "mar", "seed": "x", "language": "zz"}, "«Semilla»"),
        ({"topics": "mar", "generator": "nadie"}, "Hay: charlas, base"),
        ({"topics": {"a": [1]}, "language": 7}, "tiene que ser texto"),
    ],
)
def test_bad_arguments_are_named_errors(client: Client, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(Exception, match=message) as caught:
        client.predict(**arguments, api_name="/finetuned")
    assert "<b>" not in str(caught.value)


def post(app: str, name: str, arguments: dict[str, Any]) -> str:
    """Begins a call over plain HTTP and returns its event's address."""
    answer = httpx.post(f"{app}/gradio_api/call/v2/{name}", json=arguments)
    answer.raise_for_status()
    return f"{app}/gradio_api/call/{name}/{answer.json()['event_id']}"


def events(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    """The events of a stream: name and data."""
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def test_plain_http_streams_too(app: str) -> None:
    with httpx.stream(
        "GET", post(app, "finetuned", {"topics": "mar", "minutes": 1, "seed": 2}), timeout=60
    ) as answer:
        got = list(events(answer.iter_lines()))
    assert got[-1][0] == "complete"
    assert got[-1][1][1]["phase"] == "done"
    assert any(name == "generating" and data[0] for name, data in got)


def seconds_to_text(client: Client) -> float:
    begun = time.monotonic()
    client.predict("mar", minutes=1, api_name="/finetuned")
    return time.monotonic() - begun


def test_a_client_that_goes_away_frees_its_place(app: str, client: Client) -> None:
    usual = seconds_to_text(client)
    begun = time.monotonic()
    whole = client.predict(**LONG, seed=1, api_name="/finetuned")
    long = time.monotonic() - begun
    assert whole[1]["tokens"] > 500
    with httpx.stream("GET", post(app, "finetuned", {**LONG, "seed": 2}), timeout=60) as answer:
        for name, data in events(answer.iter_lines()):
            if name == "generating" and data[0]:
                break
    assert seconds_to_text(client) < usual + long / 2


def test_a_cancelled_job_frees_its_place(client: Client) -> None:
    job = client.submit(**LONG, seed=3, api_name="/finetuned")
    for text, _ in job:
        if text:
            break
    cancel([job])
    assert client.predict("mar", minutes=1, seed=1, api_name="/finetuned")[1]["phase"] == "done"


def test_ten_at_once_get_their_own_text_or_a_clear_refusal(app: str) -> None:
    def ask(seed: int, creativity: float = 0.5) -> Any:
        arguments = {"minutes": 1, "seed": seed, "creativity": creativity}
        try:
            return Client(app, verbose=False).predict("el mar", **arguments, api_name="/finetuned")
        except Exception as error:
            return str(error)

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(ask, range(10)))
    texts = {seed: answer[0] for seed, answer in enumerate(answers) if not isinstance(answer, str)}
    refusals = [answer for answer in answers if isinstance(answer, str)]
    assert len(texts) >= QUEUE
    assert all("full" in refusal for refusal in refusals)
    # written anew: another request to the memory of answers, the same temperature in llama.cpp's single precision
    assert {seed: ask(seed, 0.5 + 1e-12)[0] for seed in texts} == texts


def test_pages_scripts_and_files_of_the_machine_are_not_served(app: str) -> None:
    assert httpx.get(f"{app}/gradio_api/file=/etc/passwd").status_code in (403, 404)
    assert httpx.get(f"{app}/gradio_api/file={ROOT}/app.py").status_code in (403, 404)
    assert httpx.get(f"{app}/monitoring").status_code in (403, 404)


@pytest.mark.skipif(find_spec("mcp") is None, reason="the mcp extra of gradio is not installed")
def test_the_mcp_server_offers_the_endpoints(app: str) -> None:
    tools = httpx.get(f"{app}/gradio_api/mcp/schema").json()
    assert {tool["name"].rpartition("_")[2] for tool in tools} >= {"finetuned", "rag", "search", "info"}


def test_without_a_bundle_the_app_ends_with_the_reason(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env=app_environment(bundle=tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: no bundle.json")
    assert "Traceback" not in ended.stderr


def test_serving_imports_nothing_of_training(space_bundle: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from space.bundle import Bundle\nfrom space.settings import Settings\n"
        "from space.studio import Studio\nfrom space.tabs import build\n"
        "from space.generators import rag\nfrom space.frames import Grounded\n"
        f"studio = Studio(Bundle.load(pathlib.Path({str(space_bundle)!r})), Settings(threads=1))\n"
        "build(studio)\n"
        "last = list(rag(studio, Grounded('el mar', threshold=0, minutes=1)))[-1]\n"
        "assert last.text\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'peft', 'trl', 'datasets', 'train', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=app_environment(),
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.stdout.strip() == "[]", done.stderr
