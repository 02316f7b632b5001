"""The generators, collected: real tiny model and index, and a scripted engine where the text matters."""

from __future__ import annotations

import base64
import io
import itertools
import string
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from docx import Document

from space import generators as gen
from space import inputs
from space.bundle import Bundle
from space.downloads import MIME, download
from space.engine import Request, Step
from space.errors import (
    InvalidInput,
    NoIndex,
    NotNumber,
    PromptTooLong,
    SettingInvalid,
    TooLong,
    UnknownChoice,
)
from space.frames import Frame, Grounded, Speech
from space.prompts import Message
from space.settings import Settings
from space.studio import Studio
from space.texts import TEXTS, explain
from space.view import escape, note_texts, paper, passages, status

SETTINGS = Settings(threads=1)


@pytest.fixture(scope="module")
def studio(space_bundle: Path) -> Studio:
    return Studio(Bundle.load(space_bundle), SETTINGS)


class ScriptedEngine:
    """An engine that writes a given text word by word, after the first request `then`, and keeps the requests; `context` in words."""

    def __init__(self, text: str, context: int = 8192, then: str = "") -> None:
        self.texts = [text, then or text]
        self.context = context
        self.requests: list[Request] = []
        self.closed = 0

    reading_speed: float | None = None

    def hot(self, request: Request) -> list[bool]:
        return [False] * len(request.passages)

    def prepare(self, request: Request) -> None:
        """Nothing: it reads in no time."""

    def count(self, messages: Sequence[Message], opening: str = "") -> int:
        return sum(len(message["content"].split()) for message in messages) + len(opening.split())

    def stream(self, request: Request) -> Generator[Step, None, None]:
        words = [f" {word}" for word in self.texts[bool(self.requests)].split(" ")]
        self.requests.append(request)
        size = self.count(request.messages, request.opening)
        try:
            for n, word in enumerate(words, 1):
                yield Step(word, size, size, n)
            yield Step("", size, size, len(words), "model")
        finally:
            self.closed += 1


def scripted(space_bundle: Path, text: str, **options: Any) -> tuple[Studio, ScriptedEngine]:
    engine = ScriptedEngine(text, **options)
    return Studio(Bundle.load(space_bundle, verify=False), SETTINGS, engine), engine


def keys(frame: Frame) -> list[str]:
    return [note.key for note in frame.notes]


def test_the_frames_are_cumulative_and_end_done(studio: Studio) -> None:
    frames = list(gen.finetuned(studio, Speech("el mar", minutes=1, seed=4)))
    assert frames[-1].phase == "done"
    assert frames[-1].seed == 4
    assert frames[-1].words == len(frames[-1].text.split()) > 20
    texts = [frame.text for frame in frames]
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(texts[:-1]))
    again = list(gen.finetuned(studio, Speech("el mar", minutes=1, seed=4)))
    assert again[-1].text == frames[-1].text


def test_the_opening_is_continued(studio: Studio) -> None:
    opening = "La primera vez que vi el mar"
    last = list(gen.finetuned(studio, Speech("el mar", opening=opening, minutes=1, seed=4)))[-1]
    assert last.text.startswith(opening)
    assert last.words > 10


def test_a_random_seed_is_shown_and_repeats_the_text(studio: Studio) -> None:
    for nothing in (None, -1, ""):
        first = list(gen.finetuned(studio, Speech("el mar", minutes=1, seed=nothing)))[-1]
        assert (
            list(gen.finetuned(studio, Speech("el mar", minutes=1, seed=first.seed)))[-1].text == first.text
        )


def test_the_length_asked_for_is_kept(space_bundle: Path) -> None:
    studio, engine = scripted(
        space_bundle, "".join(f"La {n} tiene seis palabras justas. " for n in range(200))
    )
    for minutes in (1, 3):
        last = list(gen.finetuned(studio, Speech("el mar", minutes=minutes)))[-1]
        assert minutes * 130 <= last.words <= minutes * 130 + 6
        assert last.text.endswith("justas.")
        assert last.speech_seconds == pytest.approx(minutes * 60, rel=0.05)
        assert engine.requests[-1].min_words == round(minutes * 130 * 0.6)
    assert engine.closed == 2


