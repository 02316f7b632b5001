"""Texts from files and from Wikipedia: real files, and a small wiki on loopback.

pytest tests/test_question_input.py
"""

from __future__ import annotations

import json
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import docx
import pytest

from index.errors import OradorError
from space.errors import SettingInvalid
from space.question_frames import MAX_TEXT_CHARS
from space.question_input import load, origin
from space.settings import WIKIPEDIA, Settings
from space.text_errors import (
    ArticleAmbiguous,
    ArticleMissing,
    FileHasNoText,
    FileKindUnknown,
    FileTooLarge,
    FileUnreadable,
    WikipediaUnreachable,
)
from space.text_files import MAX_BYTES, read_file
from space.wikipedia import fetch
from tests.pdf_file import pdf

EXTRACT = """Ramona Salas fue una panadera argentina.

== Vida ==
Abrió la panadería en 1931.

=== El horno ===
Una crecida tapó el horno en 1940.

== Notas ==
Una nota.
=== Más notas ===
Otra nota.

== Legado ==
La calle lleva su nombre.

== Referencias ==

== Enlaces externos ==
Un sitio."""
PAGES: dict[str, dict[str, Any]] = {
    "Ramona Salas": {"title": "Ramona Salas", "extract": EXTRACT, "lastrevid": 77},
    "Salas": {
        "title": "Salas", "extract": "Salas puede ser:", "lastrevid": 1, "pageprops": {"disambiguation": ""},
    },
    "Nadie": {"title": "Nadie", "missing": True},
    "Hueca": {"title": "Hueca", "lastrevid": 5},
}  # fmt: skip


class Wiki(BaseHTTPRequestHandler):
    """Answers as MediaWiki does; the title "Rota" breaks it, "Grande" never ends."""

    asked: list[dict[str, list[str]]] = []  # noqa: RUF012

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = parse_qs(address.query)
        self.asked.append(query)
        title = query["titles"][0]
        body = json.dumps({"query": {"pages": [PAGES.get(title, PAGES["Nadie"])]}}).encode()
        body = {"Rota": b"<html>", "Otra": b'{"query": []}', "Grande": b"x" * 5_000_001}.get(title, body)
        self.send_response(503 if title == "Enferma" else 200 if address.path == "/w/api.php" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def wiki() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Wiki)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_an_article_comes_without_headings_and_appendices(wiki: str) -> None:
    article = fetch("Ramona Salas", wiki)
    assert article.title == "Ramona Salas"
    assert article.text.split("\n\n") == [
        "Ramona Salas fue una panadera argentina.",
        "Abrió la panadería en 1931.",
        "Una crecida tapó el horno en 1940.",
        "La calle lleva su nombre.",
    ]
    assert article.address == f"{wiki}/w/index.php?title=Ramona_Salas&oldid=77"
    query = Wiki.asked[-1]
    assert (query["action"], query["redirects"], query["explaintext"]) == (["query"], ["1"], ["1"])


@pytest.mark.parametrize(
    ("title", "error"),
    [
        ("Nadie", ArticleMissing),
        ("Hueca", ArticleMissing),
        ("Salas", ArticleAmbiguous),
        ("Rota", WikipediaUnreachable),
        ("Otra", WikipediaUnreachable),
        ("Grande", WikipediaUnreachable),
        ("Enferma", WikipediaUnreachable),
    ],
)
def test_what_is_no_article_is_a_named_error(wiki: str, title: str, error: type[OradorError]) -> None:
    with pytest.raises(error):
        fetch(title, wiki)


def test_a_title_cannot_ask_for_several_pages(wiki: str) -> None:
    with pytest.raises(ArticleMissing):
        fetch("Ramona Salas|Salas", wiki)
    assert Wiki.asked[-1]["titles"] == ["Ramona Salas Salas"]


def test_without_a_network_the_error_says_what_to_do() -> None:
    with pytest.raises(WikipediaUnreachable, match="Paste the text") as caught:
        fetch("Ramona Salas", "http://127.0.0.1:9")
    assert "Pegue el texto" in caught.value.message("es")


