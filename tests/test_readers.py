"""Files with a format of their own: pages, Word and PDF made here by real libraries. Run: pytest tests/test_readers.py"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import docx
import matplotlib
import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from fpdf import FPDF

from tests.corpus_files import SHARED, TALK, only, paragraphs, read_corpus
from train.audit import Audit
from train.corpus import Corpus
from train.errors import BadFile
from train.processes import Processes
from train.transcripts import parse

PARAGRAPHS = TALK.split("\n\n")


# --- HTML

PAGE = """<!DOCTYPE html><html lang="es"><head><meta charset="{charset}"><title>El glaciar | Charlas del sur</title>
<meta property="article:published_time" content="2021-05-03T10:00:00-03:00"><link rel="canonical" href="https://example.org/glaciar">
<style>p {{ color: red }}</style><script>var texto = "<p>esto no es texto</p>";</script></head>
<body class="menu-open"><nav><ul><li><a href="/">Inicio</a></li><li><a href="/x">Contacto</a></li></ul></nav>
<header class="site-header"><p>Charlas del sur, la radio de todos</p></header>
<main><h1>El glaciar</h1><div class="share-buttons"><a href="#">Compartir en todas partes</a></div>
<div><p>{0}</p><p>{1}</p>
<p>&nbsp;</p>{2}</div>
<ul><li><a href="1">Otra charla</a></li><li><a href="2">Una más</a></li><li><a href="3">La última</a></li></ul></main>
<div id="cookie-notice">Usamos galletas propias.</div><footer>© Charlas del sur</footer></body></html>"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "mac_roman"])
def test_a_page_gives_its_article(tmp_path: Path, encoding: str) -> None:
    page = PAGE.format(*(part.replace(", ", ",\n   ") for part in PARAGRAPHS), charset="x")
    document, audit = only(tmp_path / "p.html", page.encode(encoding))
    assert paragraphs(document) == PARAGRAPHS
    assert (document.title, document.date, document.source) == (
        "El glaciar",
        "2021-05-03",
        "https://example.org/glaciar",
    )
    assert {reason: n for reason, n in audit.counts["dropped"].items() if reason.startswith("HTML")} == {
        "HTML: scripts, styles and other code": 3,  # with <head>
        "HTML: navigation, forms, footers and hidden parts": 3,
        "HTML: parts named as menus, banners, comments and the like": 2,
        "HTML: lists of links": 1,
    }


def test_a_page_with_turns_keeps_its_lines(tmp_path: Path) -> None:
    page = "<p><b>PRESIDENTA:</b> Buenos d&iacute;as.<br>Gracias por venir.</p><p><b>PREGUNTA:</b> ¿Y la <i>ley</i>?</p><hr>"
    page += "<p><b>PRESIDENTA:</b> Se va a <a href=x>votar</a>.</p>"
    document, _ = only(tmp_path / "p.htm", page.encode())
    assert [(turn.label, turn.text.split("\n")[0]) for turn in parse(document.raw).turns] == [
        ("PRESIDENTA", "Buenos días."),
        ("PREGUNTA", "¿Y la ley?"),
        ("PRESIDENTA", "Se va a votar."),
    ]


def test_what_is_named_as_furniture_but_holds_the_text_stays(tmp_path: Path) -> None:
    page = f"<html><body><div class='content-sidebar-menu'><p>{'</p><p>'.join(PARAGRAPHS)}</p></div></body></html>"
    assert paragraphs(only(tmp_path / "p.html", page.encode())[0]) == PARAGRAPHS


def test_a_page_without_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "p.html").write_text("<html><body><div id=app></div><script>run()</script></body></html>")
    with pytest.raises(BadFile, match=r"p\.html: it is a page without text"):
        read_corpus(tmp_path)


# --- Word


def word(build: docx.document.Document) -> bytes:
    out = io.BytesIO()
    build.save(out)
    return out.getvalue()


def test_word_gives_all_that_a_reader_sees(tmp_path: Path) -> None:
    file = docx.Document()
    file.add_heading("El glaciar", 0)
    file.add_paragraph(PARAGRAPHS[0])
    file.add_table(1, 2).rows[0].cells[1].text = "En una tabla."
    changed = file.add_paragraph("Creció ")
    changed._p.append(
        parse_xml(f'<w:del {nsdecls("w")} w:id="1"><w:r><w:delText>mucho</w:delText></w:r></w:del>')
    )
    changed._p.append(parse_xml(f'<w:ins {nsdecls("w")} w:id="2"><w:r><w:t>poco.</w:t></w:r></w:ins>'))
    lines = file.add_paragraph("Una línea")
    lines.add_run().add_break()
    lines.add_run("y otra.")
    file.sections[0].footer.paragraphs[0].text = "Página de la radio"
    document, audit = only(tmp_path / "g.docx", word(file))
    assert document.title == "El glaciar"
    assert paragraphs(document) == [PARAGRAPHS[0], "En una tabla.", "Creció poco.", "Una línea\ny otra."]
    assert audit.counts["dropped"] == {"Word: page headers and footers": 1}


