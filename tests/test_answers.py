"""Texts answered from memory: the same text, end and counts; what is never kept; bounds; threads; and that the endpoint says so."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from gradio_client import Client

from space import generators as gen
from space import view
from space.answers import Answers
from space.chat_view import status as chat_status
from space.chatting import Talk, chat
from space.engine import Request, Step, leave
from space.errors import GrammarInvalid
from space.frames import Grounded, Speech
from space.local_engine import LocalEngine
from space.native import Sampling
from space.question_frames import Ask
from space.question_view import status as question_status
from space.questions import questions
from space.settings import Settings
from space.studio import Studio
from space.texts import say
from tests.chat_bundle import make_chat_bundle
from tests.question_bundle import TEXT, make_question_bundle
from tests.space_app import running_app
from train.tokenizer import CHAT_TEMPLATE

SETTINGS = Settings(threads=1, parallel=2)


@pytest.fixture(scope="module")
def local(tiny_gguf: Path, tiny_lora_gguf: Path) -> Iterator[LocalEngine]:
    with closing(
        LocalEngine(tiny_gguf, {"charlas": tiny_lora_gguf}, CHAT_TEMPLATE, 512, 1, parallel=3)
    ) as engine:
        yield engine


@pytest.fixture
def answers(local: LocalEngine) -> Answers:
    return Answers(local)


def asked(seed: int = 1, **options: object) -> Request:
    options = {"max_tokens": 30, "sampling": Sampling(seed=seed), **options}
    return Request([{"role": "user", "content": "Habla del mar"}], **options)  # type: ignore[arg-type]


def read(answers: Answers, request: Request) -> tuple[str, Step]:
    steps = list(answers.stream(request))
    return "".join(step.text for step in steps), steps[-1]


def written(answers: Answers, request: Request) -> tuple[str, int, int, str | None]:
    """The text, the tokens read and written, and the end."""
    text, last = read(answers, request)
    return text, last.prompt, last.written, last.end


def known(answers: Answers, request: Request) -> bool:
    """Whether the request is answered from memory; it is not written to its end if not."""
    with closing(answers.stream(request)) as steps:
        return next(steps).cached


def test_the_same_request_is_answered_at_once_with_the_same_text_end_and_counts(answers: Answers) -> None:
    for request in (
        asked(),
        asked(stop=("e",)),
        asked(adapter="charlas", opening="El mar"),
        asked(grammar='root ::= "sí"'),
    ):
        first, again = list(answers.stream(request)), list(answers.stream(request))
        assert not any(step.cached for step in first)
        assert [step.cached for step in again] == [True, True]
        assert [(step.read, step.prompt) for step in again] == [(first[-1].prompt, first[-1].prompt)] * 2
        assert (again[0].text, again[0].written, again[0].end) == ("", 0, None)
        assert again[1].text == "".join(step.text for step in first)
        assert (again[1].written, again[1].end) == (first[-1].written, first[-1].end)


def test_every_part_of_a_request_counts_but_the_deadline(answers: Answers) -> None:
    read(answers, asked())
    others = [
        asked(2),
        asked(adapter="charlas"),
        asked(opening="El"),
        asked(max_tokens=31),
        asked(min_words=1),
        asked(stop=("x",)),
        asked(grammar="root ::= [a-z]+"),
        asked(sampling=Sampling(seed=1, temperature=0.7)),
        replace(asked(), messages=[{"role": "user", "content": "Habla del mar."}]),
        replace(asked(), messages=[{"role": "system", "content": "Habla del mar"}]),
    ]
    assert not any(known(answers, other) for other in others)
    assert known(answers, asked(deadline=1.0))


def test_what_was_interrupted_failed_or_ran_out_of_time_is_not_kept(answers: Answers) -> None:
    with closing(answers.stream(asked())) as steps:
        list(itertools.islice(steps, 5))
    assert not known(answers, asked())
    assert read(answers, asked(deadline=0.0))[1].end == "deadline"
    assert not known(answers, asked())
    bad = asked(grammar="root ::= missing")
    for _ in range(2):
        with pytest.raises(GrammarInvalid):
            list(answers.stream(bad))


def test_a_text_left_because_it_is_long_enough_is_kept_as_far_as_it_was_taken(answers: Answers) -> None:
    whole = list(answers.stream(asked()))
    fresh = Answers(answers._engine)
    with closing(fresh.stream(asked())) as steps:
        taken = list(itertools.islice(steps, 8))
        leave(steps)
        assert list(steps) == []
    again = fresh.stream(asked())
    assert next(again).cached
    step = next(again)
    assert (step.text, step.written, step.end) == ("".join(s.text for s in taken), taken[-1].written, None)
    leave(again)
    # whoever does not leave there gets the rest from the engine, and then the whole is kept
    for _ in range(2):
        text, last = read(fresh, asked())
        assert text == "".join(s.text for s in whole)
        assert (last.written, last.end) == (whole[-1].written, whole[-1].end)
    assert last.cached


def test_leaving_frees_an_engine_without_memory_too(local: LocalEngine) -> None:
    steps = local.stream(asked(max_tokens=400, min_words=10**6))
    next(steps)
    leave(steps)
    leave(steps)
    assert list(steps) == []


def test_the_number_and_the_bytes_are_bounded_and_the_latest_used_stay(local: LocalEngine) -> None:
    few = Answers(local, number=3)
    for seed in range(3):
        read(few, asked(seed))
    assert known(few, asked(0))
    read(few, asked(3))
    assert [known(few, asked(seed)) for seed in range(4)] == [True, False, True, True]
    size = len(read(few, asked(0))[0].encode())
    small = Answers(local, size=size)
    read(small, asked(0))
    assert known(small, asked(0))
    read(small, asked(0, max_tokens=3))
    assert [known(small, asked(0)), known(small, asked(0, max_tokens=3))] == [False, True]
    assert small._bytes == sum(answer.size for answer in small._kept.values()) <= size


def test_many_threads_get_the_texts_of_their_own_requests(local: LocalEngine) -> None:
    shared = Answers(local, number=4)
    requests = [asked(seed % 6, max_tokens=8) for seed in range(48)]
    alone = [written(Answers(local), asked(seed, max_tokens=8)) for seed in range(6)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda request: written(shared, request), requests))
    assert together == [alone[seed % 6] for seed in range(48)]
    assert len(shared._kept) == 4
    assert shared._bytes == sum(answer.size for answer in shared._kept.values())


def test_no_message_of_a_visitor_is_in_what_is_kept(answers: Answers) -> None:
    read(answers, replace(asked(), messages=[{"role": "user", "content": "mi secreto"}]))
    assert "secreto" not in repr(answers._kept)


@pytest.fixture(scope="module")
def studio(space_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return Studio(make_question_bundle(space_bundle, tmp_path_factory.mktemp("answers") / "bundle"), SETTINGS)


@pytest.mark.parametrize(
    "speech", [Speech("el mar", minutes=1, seed=4), Grounded("el mar", minutes=1, seed=4, threshold=0)]
)
def test_a_speech_and_its_page_say_so(studio: Studio, speech: Speech) -> None:
    write = gen.rag if isinstance(speech, Grounded) else gen.finetuned
    first, again = (list(write(studio, speech))[-1] for _ in range(2))  # type: ignore[arg-type]
    assert (first.cached, again.cached) == (False, True)
    assert (again.text, again.words, again.tokens, again.notes) == (
        first.text,
        first.words,
        first.tokens,
        first.notes,
    )
    assert again.tokens_per_second == 0
    for language in ("es", "en"):
        said = view.escape(say("stat.cached", language))
        assert [said in view.status(frame, language) for frame in (first, again)] == [False, True]
    assert not list(write(studio, replace(speech, seed=-1)))[-1].cached  # type: ignore[arg-type]


def test_questions_say_so_when_all_of_them_had_been_written(studio: Studio) -> None:
    first, again = (list(questions(studio, Ask(TEXT, 3, "both", seed=5)))[-1] for _ in range(2))
    assert (first.cached, again.cached) == (False, True)
    assert (again.items, again.tokens, again.rounds, again.dropped) == (
        first.items,
        first.tokens,
        first.rounds,
        first.dropped,
    )
    assert say("stat.cached", "es") in question_status(again, "es")


def test_a_reply_says_so(tmp_path: Path, tiny_gguf: Path, tiny_lora_gguf: Path) -> None:
    studio = Studio(make_chat_bundle(tmp_path / "bundle", tiny_gguf, tiny_lora_gguf), SETTINGS)
    for seed in range(4):
        first, again = (list(chat(studio, Talk("hola", seed=seed)))[-1] for _ in range(2))
        assert (first.cached, again.cached) == (False, True)
        assert (again.bubbles, again.tokens, again.notes) == (first.bubbles, first.tokens, first.notes)
        assert say("stat.cached", "en") in chat_status(again, "en")


def test_the_endpoint_says_so(space_bundle: Path, tmp_path: Path) -> None:
    with running_app(tmp_path / "app.log", bundle=space_bundle, threads=1, parallel=1) as url:
        client = Client(url, verbose=False)
        first, again, other = (
            client.predict("el mar", minutes=1, seed=seed, api_name="/finetuned") for seed in (5, 5, 6)
        )
    assert [details["cached"] for _, details in (first, again, other)] == [False, True, False]
    assert again[0] == first[0] != other[0]