def test_a_text_that_ends_early_says_so(space_bundle: Path) -> None:
    studio, _ = scripted(space_bundle, "Solo una frase.")
    last = list(gen.finetuned(studio, Speech("el mar", minutes=1)))[-1]
    assert keys(last) == ["short"]
    assert "3" in note_texts(last, "es")[0]


def test_a_text_without_a_sentence_end_says_so(space_bundle: Path) -> None:
    endless = " ".join(f"palabra{n}" for n in range(500))
    studio, _ = scripted(space_bundle, endless)
    last = list(gen.finetuned(studio, Speech("el mar", minutes=1)))[-1]
    assert keys(last) == ["unfinished"]
    studio, _ = scripted(space_bundle, "Una frase corta. " + endless)
    assert keys(list(gen.finetuned(studio, Speech("el mar", minutes=1)))[-1]) == ["unfinished"]
    studio, _ = scripted(space_bundle, "Una frase corta. Otra frase corta. " + endless.capitalize())
    last = list(gen.finetuned(studio, Speech("el mar", minutes=1)))[-1]
    assert keys(last) == ["cut"]
    assert last.text.endswith("corta.")


def test_a_sentence_said_before_is_not_shown_and_is_counted(space_bundle: Path) -> None:
    said, other = "El mar es grande y nunca se cansa.", "Los barcos salen antes de que salga el sol."
    written = f"Al principio no. {said} {other} {said} Vuelven tarde. {said} {other} Fin."
    studio, _ = scripted(space_bundle, written)
    last = list(gen.finetuned(studio, Speech("el mar", opening="la " * 90, minutes=1)))[-1]
    assert last.text.endswith(f"la Al principio no. {said} {other} Vuelven tarde. Fin.")
    assert keys(last) == ["repeats"]
    assert note_texts(last, "es")[0].endswith("no se muestran: 3.")
    assert last.words == len(last.text.split())


def test_a_text_that_goes_round_in_circles_ends_before_its_second_round_where_it_does_not_turn(
    space_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gen, "TURNS", 0)
    studio, engine = scripted(space_bundle, "Al principio no. " + "Y vuelve a decir lo mismo. " * 500)
    last = list(gen.finetuned(studio, Speech("el mar", opening="la " * 40, minutes=1)))[-1]
    assert last.text.endswith("la Al principio no. Y vuelve a decir lo mismo.")
    assert keys(last) == ["loop"]
    assert f"{last.words} palabras de las 130" in note_texts(last, "es")[0]
    assert engine.closed == 1
    said = "El mar es grande y nunca se cansa. "
    studio, _ = scripted(
        space_bundle, f"Al principio no. {said}Vuelven tarde. {said}" + "Y vuelve a decir lo mismo. " * 500
    )
    last = list(gen.finetuned(studio, Speech("el mar", opening="la " * 40, minutes=1)))[-1]
    assert last.text.endswith("se cansa. Vuelven tarde. Y vuelve a decir lo mismo.")
    assert keys(last) == ["loop", "repeats"]
    assert note_texts(last, "es")[1].endswith("no se muestran: 1.")
    studio, _ = scripted(space_bundle, "Al principio no. Y entonces " + "dice y " * 500)
    last = list(gen.finetuned(studio, Speech("el mar", minutes=1)))[-1]
    assert last.text == "Al principio no."
    assert keys(last) == ["loop"]
    studio, _ = scripted(space_bundle, "dice y " * 500)
    assert keys(list(gen.finetuned(studio, Speech("el mar", minutes=1)))[-1]) == [
        "loop",
        "unfinished",
    ]