def test_word_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "a-viejo.docx").write_bytes(b"\xd0\xcf\x11\xe0" + bytes(600))
    (tmp_path / "b-vacio.docx").write_bytes(word(docx.Document()))
    with zipfile.ZipFile(tmp_path / "c-otro.docx", "w") as archive:
        archive.writestr("x.txt", "x")
    (tmp_path / "d.txt").write_text(TALK, encoding="utf-8")
    with pytest.raises(BadFile, match=r"a-viejo.*one with a password"):
        read_corpus(tmp_path)
    documents, audit = read_corpus(tmp_path, skip_bad=True)
    assert [document.id for document in documents] == ["d.txt"]
    reasons = {row["file"]: row["reason"] for row in audit.files}
    assert "Word file without text" in reasons["b-vacio.docx"]
    assert "cannot be read as a Word file" in reasons["c-otro.docx"]


# --- PDF


class Pages(FPDF):
    """A transcript as offices print it: a header, and a footer that counts the pages."""

    def header(self) -> None:
        self.set_font("DejaVu", size=8)
        self.cell(0, 8, "Presidencia - Sala de prensa", new_x="LMARGIN", new_y="NEXT")

    def footer(self) -> None:
        self.set_y(-15)
        self.cell(0, 8, f"Página {self.page_no()} de 9", align="C")


def printed(texts: list[str], gap: float = 0, indent: str = "", title: str = "") -> Pages:
    pdf = Pages()
    for style in ("", "B"):
        pdf.add_font(
            "DejaVu",
            style,
            Path(matplotlib.get_data_path(), f"fonts/ttf/DejaVuSerif{'-Bold' if style else ''}.ttf"),
        )
    pdf.add_page()
    if title:
        pdf.set_font("DejaVu", "B", size=20)
        pdf.cell(0, 14, title, new_x="LMARGIN", new_y="NEXT")
    pdf.set_font("DejaVu", size=12)
    for text in texts:
        pdf.multi_cell(0, 6, indent + text, align="J", new_x="LMARGIN", new_y="NEXT")
        pdf.ln(gap)
    return pdf


def many(number: int) -> list[str]:
    """Paragraphs of which no two lines are the same; 42 fill about six pages."""
    return [
        " ".join(
            f"En el año {1000 + 40 * i + j} la abuela midió el glaciar número {i * j} con {j} estacas."
            for j in range(5 + i % 7)
        )
        for i in range(number)
    ]


@pytest.mark.parametrize(("gap", "indent"), [(4, ""), (0, "        ")], ids=["gaps", "indents"])
def test_pdf_lines_become_the_paragraphs_they_were(tmp_path: Path, gap: float, indent: str) -> None:
    texts = many(42)
    document, audit = only(
        tmp_path / "g.pdf", bytes(printed(texts, gap, indent, "El agua que camina").output())
    )
    pages = audit.counts["dropped"]["PDF: headers and footers that pages repeat"] // 2
    assert pages >= 5
    assert document.title == "El agua que camina"
    assert paragraphs(document) == texts


def test_pdf_words_divided_at_line_ends_are_joined(tmp_path: Path) -> None:
    document, _ = only(
        tmp_path / "g.pdf",
        bytes(printed(["Vengo a dar cumpli-\nmiento al artículo franco-\nEspañol."]).output()),
    )
    assert document.raw.strip() == "Vengo a dar cumplimiento al artículo franco-Español."


def test_a_pdf_whose_pages_say_the_same_keeps_its_text(tmp_path: Path) -> None:
    pdf = printed(["La verdad es la verdad. " * 40])
    pdf.add_page()
    pdf.set_font("DejaVu", size=12)
    pdf.multi_cell(0, 6, "La verdad es la verdad. " * 40)
    document, _ = only(tmp_path / "g.pdf", bytes(pdf.output()))
    assert document.raw.count("La verdad") == 80


