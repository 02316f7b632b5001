"""Reading a corpus: encodings, front matter, tables, bad files. Run: pytest tests/test_corpus.py"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from train.audit import Audit
from train.clean import paragraphs, plain_text, without_directions
from train.corpus import Corpus, Document
from train.dates import find_date
from train.decoding import decode
from train.errors import BadFile, NoCorpus
from train.tables import as_list

SPANISH = "¿Qué año? El niño «vio» el pingüino — “sí”, dijo… Ángel, Íñigo y ÓSCAR comieron ñandú."


def read(source: Path, skip_bad: bool = False) -> tuple[list[Document], Audit]:
    audit = Audit()
    return list(Corpus(source, audit, skip_bad)), audit


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_a_text_reads_the_same_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.txt").write_bytes(SPANISH.encode(encoding))
    documents, _ = read(tmp_path)
    assert documents[0].raw == SPANISH


@pytest.mark.parametrize("encoding", ["latin-1", "mac_roman", "cp850"])
def test_old_single_byte_encodings(encoding: str) -> None:
    text = "La niña pidió café: ¿cuánto costará? Ñandú, pingüino, ÁRBOL."
    assert decode(text.encode(encoding)).text == text


@pytest.mark.parametrize("wrong", ["cp1252", "latin-1"])
def test_double_encoding_is_undone_and_counted(tmp_path: Path, wrong: str) -> None:
    text = "La canción del niño: ¿cuánto dura?"
    (tmp_path / "a.txt").write_bytes(text.encode().decode(wrong).encode())
    documents, audit = read(tmp_path)
    assert documents[0].raw == text
    assert audit.counts["repaired"]["double encodings undone (Ã³ → ó)"] == 4


def test_utf8_with_a_pasted_windows_part_keeps_both(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(
        "La canción y la emoción. ".encode() * 4 + "El corazón.".encode("cp1252")
    )
    documents, _ = read(tmp_path)
    assert documents[0].raw == "La canción y la emoción. " * 4 + "El corazón."


def test_correct_text_with_odd_neighbours_is_not_repaired() -> None:
    text = "y ahora sí…’ No, no funciona así… «¿Él?»"
    assert decode(text.encode()).text == text


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="abcdefgh áéíóúñüÁÉÍÓÚÑ¿¡.,", min_size=1).filter(lambda t: t.strip()))
def test_utf8_and_utf16_round_trip(text: str) -> None:
    assert decode(text.encode()).text == text
    assert decode(text.encode("utf-16")).text == text


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b" \r\n\t ", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"%PDF-1.7 blah", "a PDF"),
        (b"PK\x03\x04rest", "a ZIP or Office file"),
        (b"\x00\x01\x02\x03" * 100, "binary data"),
        (bytes(range(128, 256)) * 3, "encoding cannot be told"),
        ("La canci\ufffdn del ni\ufffdo, \ufffdqu\ufffd?".encode(), "characters were lost"),
        (b"\xff\xfe" + "hola".encode("utf-16-le") + b"\x00", "cannot be read"),
    ],
)
def test_a_bad_file_is_an_error_that_names_it_or_a_listed_skip(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "bueno.txt").write_text(SPANISH, encoding="utf-8")
    (tmp_path / "malo.txt").write_bytes(content)
    with pytest.raises(BadFile) as caught:
        read(tmp_path)
    assert "malo.txt" in str(caught.value)
    assert reason in str(caught.value)
    documents, audit = read(tmp_path, skip_bad=True)
    assert [d.id for d in documents] == ["bueno.txt"]
    assert audit.files[0]["file"] == "malo.txt"
    assert reason in audit.files[0]["reason"]


def test_no_corpus_says_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "foto.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(NoCorpus, match=r"1 \.jpg"):
        read(tmp_path)
    with pytest.raises(NoCorpus, match="does not exist"):
        read(tmp_path / "nada")


def test_files_that_are_not_read_are_listed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(SPANISH, encoding="utf-8")
    (tmp_path / "README.md").write_text("Sobre estos textos", encoding="utf-8")
    (tmp_path / "b.odt").write_bytes(b"PK\x03\x04")
    (tmp_path / ".oculto.txt").write_text("x", encoding="utf-8")
    documents, audit = read(tmp_path)
    assert [d.id for d in documents] == ["a.txt"]
    assert {row["file"] for row in audit.files} == {"README.md", "b.odt"}


def test_front_matter(tmp_path: Path) -> None:
    (tmp_path / "01-x.md").write_text(
        '---\ntítulo: "El agua: un derecho"\norador: Ana Ruiz\nfield: hidrología\ncountry: Perú\n'
        "topics: [agua, 'derecho humano', ríos]\nfecha: 2021-05-03\n---\nPrimer párrafo.\n\n---\n\nSegundo.\n",
        encoding="utf-8",
    )
    (tmp_path / "02-y.md").write_text(
        "---\ntitle: Otro\ntags:\n  - uno\n  - dos\n---\nTexto.", encoding="utf-8"
    )
    first, second = read(tmp_path)[0]
    assert (first.title, first.speaker, first.field, first.date) == (
        "El agua: un derecho",
        "Ana Ruiz",
        "hidrología",
        "2021-05-03",
    )
    assert first.topics == ["agua", "derecho humano", "ríos"]
    assert "Segundo." in first.raw
    assert "country" not in first.raw
    assert (second.title, second.topics, second.raw.strip()) == ("Otro", ["uno", "dos"], "Texto.")


def test_broken_front_matter_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.md").write_text("---\ntitle: A\nesto no es nada\n---\nTexto.", encoding="utf-8")
    with pytest.raises(BadFile, match="esto no es nada"):
        read(tmp_path)


def test_titles_without_front_matter(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# El título\n\nTexto uno.", encoding="utf-8")
    (tmp_path / "b.md").write_text(
        "Un acto\n-------\n\n[Lunes 10 de Diciembre del 2007]\n\nTexto dos.", encoding="utf-8"
    )
    (tmp_path / "03-la-casa_azul.txt").write_text("Empieza ya el texto.\nSigue.", encoding="utf-8")
    titles = {d.id: (d.title, d.date) for d in read(tmp_path)[0]}
    assert titles == {
        "a.md": ("El título", None),
        "b.md": ("Un acto", "2007-12-10"),
        "03-la-casa_azul.txt": ("La casa azul", None),
    }


def test_a_date_told_in_a_talk_is_not_its_date(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(
        "Aquella noche, la del jueves 4 de octubre de 1582, Italia entera se fue a dormir y despertó diez días después.",
        encoding="utf-8",
    )
    assert read(tmp_path)[0][0].date is None


ROWS = [
    (
        "Título uno",
        "Ana",
        "['física', 'autora']",
        "['agua', 'cielo']",
        'Dijo "hola", y se fue.\nSegunda línea; con punto y coma',
    ),
    ("Título dos", "Luis", "médico", "salud; escuela", "Otro texto\tcon tabulador | y barra"),
]
HEADERS = {
    "english": ["title", "main_speaker", "speaker_occupation", "tags", "transcript"],
    "spanish": ["Título", "ORADOR", "Ocupación", "Temas", "Transcripción"],
}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("language", ["english", "spanish"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_csv_dialects(tmp_path: Path, delimiter: str, language: str, encoding: str) -> None:
    quote = '"{}"'.format
    lines = [delimiter.join(HEADERS[language])]
    lines += [delimiter.join(quote(cell.replace('"', '""')) for cell in row) for row in ROWS]
    (tmp_path / "t.csv").write_bytes("\r\n".join(lines).encode(encoding))
    first, second = read(tmp_path / "t.csv")[0]
    assert (first.title, first.speaker, first.field, first.topics) == (
        "Título uno",
        "Ana",
        "física, autora",
        ["agua", "cielo"],
    )
    assert first.raw == ROWS[0][4]
    assert (second.field, second.topics) == ("médico", ["salud", "escuela"])
    assert second.id == "t.csv#2"


def test_csv_with_backslash_escapes_and_declared_separator(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('title,text\nUno,"Dijo \\"hola\\", y ya"\n', encoding="utf-8")
    (tmp_path / "b.csv").write_text("sep=;\ntitle;text\nDos;Texto, con coma\n", encoding="utf-8")
    assert [d.raw for d in read(tmp_path)[0]] == ['Dijo "hola", y ya', "Texto, con coma"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("t.csv", "a,b\n1,2\n", "no column with the text"),
        ("t.csv", "title,text\nuno,dos,tres\n", "row 1 has 3 cells"),
        ("t.csv", 'title,text\nuno,"sin cerrar\n', "line 2 is not valid CSV"),
        ("t.jsonl", '{"text": "uno"}\n{"text": \n', "line 2 is not JSON"),
        ("t.jsonl", "[1, 2]\n", "line 1 is not an object"),
        ("t.jsonl", '{"text": 5}\n', "the text is a int"),
        ("t.json", "{", "it is not JSON"),
        ("t.json", '[{"title": "x"}]', "no column with the text"),
    ],
)
def test_bad_tables_say_where_and_why(tmp_path: Path, name: str, content: str, reason: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(BadFile) as caught:
        read(tmp_path / name)
    assert reason in str(caught.value)
    assert name in str(caught.value)


def test_skip_bad_drops_the_row_and_counts_it(tmp_path: Path) -> None:
    lines = ['{"text": "uno"}', "{mal", '{"content": "dos", "tags": ["a", "b"]}']
    (tmp_path / "t.jsonl").write_text("\n".join(lines), encoding="utf-8")
    documents, audit = read(tmp_path / "t.jsonl", skip_bad=True)
    assert [(d.raw, d.topics) for d in documents] == [("uno", []), ("dos", ["a", "b"])]
    assert audit.counts["dropped"]["rows that cannot be read"] == 1


def test_json_list_and_wrapped_list(tmp_path: Path) -> None:
    rows = [{"titulo": "A", "texto": "uno"}, {"titulo": "B", "texto": "dos"}]
    (tmp_path / "a.json").write_text(json.dumps(rows), encoding="utf-8")
    (tmp_path / "b.json").write_text(json.dumps({"charlas": rows, "total": 2}), encoding="utf-8")
    assert [d.title for d in read(tmp_path)[0]] == ["A", "B", "A", "B"]


@pytest.mark.parametrize(
    ("cell", "items"),
    [
        ("['a', 'b c']", ["a", "b c"]),
        ('["a", "b"]', ["a", "b"]),
        ("[a, b]", ["a", "b"]),
        ("{0: ['poeta', 'actor']}", ["poeta", "actor"]),
        ("a, b,, a", ["a", "b"]),
        ("a; b, c; d", ["a", "b, c", "d"]),
        ("", []),
        (None, []),
        (["x", "y"], ["x", "y"]),
    ],
)
def test_topics_in_every_form(cell: object, items: list[str]) -> None:
    assert as_list(cell) == items


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("01 de diciembre de 2018", "2018-12-01"),
        ("[Lunes 10 de Diciembre del 2007]", "2007-12-10"),
        ("5 de setiembre, 1999", "1999-09-05"),
        ("el 2020-05-01", "2020-05-01"),
        ("13/04/2021", "2021-04-13"),
        ("04/13/2021", None),
        ("sin fecha 12", None),
    ],
)
def test_dates(text: str, date: str | None) -> None:
    assert find_date(text) == date


def clean(text: str) -> tuple[list[str], Audit]:
    audit = Audit()
    return paragraphs(plain_text(text, audit, "x"), audit, "x"), audit


def test_characters_and_html_are_made_plain() -> None:
    text = "<p>Caf\u00e9&nbsp;<b>bueno</b>\u200b y cafe\u0301\u202fmalo.</p><script>alert(1)</script><p>3 &lt; 5 &amp;amp; a\u00adgua</p>"
    found, audit = clean(text)
    assert found == ["Café bueno y café malo.", "3 < 5 & agua"]
    assert audit.counts["repaired"]["HTML tags removed"] == 7


def test_less_than_signs_that_are_no_tags_stay() -> None:
    assert clean("Si a < b y c > d, bien.")[0] == ["Si a < b y c > d, bien."]


def test_hard_wrapped_lines_are_joined() -> None:
    text = (
        "Señores gobernadores, autoridades civiles, militares, eclesiásticas y\npueblo de la Patria: vengo esta tarde a dar cumpli-\n"
        "miento al artículo noventa y tres de la Constitución.\n\nEste es un escenario diferente al de hace apenas cuatro años,\n"
        "el veinticinco de mayo de dos mil tres."
    )
    assert clean(text)[0] == [
        "Señores gobernadores, autoridades civiles, militares, eclesiásticas y pueblo de la Patria: vengo esta tarde a dar "
        "cumplimiento al artículo noventa y tres de la Constitución.",
        "Este es un escenario diferente al de hace apenas cuatro años, el veinticinco de mayo de dos mil tres.",
    ]


def test_one_paragraph_a_line_stays_so() -> None:
    text = "Buenos días.\nVamos a informar sobre el plan de este año y sus resultados.\nGracias a todas y a todos."
    assert clean(text)[0] == text.split("\n")


def test_furniture_is_dropped_and_counted() -> None:
    found, audit = clean(
        "Texto bueno.\n+++++\nhttps://example.org/x\n[Lunes 10 de Diciembre del 2007]\nCompartir\nOtro texto."
    )
    assert found == ["Texto bueno.", "Otro texto."]
    assert sum(audit.counts["dropped"].values()) == 4


def test_stage_directions_go_and_parentheses_stay() -> None:
    audit = Audit()
    text = "Gracias (APLAUSOS), amigos. El IMSS (Instituto Mexicano) creció [Risas]. Fui a (inaudible) ayer. Fin (en el video que vimos)."
    assert (
        without_directions(text, audit)
        == "Gracias, amigos. El IMSS (Instituto Mexicano) creció. Fin (en el video que vimos)."
    )
    assert audit.counts["dropped"] == {"stage directions": 2, "sentences with an inaudible part": 1}


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300))
def test_cleaning_never_fails_and_leaves_clean_paragraphs(text: str) -> None:
    for paragraph in clean(text)[0]:
        assert paragraph == " ".join(paragraph.split())
        assert paragraph
        assert not any(ord(c) < 32 or c in "\u200b\ufeff\u00a0" for c in paragraph)