def test_a_text_that_goes_round_in_circles_is_taken_back_and_goes_on_otherwise(space_bundle: Path) -> None:
    said, circle = "Al principio no, pero ya lo verán.", "Y vuelve a decir lo mismo. " * 500
    studio, engine = scripted(space_bundle, f"{said} {said} {circle}", then="Otra cosa. Fin.")
    last = list(gen.finetuned(studio, Speech("el mar", opening="La " * 80 + "mar.", minutes=1, seed=7)))[-1]
    assert last.text.endswith(f"mar. {said} Y vuelve a decir lo mismo. Otra cosa. Fin.")
    assert last.words == len(last.text.split())
    assert keys(last) == ["turned", "repeats"]
    assert note_texts(last, "es")[0].endswith("otra manera: 1.")
    assert note_texts(last, "es")[1].endswith("no se muestran: 1.")
    first, second = engine.requests
    assert second.opening == last.text.removesuffix(" Otra cosa. Fin.")
    assert (first.sampling.seed, second.sampling.seed) == (7, 8)
    assert second.deadline < first.deadline
    assert engine.closed == 2
    read = 2 * len(said.split()) + 3 * 6 + 1  # the word after the third round tells that it is complete
    assert last.tokens == read + 3


def test_a_text_that_cannot_leave_its_circle_ends_there(space_bundle: Path) -> None:
    studio, engine = scripted(space_bundle, "Dice y " + "dice y " * 500)
    last = list(gen.finetuned(studio, Speech("el mar", opening="Hola.", minutes=1)))[-1]
    assert keys(last) == ["loop", "turned"]
    assert last.text == "Hola."
    assert [request.opening for request in engine.requests] == ["Hola."] * (1 + gen.TURNS)


def test_a_generator_without_adapter_says_so(studio: Studio) -> None:
    last = list(gen.finetuned(studio, Speech("el mar", minutes=1, generator="base")))[-1]
    assert "no_adapter" in keys(last)


def test_the_field_falls_back_to_the_topics(space_bundle: Path) -> None:
    studio, engine = scripted(space_bundle, "Fin.")
    list(gen.finetuned(studio, Speech("el mar; la paciencia\nlos mapas", minutes=1)))
    list(gen.finetuned(studio, Speech("el mar", field="física", minutes=1)))
    prompts = [request.messages[0]["content"] for request in engine.requests]
    assert "experto en el mar, la paciencia y los mapas" in prompts[0]
    assert "experto en física" in prompts[1]


def test_closing_a_text_closes_the_engine(space_bundle: Path) -> None:
    studio, engine = scripted(space_bundle, "palabra " * 500)
    frames = gen.finetuned(studio, Speech("el mar", minutes=1))
    next(frames)
    frames.close()  # type: ignore[attr-defined]
    assert engine.closed == 1


def test_rag_shows_the_passages_before_the_text(studio: Studio) -> None:
    frames = list(gen.rag(studio, Grounded("el mar", minutes=1, passages=3, threshold=0, seed=1)))
    shown = next(n for n, frame in enumerate(frames) if frame.passages)
    assert not frames[shown].text
    assert len(frames[-1].passages) == 3
    scores = [found.hit.score for found in frames[-1].passages]
    assert scores == sorted(scores, reverse=True)
    assert frames[-1].text


def test_rag_puts_exactly_the_used_passages_into_the_prompt(space_bundle: Path) -> None:
    studio, engine = scripted(space_bundle, "Fin. " * 200, context=400)
    last = list(gen.rag(studio, Grounded("el mar", minutes=1, passages=6, threshold=0)))[-1]
    prompt = engine.requests[0].messages[0]["content"]
    used = [found for found in last.passages if found.used]
    assert 1 <= len(used) < 6
    assert [found.used for found in last.passages] == sorted((f.used for f in last.passages), reverse=True)
    for found in last.passages:
        assert (" ".join(found.hit.passage.text.split()) in prompt) == found.used
    assert "dropped" in keys(last)
    assert f"{6 - len(used)} de 6" in note_texts(last, "es")[0]