def test_pdfs_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    closed = printed(PARAGRAPHS)
    closed.set_encryption(owner_password="a", user_password="b")
    (tmp_path / "a-cerrado.pdf").write_bytes(bytes(closed.output()))
    image = FPDF()
    image.add_page()
    image.rect(10, 10, 100, 100, style="F")
    (tmp_path / "b-escaneado.pdf").write_bytes(bytes(image.output()))
    (tmp_path / "c-roto.pdf").write_bytes(b"%PDF-1.7\n" + b"x" * 99)
    (tmp_path / "d-otro.pdf").write_bytes(b"hola")
    (tmp_path / "e.txt").write_text(TALK, encoding="utf-8")
    with pytest.raises(BadFile, match=r"a-cerrado\.pdf: the PDF is encrypted"):
        read_corpus(tmp_path)
    documents, audit = read_corpus(tmp_path, skip_bad=True)
    assert [document.id for document in documents] == ["e.txt"]
    reasons = [row["reason"] for row in audit.files]
    assert [reason[:26] for reason in reasons] == [
        "the PDF is encrypted; save",
        "its 1 pages are images wit",
        "it cannot be read as a PDF",
        "it is no PDF, or a damaged",
    ]


# --- archives, and real transcripts in every format


def test_an_archive_gives_its_texts_and_names_its_bad_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "todo.zip", "w") as archive:
        archive.writestr("a/uno.srt", "1\n00:00:01,000 --> 00:00:02,000\nHola.\n")
        archive.writestr("a/dos.pdf", b"%PDF-1.7 nada")
        archive.writestr("LICENSE.txt", "CC0")
        archive.writestr("foto.jpg", b"x")
    with pytest.raises(BadFile, match=r"todo\.zip/a/dos\.pdf"):
        read_corpus(tmp_path)
    documents, audit = read_corpus(tmp_path, skip_bad=True)
    assert [document.id for document in documents] == ["todo.zip/a/uno.srt"]
    assert {row["file"] for row in audit.files} == {"todo.zip/a/dos.pdf", "todo.zip/LICENSE.txt"}
    assert audit.counts["dropped"]["files in a .zip that are not read (.jpg)"] == 1


def test_several_processes_read_the_same_as_one(tmp_path: Path) -> None:
    for i in range(20):
        (tmp_path / f"{i:02}.html").write_text(PAGE.format(*PARAGRAPHS, charset="x"), encoding="cp1252")
        (tmp_path / f"{i:02}.pdf").write_bytes(b"roto")
    with zipfile.ZipFile(tmp_path / "05.zip", "w") as archive:
        archive.writestr("uno.txt", TALK)
        archive.writestr("foto.jpg", b"x")
    one, two = Audit(), Audit()
    alone = list(Corpus(tmp_path, one, True, Processes(1)))
    assert list(Corpus(tmp_path, two, True, Processes(2))) == alone
    assert len(alone) == 21
    assert json.dumps(two.to_json()) == json.dumps(one.to_json())
    with pytest.raises(BadFile, match=r"00\.pdf"):
        list(Corpus(tmp_path, Audit(), False, Processes(2)))


@pytest.mark.real_data
@pytest.mark.skipif(not (SHARED / "amlo_sample").is_dir(), reason="../shared/data/amlo_sample is absent")
@pytest.mark.parametrize("format_", ["html", "docx", "pdf"])
def test_real_transcripts_say_the_same_in_every_format(tmp_path: Path, format_: str) -> None:
    compared = 0
    for path in sorted((SHARED / "amlo_sample").rglob("*.txt"))[::12]:
        (plain,), _ = read_corpus(path)
        lines = [line for line in plain.raw.split("\n") if line.strip()]
        (tmp_path / f"a.{format_}").write_bytes(as_format(lines, format_))
        (document,), _ = read_corpus(tmp_path / f"a.{format_}")
        expected, found = parse(plain.raw), parse(document.raw)
        assert [turn.label for turn in found.turns] == [turn.label for turn in expected.turns]
        assert [turn.text.split() for turn in found.turns] == [turn.text.split() for turn in expected.turns]
        compared += len(expected.turns)
    assert compared > 100


def as_format(lines: list[str], format_: str) -> bytes:
    if format_ == "html":
        body = "".join("<hr>" if line == "---" else f"<p>{line}</p>" for line in lines)
        return f"<html><body><nav><a href=/>Inicio</a></nav><main>{body}</main></body></html>".encode(
            "cp1252", "xmlcharrefreplace"
        )
    if format_ == "docx":
        file = docx.Document()
        for line in lines:
            file.add_paragraph(line)
        return word(file)
    return bytes(printed(lines, gap=4).output())
