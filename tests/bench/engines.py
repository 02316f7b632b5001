"""The engines that `python -m tests.bench.bench_engine` compares, each in its usual or its best settings.

All are given the same tokens (llama_cpp.server the same text: it takes no tokens) and the same sampling, and may not end
their texts early. `ENGINES` has them by name; a new one is a class with `stream`, `pid` and `close`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import httpx
from llama_cpp import Llama

from index.passages import Passage
from index.search import Hit, Index
from space.bundle import Bundle
from space.calibrate import calibrate
from space.engine import Request
from space.frames import Found
from space.local_engine import LocalEngine, Tuning
from space.native import Sampling
from space.prompts import RAG, SPEECH
from space.rag_prompt import RagPrompt, reading_budget, shorten
from space.settings import EMBEDDED, Settings
from space.states import States
from tests.bench.llama_tools import built
from tests.bench.scenarios import Setup, Visit
from tests.large import idle
from tests.space_app import free_port

START_SECONDS = 300
CACHE = Path(".cache")
"""Where the calibration of a large model is kept."""
NEVER = -1000.0
"""The bias that keeps a token from being chosen."""


class Candidate(Protocol):
    """An engine: `stream` gives, after each piece of text, the tokens written so far; `pid` is the process that holds the model."""

    pid: int

    def stream(self, visit: Visit) -> Generator[int, None, None]: ...

    def close(self) -> None: ...


class ThisEngine:
    """Orador's engine, as a Space runs it; without `seconds` passages are never condensed, without `keep` no state is kept;
    `halved` is ORADOR_CELLS=q8_0.

    After a text from passages it waits until these were read whole, as a Space does while nobody asks.
    """

    def __init__(
        self,
        setup: Setup,
        seconds: int | None = Settings.rag_seconds,
        keep: bool = True,
        halved: bool = Settings.halved_cells,
    ) -> None:
        self.pid = os.getpid()
        self._seconds = seconds
        self._keeps = keep
        self._folder = tempfile.TemporaryDirectory()  # empty at first, so that what is cold is cold
        states = States("bench", Path(self._folder.name), 2**30, 4 * 2**30) if keep else None
        tuning = Tuning(calibrate(setup.model, setup.threads, halved, CACHE), states)
        self._engine = LocalEngine(
            setup.model, {}, setup.chat_template, setup.context, setup.threads, setup.slots, tuning
        )
        bundle = Bundle.load(EMBEDDED)
        self._index = Index.load(next(iter(bundle.indexes.values())))
        self._engine.learn(None, *(RAG.render(context=mark, topics="") for mark in "0a"))
        self._engine.learn(None, *(SPEECH.render(field=mark, topics="") for mark in "0a"))
        idle(self._engine, START_SECONDS)  # a Space has read it before its first visitor comes

    def stream(self, visit: Visit) -> Generator[int, None, None]:
        rag = RagPrompt(self._engine, RAG, {"topics": visit.prompt.topics})
        asked, whole = Request(visit.prompt.messages), None
        if visit.prompt.passages:
            budget = None if self._seconds is None else reading_budget(self._engine, self._seconds)
            found = tuple(_found(text) for text in visit.prompt.passages)
            whole = rag.request(found)
            asked = rag.request(shorten(rag, found, visit.prompt.topics, self._index, budget))
        # min_words keeps the model from ending its text
        asked = replace(
            asked,
            max_tokens=visit.written,
            min_words=10**6,
            sampling=Sampling(seed=visit.seed),
            deadline=10**6,
        )
        for step in self._engine.stream(asked):
            if step.written:
                yield step.written
        if whole and self._keeps:
            self._engine.prepare(whole)
            while self._engine.reading_speed is not None and not all(self._engine.hot(whole)):
                time.sleep(0.1)

    def close(self) -> None:
        self._engine.close()
        self._folder.cleanup()


def _found(text: str) -> Found:
    return Found(Hit(Passage(0, text, "", "", 0, ""), 1.0, 1.0, 1.0), "high")


class PlainLlama:
    """`llama_cpp.Llama` in this process; a lock, without which two visitors would write into one text."""

    def __init__(self, setup: Setup, **options: Any) -> None:
        self.pid = os.getpid()
        self._llama = Llama(str(setup.model), n_ctx=setup.context, verbose=False, **options)
        self._bias = dict.fromkeys(setup.ends, NEVER)
        self._turn = threading.Lock()

    def stream(self, visit: Visit) -> Generator[int, None, None]:
        with self._turn:
            chunks: Any = self._llama.create_completion(
                visit.prompt.tokens, stream=True, logit_bias=self._bias, **_options(visit)
            )
            yield from _count((chunk["choices"][0] for chunk in chunks), visit.written)

    def close(self) -> None:
        self._llama.close()


def defaults(setup: Setup) -> PlainLlama:
    """What `Llama(path)` does, with a context that holds the prompts: half of the cores write."""
    return PlainLlama(setup)


def best(setup: Setup) -> PlainLlama:
    """All cores for reading and for writing."""
    return PlainLlama(setup, n_threads=setup.threads, n_threads_batch=setup.threads)


class Server:
    """A server in a process of its own on loopback, spoken to over HTTP with server-sent events."""

    path = ""

    def __init__(self, setup: Setup, command: list[str], port: int, health: str) -> None:
        self._ends = setup.ends
        self._folder = tempfile.TemporaryDirectory()
        self._log = Path(self._folder.name) / "log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self.pid = self._process.pid
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=None, trust_env=False)
        try:
            self._await(health)
        except BaseException:
            self.close()
            raise

    def _await(self, health: str) -> None:
        for _ in range(START_SECONDS * 5):
            try:
                if self._http.get(health).is_success:
                    return
            except httpx.HTTPError:
                pass
            if self._process.poll() is not None:
                log = self._log.read_text(errors="replace")
                raise RuntimeError(f"the server ended:\n{log[-2000:]}")
            time.sleep(0.2)
        raise TimeoutError(f"the server did not answer for {START_SECONDS} s")

    def _events(self, body: dict[str, Any]) -> Iterator[Any]:
        with self._http.stream("POST", self.path, json=body) as answer:
            if answer.is_error:
                raise RuntimeError(f"HTTP {answer.status_code}: {answer.read().decode()[:500]}")
            for line in answer.iter_lines():
                data = line.removeprefix("data: ")
                if data != line and data != "[DONE]":
                    yield json.loads(data)

    def close(self) -> None:
        self._http.close()
        self._process.terminate()
        self._process.wait(30)
        self._folder.cleanup()


class PythonServer(Server):
    """`python -m llama_cpp.server` with all cores; a second request waits instead of ending the first."""

    path = "/v1/completions"

    def __init__(self, setup: Setup) -> None:
        port = free_port()
        settings = {"model": setup.model, "n_ctx": setup.context, "verbose": "false"}
        settings |= {"n_threads": setup.threads, "n_threads_batch": setup.threads}
        settings |= {"host": "127.0.0.1", "port": port, "interrupt_requests": "false"}
        command = [sys.executable, "-m", "llama_cpp.server"]
        command += [word for name, value in settings.items() for word in (f"--{name}", str(value))]
        super().__init__(setup, command, port, "/v1/models")

    def stream(self, visit: Visit) -> Generator[int, None, None]:
        bias = {str(token): -100 for token in self._ends}
        body = {"prompt": visit.prompt.text, "stream": True, "logit_bias": bias, **_options(visit)}
        yield from _count((event["choices"][0] for event in self._events(body)), visit.written)


class LlamaServer(Server):
    """llama.cpp's own server, built by `python -m tests.bench.llama_tools`."""

    path = "/completion"

    def __init__(self, setup: Setup) -> None:
        port = free_port()
        command = [str(built().server), "-m", str(setup.model), "--host", "127.0.0.1", "--port", str(port)]
        command += ["-t", str(setup.threads), "-np", str(setup.slots), "-c", str(setup.slots * setup.context)]
        super().__init__(setup, command, port, "/health")

    def stream(self, visit: Visit) -> Generator[int, None, None]:
        options = _options(visit)
        body = {"prompt": visit.prompt.tokens, "stream": True, "ignore_eos": True, **options}
        body["n_predict"] = options["max_tokens"]
        written = 0
        for event in self._events(body):
            tokens = len(event.get("tokens", ()))
            if tokens:
                written += tokens
                yield written


