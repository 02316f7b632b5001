"""Passages cover their documents exactly and respect sentences; documents of every encoding are read.

python -m pytest tests/test_passages.py
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.documents import Document, read_documents
from index.errors import BadSource, EmptyDocuments, NoDocuments, UnreadableText
from index.passages import count_words, make_passages, paragraphs, sentences, split

_WORDS = st.sampled_from(
    ["el", "mar", "Sr", "EE", "3.5", "¿qué", "«hola»", "niño", "😀", "—dijo", "J", "palabra"]
)
_ENDS = st.sampled_from(
    [".", "!", "…", "?", ".»", ",", "", ". ", ".\n", "\n\n", "\n \n", "  ", "\t", "\u00a0", "\u200b"]
)
_TEXT = st.lists(st.tuples(_WORDS, _ENDS, st.sampled_from([" ", "\n", "\n\n", ""])), max_size=120).map(
    lambda parts: "".join("".join(part) for part in parts)
)


@settings(max_examples=150, deadline=None)
@given(text=st.one_of(_TEXT, st.text(max_size=300)), words=st.integers(3, 40))
def test_pieces_joined_are_the_text(text: str, words: int) -> None:
    pieces = split(text, words).pieces
    assert "".join(pieces) == text
    assert all(count_words(piece) <= words * 1.25 + 1 for piece in pieces)
    assert [word for piece in pieces for word in piece.split()] == text.split()
    if text.strip():
        assert all(piece.strip() for piece in pieces)


@given(text=_TEXT)
def test_sentences_and_paragraphs_joined_are_the_text(text: str) -> None:
    assert "".join(paragraphs(text)) == text
    assert "".join(sentences(text)) == text


@settings(max_examples=50, deadline=None)
@given(lengths=st.lists(st.integers(2, 19), min_size=1, max_size=40), words=st.integers(20, 60))
def test_no_sentence_is_cut_when_all_fit(lengths: list[int], words: int) -> None:
    whole = [" ".join(["Frase", *[f"p{i}"] * (n - 1)]) + "." for i, n in enumerate(lengths)]
    result = split(" ".join(whole), words)
    assert result.cut_sentences == 0
    assert [s.strip() for piece in result.pieces for s in sentences(piece)] == whole


def test_a_sentence_longer_than_a_passage_is_cut_between_words_and_counted() -> None:
    text = "Corta. " + " ".join(f"palabra{i}" for i in range(95)) + ". Final."
    result = split(text, 30)
    assert result.cut_sentences == 1
    assert "".join(result.pieces) == text
    assert max(count_words(piece) for piece in result.pieces) <= 38


def test_paragraph_ends_are_preferred() -> None:
    first, second = (
        ("Una frase de cinco palabras. " * 5).strip(),
        ("Otra frase de cinco palabras. " * 7).strip(),
    )
    assert [piece.strip() for piece in split(f"{first}\n\n{second}", 40).pieces] == [first, second]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("El Sr. López habló. Luego calló.", 2),
        ("En EE. UU. viven muchos. ¿Y aquí?", 2),
        ("J. M. Coetzee escribió. Punto.", 2),
        ("¡No! ¿Seguro? Sí… Bueno.", 4),
        ("Dijo que no. Se fue.", 2),
        ("Costó 3.500 pesos. «Caro», dijo.", 2),
        ("www.ejemplo.org es una página.", 1),
        ("Dijo: «Vamos.» Y salió.", 2),
    ],
)
def test_spanish_sentences(text: str, count: int) -> None:
    assert len(sentences(text)) == count


def test_passages_know_document_position_and_source() -> None:
    long = " ".join(["Siete palabras tiene esta frase, ni una."] * 60)
    passages, cut = make_passages(
        [Document("a", "Uno", "Breve.", "x.txt"), Document("b", "Dos", long, "y.txt")], 200
    )
    assert cut == 0
    assert [p.id for p in passages] == list(range(len(passages)))
    assert [(p.document, p.position, p.source) for p in passages[:3]] == [
        ("a", 0, "x.txt"),
        ("b", 0, "y.txt"),
        ("b", 1, "y.txt"),
    ]
    assert " ".join(p.text for p in passages if p.document == "b") == long


def test_folder_with_several_encodings_and_front_matter(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.txt").write_bytes("El niño llegó.\r\nTarde.".encode("cp1252"))
    (tmp_path / "b.txt").write_bytes("El niño llegó.".encode("utf-8-sig"))
    (tmp_path / "c.txt").write_bytes("El niño llegó.".encode("utf-16"))
    (tmp_path / "sub" / "d.md").write_text(
        "---\ntitle: El río\ntopics: [agua]\n---\nEl niño llegó.\n", encoding="utf-8"
    )
    (tmp_path / "e.md").write_text("# La sierra\n\nEl niño llegó.", encoding="utf-8")
    (tmp_path / "f.md").write_text("---\nEl niño llegó.\n---\nY se fue.", encoding="utf-8")
    (tmp_path / "ignored.pdf").write_bytes(b"%PDF")
    documents = {d.id: d for d in read_documents(tmp_path)}
    assert list(documents) == ["a.txt", "b.txt", "c.txt", "e.md", "f.md", "sub/d.md"]
    assert all("El niño llegó." in d.text for d in documents.values())
    assert "\r" not in documents["a.txt"].text
    assert documents["sub/d.md"].title == "El río"
    assert "topics" not in documents["sub/d.md"].text
    assert documents["e.md"].title == "La sierra"
    assert documents["f.md"].text.startswith("---")


def test_jsonl_documents_and_its_errors(tmp_path: Path) -> None:
    path = tmp_path / "documents.jsonl"
    rows = [
        {"id": "a", "title": "Uno", "text": "Texto.", "source": "s", "date": None},
        {"id": "b", "text": "Más."},
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n", encoding="utf-8")
    assert read_documents(path) == [Document("a", "Uno", "Texto.", "s"), Document("b", "b", "Más.", "b")]
    for bad in (
        '{"id": "a"}',
        "[1]",
        "no",
        '{"id": "a", "text": 3}',
        '{"id":"a","text":"x"}\n{"id":"a","text":"y"}',
    ):
        path.write_text(bad, encoding="utf-8")
        with pytest.raises(BadSource, match=r"documents\.jsonl:\d"):
            read_documents(path)


def test_bad_sources_are_named(tmp_path: Path) -> None:
    with pytest.raises(NoDocuments):
        read_documents(tmp_path)
    with pytest.raises(BadSource):
        read_documents(tmp_path / "absent")
    (tmp_path / "vacio.txt").write_text(" \n", encoding="utf-8")
    with pytest.raises(EmptyDocuments, match=r"vacio\.txt"):
        read_documents(tmp_path)
    (tmp_path / "vacio.txt").write_bytes(b"\x81\x00\x9d")
    with pytest.raises(UnreadableText, match=r"vacio\.txt"):
        read_documents(tmp_path)


@pytest.mark.real_data
def test_real_transcripts_are_covered(shared_data: Path) -> None:
    documents = read_documents(shared_data / "amlo_sample")
    assert len(documents) >= 60
    for document in documents[:20]:
        result = split(document.text)
        assert "".join(result.pieces) == document.text
        assert result.cut_sentences <= len(result.pieces) / 10
