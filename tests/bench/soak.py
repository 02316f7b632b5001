"""Many visitors for long, in accelerated form: `python -m tests.bench.soak [--requests 5000] [--http 200]`; exits 1 on a violation.

Sixteen visitors at once on the embedded bundle, four texts written at a time: arrivals at random, all adapters and the base, short prompts and long ones,
chats, grammars, prompts that fill the context or are too long, grammars that cannot be read, deadlines, visitors who leave before
the first step, in the middle or without a word, and decodings that fail. Every text is compared with what the same request gave
on an engine of its own, alone; whoever left or ran out of time must have seen its beginning.

Violations: a text that differs, an exception that is not the named error that was due, a request that stands still for STUCK seconds (all
threads are printed), a slot that is lost at the end, or resident memory whose median in the last third of the run is more than
GROWTH above that of the middle third. Then the same, shorter, over HTTP through the app (tests/bench/soak_http.py).
"""

from __future__ import annotations

import argparse
import ctypes
import faulthandler
import itertools
import os
import random
import statistics
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from space.bundle import Bundle
from space.chat import turn_marks
from space.engine import Request
from space.errors import DecodeFailed, GrammarInvalid, PromptTooLong
from space.local_engine import LocalEngine
from space.native import Context, Sampling
from space.prompts import CHAT, QUESTIONS, SPEECH, Message, question_request
from space.question_grammar import short_answers
from space.settings import EMBEDDED

TALKS = Path(__file__).parents[2] / "train" / "texts" / "talks"
VISITORS, PARALLEL = 16, 4
STUCK = 600
GROWTH = 6.0
"""MB."""
EVERY = 250
FAILURES = 1 / 4000
"""Share of decodings that fail."""
DUE = {"model", "stop", "tokens", "context", GrammarInvalid.__name__, PromptTooLong.__name__}
"""How a request may end on an engine of its own."""
ODD = "\u200b🚀漢字 <|end|> <0x0A> \x07 ¿? {{x}} %s"


class FailingContext(Context):
    """A context that now and then fails to decode, once `failing`."""

    failing = False
    failures = 0
    _dice = random.Random(1)

    def _decode(self, count: int) -> None:
        if FailingContext.failing and self._dice.random() < FAILURES:
            FailingContext.failures += 1
            raise DecodeFailed(code=-2)
        super()._decode(count)


class FailingEngine(LocalEngine):
    make_context = FailingContext


@dataclass
class Report:
    """What was seen: outcomes, violations, and resident MB at each finished request."""

    begun: float = field(default_factory=time.monotonic)
    outcomes: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    still: int = 0
    over: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        """Ends the process once nothing has finished for STUCK seconds; those in which it is paused do not count."""
        while self.still < STUCK and not self.over:
            time.sleep(1)
            self.still += 1
        if not self.over:
            print(f"VIOLATION: nothing has finished for {STUCK} s", flush=True)
            faulthandler.dump_traceback(all_threads=True)
            os._exit(1)

    def finished(self, outcome: str, resident: float) -> None:
        """Notes the end of a request."""
        with self.lock:
            self.still = 0
            self.outcomes[outcome] += 1
            self.memory.append(resident)
            if len(self.memory) % EVERY == 0:
                print(
                    f"{len(self.memory):6d} requests, {time.monotonic() - self.begun:5.0f} s, {resident:6.1f} MB",
                    flush=True,
                )

    def violation(self, text: str) -> None:
        with self.lock:
            self.violations.append(text)
            print(f"VIOLATION: {text}", flush=True)

    def judge(self, growth: float) -> None:
        """Prints the outcomes and judges the memory."""
        print(", ".join(f"{name} {number}" for name, number in self.outcomes.most_common()))
        third = len(self.memory) // 3
        middle, last = (
            statistics.median(part) for part in (self.memory[third : 2 * third], self.memory[2 * third :])
        )
        print(
            f"resident memory: median {middle:.1f} MB in the middle third, {last:.1f} MB in the last, peak {max(self.memory):.1f} MB"
        )
        if last > middle + growth:
            self.violation(f"memory grew by {last - middle:.1f} MB, more than {growth}")

    def close(self) -> int:
        """Ends the watch and returns the number of violations."""
        self.over = True
        return len(self.violations)