def test_rag_says_honestly_that_nothing_passes(space_bundle: Path) -> None:
    studio, engine = scripted(space_bundle, "Nada.")
    frames = list(gen.rag(studio, Grounded("xilófono zutano", threshold=1.0)))
    assert frames[-1].phase == "done"
    assert frames[-1].text == ""
    assert keys(frames[-1]) == ["nothing"]
    assert "1.00" in note_texts(frames[-1], "en")[0]
    assert engine.requests == []


def test_rag_without_an_index_is_an_error(studio: Studio) -> None:
    with pytest.raises(UnknownChoice, match="charlas"):
        list(gen.rag(studio, Grounded("el mar", generator="base")))


def test_a_context_without_room_is_an_error_with_both_sizes(space_bundle: Path) -> None:
    studio, engine = scripted(space_bundle, "Fin.", context=80)
    with pytest.raises(PromptTooLong) as caught:
        list(gen.finetuned(studio, Speech("el mar", opening="palabra " * 50)))
    assert caught.value.details["context"] == 80
    assert engine.requests == []


def test_search_finds_the_talk_that_holds_the_words(studio: Studio) -> None:
    index = studio.index(studio.grounded[0])
    passage = index.passages[5]
    found = gen.search(studio, " ".join(passage.text.split()[:25]), 3, None, None)
    assert found[0].hit.passage == passage
    assert len(gen.search(studio, "el mar", 4, 0, "charlas")) == 4


FIELDS = ["topics", "field", "opening"]
ODD = {
    "control": "mar\x00\x07\x1b[31m rojo\x7f",
    "html": "<script>alert(1)</script> <b>mar</b> **negrita** [a](javascript:x)",
    "emoji": "mar 🌊 👩‍🚀",
    "rtl": "\u202emar\u202c \u200fעברית العربية\u200b\ufeff",
    "marks": "{context} {{7*7}} ${x} <|end|> </s>",
    "surrogate": "mar \ud800 azul",
}


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("kind", ODD)
def test_odd_texts_are_cleaned_and_written_about(studio: Studio, field: str, kind: str) -> None:
    last = list(
        gen.finetuned(studio, Speech(**{"topics": "mar", "minutes": 1, "seed": 1, field: ODD[kind]}))
    )[-1]
    assert last.phase == "done"
    assert last.text
    assert ("removed" in keys(last)) == (kind in ("control", "rtl", "surrogate"))
    for shown in (paper(last, "es"), status(last, "en")):
        assert "<script" not in shown
        assert "{" not in shown


@pytest.mark.parametrize("field", FIELDS)
def test_100_kb_is_refused_with_its_limit(studio: Studio, field: str) -> None:
    with pytest.raises(TooLong, match=str(SETTINGS.max_chars)):
        next(gen.finetuned(studio, Speech(**{"topics": "mar", field: "x" * 100_000})))


@pytest.mark.parametrize("empty", ["", "   ", "\n\t", "\u200b\u202e", "🌊🌊", "¿?", None])
def test_topics_need_a_word(studio: Studio, empty: str | None) -> None:
    with pytest.raises(InvalidInput) as caught:
        next(gen.finetuned(studio, Speech(empty)))
    assert "Temas" in explain(caught.value, "es")