def test_the_wiki_is_a_setting() -> None:
    assert Settings.from_env({}).wikipedia == WIKIPEDIA
    assert Settings.from_env({"ORADOR_WIKIPEDIA_URL": "http://wiki.test/"}).wikipedia == "http://wiki.test"
    assert Settings.from_env({"ORADOR_WIKIPEDIA_URL": "none"}).wikipedia is None
    with pytest.raises(SettingInvalid):
        Settings.from_env({"ORADOR_WIKIPEDIA_URL": "es.wikipedia.org"})


def test_files_of_every_kind_give_their_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("La panadería abrió en 1931.\r\n\r\nMañana también.".encode("cp1252"))
    assert read_file(tmp_path / "a.txt") == "La panadería abrió en 1931.\n\nMañana también."
    document = docx.Document()
    document.add_heading("La panadería", 1)
    document.add_paragraph("Ramona abrió en 1931.")
    table = document.add_table(1, 2)
    table.cell(0, 0).text, table.cell(0, 1).text = "horno", "de barro"
    document.add_paragraph("Y nunca cerró.")
    document.save(str(tmp_path / "b.DOCX"))
    words = read_file(tmp_path / "b.DOCX").split("\n\n")
    assert words == ["La panadería", "Ramona abrió en 1931.", "horno", "de barro", "Y nunca cerró."]
    lines = [
        "Ramona abrió la panadería de la calle Ombú en el año de la cre-",
        "cida. Nunca cobró el pan.",
        "Fin.",
    ]
    (tmp_path / "c.pdf").write_bytes(pdf([lines, ["Otra página."]]))
    text = read_file(tmp_path / "c.pdf")
    assert text.startswith(
        "Ramona abrió la panadería de la calle Ombú en el año de la crecida. Nunca cobró el pan."
    )
    assert text.endswith("Otra página.")


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("a.exe", b"x", FileKindUnknown),
        ("a.txt", b"x" * (MAX_BYTES + 1), FileTooLarge),
        ("a.txt", b"\0\1\2", FileUnreadable),
        ("a.txt", b" \n ", FileHasNoText),
        ("a.docx", b"no zip", FileUnreadable),
        ("a.pdf", b"no pdf", FileUnreadable),
        ("a.pdf", pdf([[]]), FileHasNoText),
        ("a.pdf", pdf([["x"]] * 201), FileTooLarge),
    ],
)
def test_a_file_that_cannot_be_used_is_a_named_error(
    tmp_path: Path, name: str, content: bytes, error: type[OradorError]
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=name):
        read_file(tmp_path / name)


def test_a_word_file_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.docx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"0" * 21_000_000)
    assert (tmp_path / "a.docx").stat().st_size < MAX_BYTES
    with pytest.raises(FileTooLarge, match="20 MB"):
        read_file(tmp_path / "a.docx")


def test_parts_lose_nothing_and_say_how_many_they_are() -> None:
    text = "\n\n".join(f"La frase número {n} dice algo. La sigue otra más." for n in range(60))
    loaded = load("lectura.txt", text, 100)
    assert len(loaded.parts) > 4
    assert " ".join(" ".join(loaded.parts).split()) == " ".join(text.split())
    assert all(len(part.split()) <= 125 and part.endswith(".") for part in loaded.parts)
    assert f"parte 2 de {len(loaded.parts)}" in origin(loaded, 1, "es")
    assert "whole: 600 words" in origin(load("lectura.txt", text, 1000), 0, "en")
    long = load("x", "x" * (MAX_TEXT_CHARS + 5), 100)
    assert [len(part) for part in long.parts] == [MAX_TEXT_CHARS, 5]


def test_the_source_is_shown_with_its_licence_and_escaped() -> None:
    loaded = load("<b>A</b>", "Hola, mundo.", 50, "https://es.wikipedia.org/w/index.php?title=A&oldid=1")
    shown = origin(loaded, 0, "es")
    assert "CC BY-SA 4.0" in shown
    assert 'href="https://es.wikipedia.org/w/index.php?title=A&amp;oldid=1"' in shown
    assert "<b>" not in shown
    assert origin(None, 0, "es") == ""