def main() -> None:
    """Runs both parts and ends with 1 on a violation."""
    from tests.bench.soak_http import soak_http

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=5000, help="requests to the engine (default 5000)")
    parser.add_argument("--http", type=int, default=200, help="calls through the app (default 200; 0: none)")
    parser.add_argument("--texts", type=int, default=400, help="different requests among them (default 400)")
    parser.add_argument("--seed", type=int, default=0, help="of the schedule (default 0)")
    args = parser.parse_args()
    violations = soak_engine(args.requests, args.texts, args.seed)
    if args.http:
        violations += soak_http(args.http, args.seed)
    print("no violation" if not violations else f"{violations} violations")
    sys.exit(bool(violations))


def soak_engine(number: int, texts: int, seed: int) -> int:
    """The soak of the engine; returns the number of violations."""
    bundle = Bundle.load(EMBEDDED)
    print(
        f"{bundle.name}: {number} requests, {texts} different, {VISITORS} visitors, {PARALLEL} texts at once",
        flush=True,
    )
    rng = random.Random(seed)
    cases = [case(bundle, random.Random(f"{seed} {n}")) for n in range(texts)]
    with closing(
        LocalEngine(bundle.base, bundle.adapters, bundle.chat_template, bundle.context, 1, 2)
    ) as alone:
        begun = time.monotonic()
        expected = [outcome(alone, asked) for asked in cases]
    print(
        f"alone: {time.monotonic() - begun:.0f} s, {sum(len(text) for text, _ in expected)} characters",
        flush=True,
    )
    report = Report()
    for end in {end for _, end in expected} - DUE:
        report.violation(f"a request ended by {end} when it ran alone")
    with closing(
        FailingEngine(bundle.base, bundle.adapters, bundle.chat_template, bundle.context, 1, PARALLEL)
    ) as engine:
        fill(engine)
        FailingContext.failing = True
        visits = [(rng.randrange(texts), random.Random(rng.random())) for _ in range(number)]
        with ThreadPoolExecutor(VISITORS) as pool:
            list(
                pool.map(
                    lambda visit: visitor(engine, cases[visit[0]], expected[visit[0]], visit[1], report),
                    visits,
                )
            )
        FailingContext.failing = False
        report.judge(GROWTH)
        print(f"decodings made to fail: {FailingContext.failures}")
        if report.outcomes[DecodeFailed.__name__] > PARALLEL * FailingContext.failures:
            report.violation("more requests failed than failed decodings can explain")
        all_slots(engine, report)
    return report.close()


def visitor(
    engine: LocalEngine, asked: Request, expected: tuple[str, str], rng: random.Random, report: Report
) -> None:
    """One visit: arrives, perhaps in a hurry, reads, perhaps leaves; compares what was seen with `expected`."""
    time.sleep(rng.choice((0.0, 0.0, 0.01, 0.1)))
    leaves = rng.choice((None, None, None, None, 0, 1, 2, 10, 40))
    deadline = rng.choice((0.0, 0.05, 0.5)) if rng.random() < 0.08 else asked.deadline
    text, end = outcome(engine, replace(asked, deadline=deadline), leaves, polite=rng.random() < 0.5)
    report.finished(end, kept())
    if end in ("left", "deadline", DecodeFailed.__name__):
        if not expected[0].startswith(text):
            report.violation(f"a visitor saw {text[-60:]!r}, alone it is {expected[0][: len(text)][-60:]!r}")
    elif (text, end) != expected:
        report.violation(
            f"{end} instead of {expected[1]} or another text: {first_difference(text, expected[0])}"
        )


def outcome(
    engine: LocalEngine, asked: Request, leaves: int | None = None, polite: bool = True
) -> tuple[str, str]:
    """The text, and its end, "left", or the name of the error. Who is not `polite` leaves without closing."""
    text = ""
    try:
        steps = engine.stream(asked)
        for step in itertools.islice(steps, leaves):
            text += step.text
            if step.end is not None:
                return text, step.end
        if polite:
            steps.close()
        return text, "left"
    except Exception as error:
        return text, type(error).__name__


