"""Subtitles and texts between times, written by pysubs2 or as video sites write them. Run: pytest tests/test_subtitles.py"""

from __future__ import annotations

from pathlib import Path

import pysubs2
import pytest

from tests.corpus_files import only, paragraphs, read_corpus
from train.errors import BadFile
from train.transcripts import parse


def subtitled(lines: list[tuple[int, int, str]], format_: str) -> bytes:
    """Cues of (start, end, text) in milliseconds, written by pysubs2."""
    file = pysubs2.SSAFile()
    for start, end, text in lines:
        file.append(pysubs2.SSAEvent(start=start, end=end, text=text.replace("\n", r"\N")))
    return file.to_string(format_).encode()


CUES = [
    (0, 1900, "La primera vez que vi un glaciar"),
    (2000, 3900, r"{\i1}tenía nueve años y creí{\i0}" + "\nque era una pared."),
    (4000, 5900, "Mi abuela, que había nacido en el pára-\nmo, me dijo que el hielo también camina."),
    (9000, 9900, "(Aplausos)"),
    (9900, 11900, "Durante veinte años medí ese camino."),
    (12000, 12900, "- ¿Cuánto?\n- Mucho."),
    (13000, 13900, "* * *"),
]
JOINED = [
    "La primera vez que vi un glaciar tenía nueve años y creí que era una pared. Mi abuela, que había nacido en el páramo, me "
    "dijo que el hielo también camina.",
    "(Aplausos) Durante veinte años medí ese camino.",
    "¿Cuánto?",
    "Mucho.",
]


