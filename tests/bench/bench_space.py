"""The Space against plain llama_cpp.Llama on the same GGUF, side by side in one run, and its start and memory.

    python -m tests.bench.bench_space [--bundle DIR] [--runs 5] [--tokens 256]

Speeds are medians of runs taken in turns, so that a busy machine slows all alike. `Llama()` defaults means its own
number of threads (half of the cores, so one of two); best means the Space's threads and the same sampling.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gradio_client import Client

from space.bundle import Bundle
from space.engine import Request
from space.local_engine import LocalEngine
from space.native import Sampling
from space.settings import EMBEDDED, available_cores
from tests.space_app import running_app

TOPICS = "la paciencia, el mar"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, default=EMBEDDED, help="default: the embedded one")
    parser.add_argument("--runs", type=int, default=5, help="runs of each engine (default 5)")
    parser.add_argument("--tokens", type=int, default=256, help="tokens of each run (default 256)")
    args = parser.parse_args()
    bundle = Bundle.load(args.bundle)
    print(f"{bundle.name}, {bundle.base.name}, {bundle.base.stat().st_size / 1e6:.0f} MB, cores {cores()}")
    engines(bundle, args.runs, args.tokens)
    space(args.bundle)


def cores() -> int:
    return available_cores(os.environ)


def engines(bundle: Bundle, runs: int, tokens: int) -> None:
    """Tokens per second and seconds to the first token of this engine and of `Llama`, without adapter."""
    generator = bundle.generators[0]
    messages = generator.prompts[generator.kind].render(
        topics=TOPICS, field="oceanografía", context="[1] El mar es grande."
    )
    ours = LocalEngine(bundle.base, {}, bundle.chat_template, bundle.context, cores())
    prompt = ours.encode(messages)
    candidates: dict[str, Callable[[int], Iterator[Any]]] = {
        "this engine": lambda seed: _ours(ours, messages, seed, tokens),
        "Llama() defaults": _llama(bundle, prompt, tokens),
        "Llama() best": _llama(
            bundle, prompt, tokens, n_threads=cores(), n_threads_batch=cores(), n_ctx=bundle.context
        ),
    }
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in candidates}
    for seed in range(runs + 1):  # the first round warms up
        for name, write in candidates.items():
            measured = _measure(write(seed))
            if seed:
                figures[name].append(measured)
    ours.close()
    print(f"\nprompt of {len(prompt)} tokens, {tokens} tokens written, medians of {runs}")
    print(f"{'':<20}{'tokens/s':>10}{'ratio':>8}{'first token':>14}")
    base = statistics.median(speed for speed, _ in figures["this engine"])
    for name, values in figures.items():
        speed = statistics.median(speed for speed, _ in values)
        first = statistics.median(first for _, first in values)
        print(f"{name:<20}{speed:>10.1f}{base / speed:>8.2f}{first * 1000:>11.1f} ms")


def _ours(engine: LocalEngine, messages: Any, seed: int, tokens: int) -> Iterator[Any]:
    # The prompt is read anew, as in Llama below, and the model may not end, so that all write the same number.
    list(engine.stream(Request([{"role": "user", "content": "."}], max_tokens=1)))
    request = Request(messages, max_tokens=tokens, min_words=10**6, sampling=Sampling(seed=seed))
    return (step for step in engine.stream(request) if step.written)


def _llama(bundle: Bundle, prompt: list[int], tokens: int, **options: int) -> Callable[[int], Iterator[Any]]:
    from llama_cpp import Llama

    llama = Llama(str(bundle.base), verbose=False, **{"n_ctx": 0, **options})
    usual = Sampling()
    ends = [token for token in range(llama.n_vocab()) if _is_end(llama, token)]

    def write(seed: int) -> Iterator[Any]:
        llama.reset()
        return llama.create_completion(
            prompt,
            max_tokens=tokens,
            stream=True,
            seed=seed,
            temperature=usual.temperature,
            top_p=usual.top_p,
            top_k=usual.top_k,
            min_p=usual.min_p,
            repeat_penalty=usual.repeat_penalty,
            logit_bias=dict.fromkeys(ends, -1000000000.0),
        )

    return write


def _is_end(llama: Any, token: int) -> bool:
    import llama_cpp

    return bool(llama_cpp.llama_vocab_is_eog(llama_cpp.llama_model_get_vocab(llama.model), token))


def _measure(pieces: Iterator[Any]) -> tuple[float, float]:
    """Tokens per second after the first one, and seconds to it."""
    begun = time.perf_counter()
    next(pieces)
    first = time.perf_counter()
    count = sum(1 for _ in pieces)
    return count / (time.perf_counter() - first), first - begun


def space(folder: Path) -> None:
    """A cold start to the page and to the first token, a text through the whole app, and the memory at its peak."""
    with tempfile.TemporaryDirectory() as logs:
        begun = time.perf_counter()
        with running_app(Path(logs) / "app.log", bundle=folder) as url:
            ready = time.perf_counter() - begun
            client = Client(url, verbose=False)
            first = _first_text(client, seed=2)
            _, details = client.predict(TOPICS, minutes=2, seed=1, api_name="/finetuned")
            again = _first_text(client, seed=3)
            peak = _peak(int(url.rpartition(":")[2]))
    cold = ready + first
    print(f"\nthe app: ready {ready:.1f} s after its start, first token {cold:.1f} s after its start")
    print(f"first token of a visitor: {first:.2f} s at first, {again:.2f} s later (with HTTP and Gradio)")
    print(f"a text of {details['words']} words: {details['tokens_per_second']} tokens/s")
    print(f"memory of the process at its peak: {peak / 1e6:.0f} MB")


def _first_text(client: Client, seed: int) -> float:
    begun = time.perf_counter()
    job = client.submit(TOPICS, minutes=1, seed=seed, api_name="/finetuned")
    for text, _ in job:
        if text:
            break
    seconds = time.perf_counter() - begun
    job.cancel()
    return seconds


def _peak(port: int) -> float:
    """The peak resident memory, in bytes, of the child process that listens on `port` (Linux)."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"ORADOR_PORT={port}\0".encode() in (folder / "environ").read_bytes() + b"\0":
                status = (folder / "status").read_text()
                return float(status.partition("VmHWM:")[2].split()[0]) * 1024
        except OSError:
            continue
    return float("nan")


if __name__ == "__main__":
    main()