def first_difference(one: str, other: str) -> str:
    place = next(
        (n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
    return f"at {place}: {one[place : place + 50]!r} against {other[place : place + 50]!r}"


def fill(engine: LocalEngine) -> None:
    """Fills every slot once: memory that is taken only when it is first written to would look like growth."""
    words = " ".join(path.read_text("utf-8") for path in sorted(TALKS.glob("*.md"))).split()
    for n in range(PARALLEL):
        size = 4000
        while engine.count(_user(" ".join(words[n : n + size]))) >= engine.context:
            size -= 100
        outcome(engine, Request(_user(" ".join(words[n : n + size])), max_tokens=engine.context))


def all_slots(engine: LocalEngine, report: Report) -> None:
    """Whether as many texts as ever are written at once, and no more wait for what is gone."""
    # a lost slot is waited for in vain, until the report's watch ends it
    endless = Request([{"role": "user", "content": "."}], max_tokens=10**6, grammar="root ::= [a-z ] root")
    held = [engine.stream(endless) for _ in range(PARALLEL)]
    free = sum(next(step for step in steps if step.written).written for steps in held)
    for steps in held:
        steps.close()
    print(f"slots free at the end: {free} of {PARALLEL}")
    if free != PARALLEL:
        report.violation("a slot was lost")


def kept() -> float:
    """Resident memory of this process in MB, without what C's allocator keeps of freed memory (some 30 MB more or less here; Linux, glibc)."""
    ctypes.CDLL(None).malloc_trim(0)
    return resident()


def resident(process: int | str = "self") -> float:
    """Resident memory of a process in MB (Linux)."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * 4096 / 1e6


def case(bundle: Bundle, rng: random.Random) -> Request:
    """A request that is valid, or fails by a named error, drawn by `rng`."""
    kind = rng.choice(
        ("speech", "speech", "rag", "rag", "chat", "questions", "full", "long", "grammar", "odd")
    )
    adapter = rng.choice((None, *bundle.adapters))
    sampling = Sampling(rng.choice((0.0, 0.45, 0.8)), top_k=rng.choice((1, 40)), seed=rng.randrange(1000))
    messages, options = _content(bundle, kind, rng)
    options = {"max_tokens": rng.randint(1, 150), "min_words": rng.choice((0, 0, 60)), **options}
    return Request(messages, adapter=adapter, sampling=sampling, **options)  # type: ignore[arg-type]


def _content(bundle: Bundle, kind: str, rng: random.Random) -> tuple[list[Message], dict[str, object]]:
    words = " ".join(path.read_text("utf-8") for path in rng.sample(sorted(TALKS.glob("*.md")), 4)).split()
    if kind == "rag":  # beginnings in common with others, of any length
        first = sorted(TALKS.glob("*.md"))[rng.randrange(2)].read_text("utf-8").split()
        return _user(" ".join(first[: rng.randrange(300)] + words[: rng.randrange(350)])), {}
    if kind == "chat":
        turns = rng.randrange(4)
        said = [" ".join(words[n * 9 : n * 9 + 8]) for n in range(2 * turns + 1)]
        messages = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(said)]
        start = CHAT.render(persona="Ana", message=said[0])[:-1]
        return [*start, *messages], {"stop": turn_marks(bundle.chat_template), "min_words": 0}
    if kind == "questions":
        text = " ".join(words[: rng.randint(60, 250)])
        asked = QUESTIONS.render(text=text, request=question_request("short", 2))
        return asked, {"grammar": short_answers(text, 2), "max_tokens": 120, "min_words": 0}
    if kind == "full":  # as much as fits, or nearly: the context fills up
        return _user(" ".join(words[: rng.randint(850, 1250)])), {
            "max_tokens": 400,
            "min_words": rng.choice((0, 10**6)),
        }
    if kind == "long":
        return _user(" ".join(words * 3)), {}
    if kind == "grammar":
        grammar = rng.choice(
            ("root ::= missing", 'root ::= "a', "", 'root ::= "sí"', "root ::= [a-zé ]{5,40}")
        )
        return _user("¿sí?"), {"grammar": grammar, "min_words": 0}
    if kind == "odd":
        return _user(ODD * rng.randint(1, 20)), {
            "opening": rng.choice(("", "🚀", " y ", "El mar")),
            "stop": ("e ", "🚀"),
        }
    topic = rng.choice(words)
    return SPEECH.render(topics=topic, field=topic), {"opening": rng.choice(("", f"Hoy {topic}"))}


def _user(content: str) -> list[Message]:
    return [{"role": "user", "content": content}]


if __name__ == "__main__":
    main()
