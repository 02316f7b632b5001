"""The real app in a process of its own, for tests that talk to it over HTTP."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[1]
START_SECONDS = 60
WAIT = 30_000
"""Milliseconds that a page may take for anything."""
SETTLED = 800
"""Milliseconds after which nothing may come late."""


def stop_at_first(page: Any, shown: str, stop: str) -> None:
    """Has the page itself press `stop` as soon as `shown` is there: a quick model is done before a test could."""
    page.evaluate(
        """([shown, stop]) => {
            const observer = new MutationObserver(() => {
                const button = document.querySelector(stop);
                if (document.querySelector(shown) && !button.disabled) { observer.disconnect(); button.click(); }
            });
            observer.observe(document.body, {subtree: true, childList: true, attributes: true});
        }""",
        [shown, stop],
    )


def adjust(page: Any, label: str, value: str) -> None:
    """Fills the last field with `label`. Gradio takes a value over some milliseconds later: a click before it sends the old one."""
    page.get_by_label(label).last.fill(value)
    page.wait_for_timeout(SETTLED)


def cancel(jobs: Iterable[Any]) -> None:
    """Cancels jobs of Gradio's client, which waits five seconds for an answer: a busy machine takes longer, and cancels all the same."""
    for job in jobs:
        with suppress(httpx.ReadTimeout):
            job.cancel()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def app_environment(**settings: str | int) -> dict[str, str]:
    """This process's environment without its own settings, and `settings` as ORADOR_ variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ORADOR_")}
    return {**kept, **{f"ORADOR_{name.upper()}": str(value) for name, value in settings.items()}}


@contextmanager
def running_app(log: Path, **settings: str | int) -> Iterator[str]:
    """The address of an app with `settings`, once it answers; it is ended afterwards. Its output goes to `log`."""
    port = free_port()
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "app.py"],
            cwd=ROOT,
            env=app_environment(port=port, **settings),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, process, log)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


_GRADIO_RACE = re.compile(
    r"Traceback \(most recent call last\):\n(?: .*\n)*?.* in reset_iterators\n(?: .*\n)*KeyError: '[0-9a-f]+'\n"
)
"""Gradio 6.31 resets the iterator of an event twice when its visitor leaves at the moment it ends (queueing.py, its
`del app.iterators[event_id]` without a check after an await): harmless, and not ours. Remove when Gradio checks."""


def errors_in(log: Path) -> str:
    """The output of an app in `log` from its first traceback on, Gradio's own known one left out; empty when none."""
    text = _GRADIO_RACE.sub("", log.read_text())
    return text[text.index("Traceback") :] if "Traceback" in text else ""


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the app ended with {process.returncode}: {log.read_text()}")
        try:
            if httpx.get(f"{url}/config", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError(f"the app did not answer within {START_SECONDS} s: {log.read_text()}")
