"""The part of the soak that goes through the app, by gradio_client and plain HTTP; run by `python -m tests.bench.soak`.

Six clients call /finetuned, /rag, /chat and /questions of the embedded bundle: some take the whole answer, some cancel, some close the
connection, some send what is refused. A whole answer is compared with what the same call gives in this process, alone. Resident
memory is the app's.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import httpx
from gradio_client import Client

from space.bundle import Bundle
from space.chatting import Talk, chat
from space.frames import Grounded, Speech
from space.generators import finetuned, rag
from space.question_endpoint import listed
from space.question_frames import Ask
from space.questions import questions
from space.settings import EMBEDDED, Settings
from space.studio import Studio
from tests.bench.soak import PARALLEL, Report, resident
from tests.space_app import errors_in, running_app

CLIENTS = 6
REPEATS = 5
"""Calls for each seed, with four different ones a seed: few are answered from memory (space/answers.py)."""
PATIENCE = 120
"""Seconds for an answer."""
GROWTH = 12.0
"""MB; Gradio keeps things of its own for a while."""
TEXT = "Ramona Salas abrió la panadería de la calle Ombú en 1931. Su hermano Blas trajo el horno desde Rosario en un carro."
REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"topics": ""}, "vacío"),
    ({"topics": "mar", "minutes": 0}, "entre 1 y"),
    ({"topics": "mar", "generator": "nadie"}, "Hay:"),
)


@dataclass(frozen=True)
class Call:
    """A call of the endpoint `name`, and the same in this process: the endpoint's first output at its end."""

    name: str
    arguments: dict[str, Any]
    alone: Callable[[Studio], Any]


def soak_http(number: int, seed: int) -> int:
    """`number` calls; returns the number of violations."""
    calls = [call for n in range(max(1, number // REPEATS)) for call in calls_of(n)]
    studio = Studio(Bundle.load(EMBEDDED), Settings(threads=1, parallel=2))
    expected = [call.alone(studio) for call in calls]
    studio.engine().close()  # type: ignore[attr-defined]
    print(f"\nthe app: {number} calls, {len(calls)} different, {CLIENTS} clients", flush=True)
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "app.log"
        with running_app(log, bundle=EMBEDDED, threads=1, parallel=PARALLEL) as url:
            process = process_at(int(url.rpartition(":")[2]))
            # One call at a time each: gradio_client can lose an answer when it calls twice at once and one call is cancelled.
            clients: SimpleQueue[Client] = SimpleQueue()
            for _ in range(CLIENTS):
                clients.put(Client(url, verbose=False))

            def visit(place: int) -> None:
                dice = random.Random(f"{seed} {place}")
                which = dice.randrange(len(calls))
                client = clients.get()
                end = one_call(client, url, calls[which], expected[which], dice)
                clients.put(client)
                report.finished(end.partition(":")[0], resident(process))
                if end not in ("whole", "cancelled", "disconnected", "refused", "queue full"):
                    report.violation(f"{calls[which].name}: {end}")

            with ThreadPoolExecutor(CLIENTS) as pool:
                list(pool.map(visit, range(number)))
            report.judge(GROWTH)
            with ThreadPoolExecutor(PARALLEL) as pool:
                done = list(
                    pool.map(
                        lambda _: clients.get().predict("el mar", minutes=1, api_name="/finetuned"),
                        range(PARALLEL),
                    )
                )
            print(
                f"texts at once at the end: {sum(details['phase'] == 'done' for _, details in done)} of {PARALLEL}"
            )
        if errors := errors_in(log):
            report.violation(f"the app's log has\n{errors[:2000]}")
    return report.close()


def calls_of(seed: int) -> list[Call]:
    """One call of each endpoint."""
    speech: dict[str, Any] = {
        "topics": ("el mar", "los relojes", "el pan")[seed % 3],
        "minutes": 1 + seed % 2,
        "seed": seed,
    }
    grounded = {**speech, "passages": 1 + seed % 5, "threshold": -1.0}
    said = {"message": ("hola", "¿y mañana?", "contame algo")[seed % 3], "seed": seed}
    ask = {"text": TEXT, "number": 2, "types": ("short", "both")[seed % 2], "seed": seed}
    return [
        Call("finetuned", speech, lambda studio: list(finetuned(studio, Speech(**speech)))[-1].text),
        Call("rag", grounded, lambda studio: list(rag(studio, Grounded(**grounded)))[-1].text),
        Call("chat", said, lambda studio: list(list(chat(studio, Talk(**said)))[-1].bubbles)),
        Call(
            "questions",
            ask,
            lambda studio: [listed(asked) for asked in list(questions(studio, Ask(**ask)))[-1].items],
        ),
    ]


def one_call(client: Client, url: str, call: Call, expected: Any, rng: random.Random) -> str:
    """How the call went: whole, cancelled, disconnected, refused, or what was wrong."""
    way = rng.choice(("whole", "whole", "cancelled", "disconnected", "refused"))
    if way == "refused":
        arguments, message = rng.choice(REFUSED)
        try:
            client.predict(**arguments, api_name="/finetuned")
        except Exception as error:
            return way if message in str(error) else f"{type(error).__name__}: {error}"
        return "a wrong argument was accepted"
    try:
        if way == "disconnected":
            return disconnect(url, call, rng.randrange(4))
        job = client.submit(**call.arguments, api_name=f"/{call.name}")
        if way == "cancelled":
            for _, _ in zip(job, range(rng.randrange(3)), strict=False):
                pass
            job.cancel()
            return way
        got = job.result(PATIENCE)[0]
        return way if got == expected else f"another answer: {got!r:.200}"
    except Exception as error:
        return "queue full" if "full" in str(error) else f"{type(error).__name__}: {error}"


def disconnect(url: str, call: Call, lines: int) -> str:
    """Begins the call and closes the connection after some lines of its answer, or without asking for it."""
    answer = httpx.post(f"{url}/gradio_api/call/v2/{call.name}", json=call.arguments)
    answer.raise_for_status()
    if lines:
        with httpx.stream(
            "GET", f"{url}/gradio_api/call/{call.name}/{answer.json()['event_id']}", timeout=60
        ) as stream:
            for _, _ in zip(stream.iter_lines(), range(lines), strict=False):
                pass
    return "disconnected"


def process_at(port: int) -> int:
    """The process that was started to listen on `port` (Linux)."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"ORADOR_PORT={port}\0".encode() in (folder / "environ").read_bytes() + b"\0":
                return int(folder.name)
        except OSError:
            continue
    raise RuntimeError(f"no process has ORADOR_PORT={port}")