WRONG = [
    {"topics": 5},
    {"topics": ["mar"]},
    {"topics": "mar " * 61},
    {"field": {"a": 1}},
    {"field": "mar " * 21},
    {"minutes": 0},
    {"minutes": 1000},
    {"minutes": "tres"},
    {"minutes": True},
    {"minutes": float("nan")},
    {"minutes": None},
    {"creativity": -0.1},
    {"creativity": 1.1},
    {"creativity": float("inf")},
    {"seed": -2},
    {"seed": 2**31},
    {"seed": 1.5},
    {"seed": "siete"},
    {"generator": 3},
    {"generator": "nadie"},
    {"passages": 0},
    {"passages": 11},
    {"passages": 2.5},
    {"threshold": "alto"},
    {"threshold": 7},
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_wrong_types_and_ranges_are_named_errors(space_bundle: Path, wrong: dict[str, Any]) -> None:
    studio, engine = scripted(space_bundle, "Fin.")
    with pytest.raises(InvalidInput) as caught:
        list(gen.rag(studio, Grounded(**{"topics": "mar", **wrong})))
    for language in ("es", "en"):
        assert explain(caught.value, language)
    assert engine.requests == []


def test_invisible_characters_are_counted_and_joined_emoji_stay() -> None:
    clean = inputs.clean_text("a\u200bb\u202ec\x00 👩\u200d🚀 e\u0301", "topics", 100)
    assert clean.text == "abc 👩\u200d🚀 é"
    assert clean.removed == 3


def test_creativity_is_the_documented_temperature() -> None:
    assert [round(inputs.temperature(c, 0.8), 2) for c in (0, 0.5, 1)] == [0.24, 0.8, 1.12]


def test_whole_numbers_may_come_as_floats_and_are_not_rounded() -> None:
    assert inputs.whole(3.0, "passages", 1, 10) == 3
    with pytest.raises(NotNumber):
        inputs.whole(3.2, "passages", 1, 10)


def test_what_others_wrote_is_escaped() -> None:
    assert escape("<img src=x onerror=alert(1)> {{x}} ${y} `z` & \"q\" 'q'").count("<") == 0
    frame = Frame("done", 1, text="<script>alert(1)</script>\n\n{{ x }}", words=3)
    assert "<script>" not in paper(frame, "es")
    assert "{{" not in paper(frame, "es")


def test_passages_are_escaped(studio: Studio) -> None:
    found = gen.search(studio, "el mar", 2, 0, None)
    evil = replace(
        found[0], hit=replace(found[0].hit, passage=replace(found[0].hit.passage, title="<b>", text="<i>"))
    )
    shown = passages([evil], "en")
    assert "<b><b>" not in shown
    assert "&lt;i&gt;" in shown


@pytest.mark.parametrize("kind", MIME)
def test_a_speech_as_a_file(kind: str) -> None:
    frame = Frame("done", 7, text="Uno.\n\n*Dos* <b>\x02.", title="el mar & la paciencia", words=2)
    file = download(frame, kind, "modelo", "es")
    data = base64.b64decode(file["data"])
    assert file["name"] == f"el-mar-la-paciencia.{kind}"
    text = _docx_text(data) if kind == "docx" else data.decode("utf-8")
    assert "Uno." in text
    assert "Semilla 7" in text
    assert ("\\*Dos\\*" if kind == "md" else "*Dos*") in text


def _docx_text(data: bytes) -> str:
    return "\n".join(paragraph.text for paragraph in Document(io.BytesIO(data)).paragraphs)


def test_both_languages_have_the_same_fields() -> None:
    def fields(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}

    for key, (es, en) in TEXTS.items():
        assert fields(es) == fields(en), key
        assert es
        assert en


@pytest.mark.parametrize(
    ("name", "value"),
    [("ORADOR_PORT", "x"), ("ORADOR_PORT", "99999"), ("ORADOR_QUEUE_SIZE", "0"), ("ORADOR_LANGUAGE", "fr")],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingInvalid, match=name):
        Settings.from_env({name: value})


def test_settings_come_from_the_environment() -> None:
    settings = Settings.from_env({"CPU_CORES": "2", "SPACE_ID": "a/b", "ORADOR_BUNDLE": f"a/b@{'0' * 40}"})
    assert (settings.threads, settings.host, settings.remote) == (2, "0.0.0.0", True)
    assert Settings.from_env({"ORADOR_THREADS": "3", "CPU_CORES": "2"}).threads == 3


def test_a_bundle_without_index_has_no_rag(space_bundle: Path) -> None:
    bundle = Bundle.load(space_bundle, verify=False)
    plain = Studio(replace(bundle, generators=bundle.generators[1:]), SETTINGS)
    assert plain.grounded == []
    with pytest.raises(NoIndex):
        gen.search(plain, "mar", 3, None, None)