def _options(visit: Visit) -> dict[str, Any]:
    """The same length and sampling for all, by the names that llama-cpp-python and llama-server share."""
    usual = Sampling(seed=visit.seed)
    return {
        "max_tokens": visit.written,
        "seed": usual.seed,
        "temperature": usual.temperature,
        "top_p": usual.top_p,
        "top_k": usual.top_k,
        "min_p": usual.min_p,
        "repeat_penalty": usual.repeat_penalty,
    }


def _count(choices: Iterator[Any], asked: int) -> Iterator[int]:
    """The tokens written after each piece: a piece is a token or several, so the last one knows better when all were written."""
    written = 0
    for choice in choices:
        if choice["finish_reason"] == "length":
            yield asked
        elif choice["text"]:
            written += 1
            yield written


THIS, DEFAULTS, BEST = "this engine", "Llama() defaults", "Llama() best, locked"
LLAMA_SERVER = "llama-server"
ENGINES: dict[str, Callable[[Setup], Candidate]] = {
    THIS: ThisEngine,
    "this engine, passages whole": partial(ThisEngine, seconds=None),
    "this engine, nothing kept": partial(ThisEngine, keep=False),
    "this engine, neither": partial(ThisEngine, seconds=None, keep=False),
    "this engine, cells halved": partial(ThisEngine, halved=True),
    DEFAULTS: defaults,
    BEST: best,
    "llama_cpp.server": PythonServer,
    LLAMA_SERVER: LlamaServer,
}
"""Every engine by its name."""