@pytest.mark.parametrize("format_", ["srt", "vtt"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_subtitles_become_paragraphs(tmp_path: Path, format_: str, encoding: str) -> None:
    raw = subtitled(CUES, format_).decode().replace("\n", "\r\n").encode(encoding)
    document, audit = only(tmp_path / f"03-el-glaciar.{format_}", raw)
    assert paragraphs(document) == JOINED
    assert document.title == "El glaciar"
    assert audit.counts["kept"]["subtitles joined into paragraphs"] == 7


def test_captions_that_scroll_give_each_line_once(tmp_path: Path) -> None:
    lines = [
        "hola a todos",
        "bienvenidos al curso",
        "de historia del páramo",
        "donde nace el agua",
        "que bebe la ciudad",
    ]
    cues = ["WEBVTT\nKind: captions\nLanguage: es\n"]
    for i, (before, line) in enumerate(zip(["", *lines], lines, strict=False)):
        first, *rest = line.split()
        timed = first + "".join(f"<00:00:{i * 2:02}.{n}00><c> {word}</c>" for n, word in enumerate(rest, 1))
        cues.append(
            f"00:00:{i * 2:02}.000 --> 00:00:{i * 2 + 1:02}.990 align:start position:0%\n{before or ' '}\n{timed}\n"
        )
        cues.append(
            f"00:00:{i * 2 + 1:02}.990 --> 00:00:{i * 2 + 2:02}.000 align:start position:0%\n{line}\n \n"
        )
    document, audit = only(tmp_path / "curso.vtt", "\n".join(cues).encode())
    assert paragraphs(document) == [" ".join(lines)]
    assert audit.counts["dropped"]["subtitles: lines repeated while they scroll"] == 9
    assert audit.counts["kept"]["subtitles without full stops: paragraphs end at pauses and at lengths"] == 0


def test_captions_that_grow_give_each_word_once(tmp_path: Path) -> None:
    words = ["El", "hielo", "también", "camina", "hacia", "el", "mar.", "Nadie", "lo", "ve."]
    cues = [(500 * i, 500 * i + 500, " ".join(words[:i])) for i in range(1, len(words) + 1)]
    document, _ = only(tmp_path / "a.srt", subtitled(cues, "srt"))
    assert paragraphs(document) == [" ".join(words)]


def test_what_is_said_twice_stays(tmp_path: Path) -> None:
    cues = [
        (0, 900, "No."),
        (1000, 1900, "No."),
        (2000, 2900, "Digo que no."),
        (3000, 3900, "¿Cómo?"),
        (4000, 4900, "Que no."),
    ]
    assert only(tmp_path / "a.srt", subtitled(cues, "srt"))[0].raw == "No. No. Digo que no. ¿Cómo? Que no."


def test_voices_are_labels_and_notes_are_not_text(tmp_path: Path) -> None:
    vtt = (
        "WEBVTT - actas\n\nSTYLE\n::cue { color: red }\n\nNOTE no es texto\n\napertura\n00:01.000 --> 00:02.000\n<v.alta Ana Ruiz>Buenos días."
        "</v>\n\nNOTE tampoco\n\n2\n00:02.000 --> 00:03.000\n<v Luis>¿Y la ley?\n\n00:03.000 --> 00:04.000\n<v Ana Ruiz>Se vota &amp; ya."
    )
    document, _ = only(tmp_path / "a.vtt", vtt.encode())
    assert [(turn.label, turn.text.strip()) for turn in parse(document.raw).turns] == [
        ("ANA RUIZ", "Buenos días."),
        ("LUIS", "¿Y la ley?"),
        ("ANA RUIZ", "Se vota & ya."),
    ]
    one, _ = only(tmp_path / "a.vtt", vtt.replace("Luis", "Ana Ruiz").encode())
    assert (one.speaker, one.raw) == ("Ana Ruiz", "Buenos días. ¿Y la ley? Se vota & ya.")


def test_labels_in_captions_begin_a_paragraph(tmp_path: Path) -> None:
    cues = [
        (0, 900, "PRESIDENTA: Se va a votar."),
        (1000, 1900, "Hoy mismo."),
        (2000, 2900, "PREGUNTA: ¿A qué hora: a las 10:30?"),
    ]
    document, _ = only(tmp_path / "a.srt", subtitled(cues, "srt"))
    assert [(turn.label, turn.text.strip()) for turn in parse(document.raw).turns] == [
        ("PRESIDENTA", "Se va a votar. Hoy mismo."),
        ("PREGUNTA", "¿A qué hora: a las 10:30?"),
    ]


def test_a_text_between_times_is_joined(tmp_path: Path) -> None:
    lines = ["El hielo también", "camina hacia el", "mar. Nadie lo ve", "porque camina", "de noche."]
    text = "El glaciar\n\n" + "".join(f"{i // 2}:{i % 2 * 30:02}\n{line}\n" for i, line in enumerate(lines))
    document, audit = only(tmp_path / "a.txt", text.encode("cp1252"))
    assert (document.title, paragraphs(document)) == ("El glaciar", [" ".join(lines)])
    assert audit.counts["dropped"]["lines: times"] == 5
    timetable = "Horario de salidas\n\n10:30\nTren a Mérida\n9:00\nTren a Campeche\n8:00\nuno\n8:10\ndos\n8:20\ntres\n"
    (tmp_path / "a.txt").unlink()
    assert "10:30\nTren a Mérida" in only(tmp_path / "b.txt", timetable.encode())[0].raw


def test_captions_without_full_stops_end_their_paragraphs_somewhere(tmp_path: Path) -> None:
    cues = [(1000 * i, 1000 * i + 900, f"y entonces la abuela número {i} dijo algo") for i in range(60)]
    document, audit = only(tmp_path / "a.srt", subtitled(cues, "srt"))
    assert [len(part.split()) for part in paragraphs(document)] == [152, 152, 152, 24]
    assert audit.counts["kept"]["subtitles without full stops: paragraphs end at pauses and at lengths"] == 1


def test_a_subtitle_file_without_times_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_text("Esto no es nada.\n")
    with pytest.raises(BadFile, match=r"a\.srt: no subtitle with its times"):
        read_corpus(tmp_path)
