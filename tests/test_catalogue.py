"""Talks whose metadata and transcripts lie apart, as the public TED data, and shares of a corpus. Run: pytest tests/test_catalogue.py"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.corpus_files import TALK, prepare, read_corpus, speech, talk
from train.audit import Audit
from train.catalogue import UNMATCHED
from train.corpus import Document
from train.errors import BadFile
from train.sampling import sample
from train.split import SPLITS

HEADERS = [
    "description",
    "film_date",
    "main_speaker",
    "name",
    "speaker_occupation",
    "tags",
    "title",
    "url",
    "views",
]
TALKS = [  # title, speaker, occupation, tags, the address's last part
    (
        "Do schools kill creativity?",
        "Ken Robinson",
        "Author/educator",
        ["children", "dance"],
        "ken_robinson_says",
    ),
    ("El glaciar: una medida", "Ana Ruiz", "Glacióloga", ["agua", "cambio climático"], "ana_ruiz_glaciar"),
    ("Averting the crisis", "Al Gore", "Climate advocate", ["cars"], "al_gore_on_averting"),
    ("Un título repetido", "Luis Paz", "Poeta", ["versos"], "luis_paz_uno"),
    ("Un título repetido", "Eva Sol", "Pintora", ["colores"], "eva_sol_dos"),
]


def metadata(path: Path, rows: list[tuple[str, str, str, list[str], str]], encoding: str = "utf-8") -> None:
    """The columns of the public table: dates in seconds, addresses that end in a line break, tags as Python writes a list."""
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, HEADERS)
        writer.writeheader()
        for title, speaker, occupation, tags, slug in rows:
            description = f"{speaker} habla,\ny lo hace bien."
            values = [description, 1140825600, speaker, f"{speaker}: {title}", occupation, tags, title]
            address = f"https://www.ted.com/talks/{slug}\n"
            writer.writerow(dict(zip(HEADERS, [*values, address, 7], strict=True)))


def table(path: Path, headers: list[str], rows: list[tuple[str, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([headers, *rows])


def described(document: Document) -> tuple[Any, ...]:
    return document.title, document.speaker, document.field, document.topics


KEN = ("Do schools kill creativity?", "Ken Robinson", "Author, educator", ["children", "dance"])
ANA = ("El glaciar: una medida", "Ana Ruiz", "Glacióloga", ["agua", "cambio climático"])
GORE = ("Averting the crisis", "Al Gore", "Climate advocate", ["cars"])


def test_transcripts_by_address(tmp_path: Path) -> None:
    metadata(tmp_path / "ted_main.csv", TALKS)
    rows = [
        (talk(0), "https://www.ted.com/talks/ken_robinson_says\n"),
        (talk(1), "http://ted.com/talks/eva_sol_dos/transcript?language=es"),
        (talk(2), "https://www.ted.com/talks/nobody_knows\n"),
    ]
    table(tmp_path / "transcripts.csv", ["transcript", "url"], rows)
    (first, second, third), audit = read_corpus(tmp_path)
    assert described(first) == KEN
    assert (first.raw, first.date, first.source) == (
        talk(0),
        "2006-02-25",
        "https://www.ted.com/talks/ken_robinson_says",
    )
    assert described(second) == ("Un título repetido", "Eva Sol", "Pintora", ["colores"])
    assert (third.speaker, third.topics) == (None, [])
    assert audit.counts["kept"]["transcripts joined to their metadata by address"] == 2
    assert audit.counts["kept"]["transcripts without a row in the metadata"] == 1
    assert audit.counts["dropped"]["metadata rows without a transcript"] == 3
    assert [(row["missing"], row["of"]) for row in audit.tables[UNMATCHED]] == [
        ("row", "transcripts.csv#3"),
        ("transcript", "ted_main.csv#2"),
        ("transcript", "ted_main.csv#3"),
        ("transcript", "ted_main.csv#4"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16"])
def test_transcripts_by_title(tmp_path: Path, encoding: str) -> None:
    metadata(tmp_path / "charlas.csv", TALKS, encoding)
    rows = [
        ("EL GLACIAR: UNA MEDIDA", talk(0)),
        ("Ken Robinson: Do schools kill creativity", talk(1)),
        ("Un título repetido", talk(2)),
    ]
    table(tmp_path / "textos.csv", ["título", "transcripción"], rows)
    (first, second, third), audit = read_corpus(tmp_path)
    assert (described(first), described(second)) == (ANA, KEN)
    assert third.speaker is None  # two rows have this title
    assert audit.counts["kept"]["transcripts joined to their metadata by title"] == 2


def test_transcripts_in_files_by_name(tmp_path: Path) -> None:
    metadata(tmp_path / "ted_main.csv", TALKS)
    folder = tmp_path / "transcripts"
    folder.mkdir()
    (folder / "ken_robinson_says.txt").write_text(talk(0), encoding="utf-8")
    (folder / "07 - El glaciar, una medida.txt").write_text(talk(1), encoding="utf-8")
    (folder / "al-gore-averting-the-crisis.srt").write_text(
        "1\n00:00:01,000 --> 00:00:03,000\nThank you so much, Chris.\n", encoding="utf-8"
    )
    documents, audit = read_corpus(tmp_path)
    assert [described(document) for document in documents] == [ANA, GORE, KEN]
    assert documents[2].raw == talk(0)
    assert audit.counts["kept"]["transcripts joined to their metadata by file name"] == 3


@pytest.mark.parametrize(
    "names",
    [["1.txt", "2.txt", "3.txt"], ["000.txt", "001.txt", "002.txt"], ["01_a.txt", "02_b.txt", "03_c.txt"]],
)
def test_transcripts_by_the_number_of_the_row(tmp_path: Path, names: list[str]) -> None:
    metadata(tmp_path / "ted_main.csv", TALKS)
    for i, name in enumerate(names):
        (tmp_path / name).write_text(talk(i), encoding="utf-8")
    documents, audit = read_corpus(tmp_path)
    assert [described(document) for document in documents] == [KEN, ANA, GORE]
    assert audit.counts["kept"]["transcripts joined to their metadata by number"] == 3


def test_numbers_of_the_table_itself_count_before_places(tmp_path: Path) -> None:
    table(tmp_path / "m.csv", ["id", "title", "tags"], [("30", "Uno", "a"), ("1", "Dos", "b")])
    (tmp_path / "30.txt").write_text(talk(0), encoding="utf-8")
    (tmp_path / "2.txt").write_text(talk(1), encoding="utf-8")
    second, first = read_corpus(tmp_path)[0]
    assert (first.title, first.topics) == ("Uno", ["a"])
    assert second.topics == []


def test_numbers_beyond_the_table_mean_nothing(tmp_path: Path) -> None:
    metadata(tmp_path / "m.csv", TALKS[:2])
    for name in ("1.txt", "2.txt", "9.txt"):
        (tmp_path / name).write_text(talk(int(name[0])), encoding="utf-8")
    assert [document.speaker for document in read_corpus(tmp_path)[0]] == [None, None, None]


def test_what_a_transcript_says_of_itself_stays(tmp_path: Path) -> None:
    metadata(tmp_path / "m.csv", TALKS)
    (tmp_path / "a.md").write_text(
        "---\ntitle: Averting the crisis\nspeaker: A. Gore\ntopics: [hielo]\n---\nTexto.", encoding="utf-8"
    )
    (document,), _ = read_corpus(tmp_path)
    assert described(document) == ("Averting the crisis", "A. Gore", "Climate advocate", ["hielo"])


def test_a_table_larger_than_what_is_looked_at_first(tmp_path: Path) -> None:
    rows = [(f"Charla de las {i} ñandúes", "Ana Ñu", "Poeta", ["x"] * 20, f"charla_{i}") for i in range(900)]
    metadata(tmp_path / "m.csv", rows)
    assert (tmp_path / "m.csv").stat().st_size > 2 * 2**16
    (tmp_path / "charla_899.txt").write_text(talk(0), encoding="utf-8")
    assert read_corpus(tmp_path)[0][0].title == "Charla de las 899 ñandúes"


def test_metadata_alone_is_refused_by_name(tmp_path: Path) -> None:
    metadata(tmp_path / "m.csv", TALKS)
    with pytest.raises(BadFile, match=r"m\.csv: header: no column with the text"):
        read_corpus(tmp_path)


# --- the command


def rows(out: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for split in SPLITS
        for line in (out / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    ]


def make_ted(folder: Path) -> None:
    """The fifth talk is long, one paragraph and has glued stage directions; the sixth has no row."""
    folder.mkdir()
    metadata(folder / "ted_main.csv", TALKS)
    texts = [speech(f"tema{i}", 8).replace("\n", " ") for i in range(6)]
    texts[4] = (
        speech("molino", 200)
        .replace("\n", " ")
        .replace("familias. El molino", "familias.(Applause)El molino")
    )
    addresses = [f"https://www.ted.com/talks/{row[-1]}\n" for row in TALKS] + [
        "https://www.ted.com/talks/x\n"
    ]
    table(folder / "transcripts.csv", ["transcript", "url"], list(zip(texts, addresses, strict=True)))


def test_speech_from_two_tables(tmp_path: Path) -> None:
    make_ted(tmp_path / "ted")
    done = prepare("speech", tmp_path / "ted", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    found = rows(tmp_path / "out")
    by_document: dict[str, list[dict[str, Any]]] = {}
    for example in found:
        by_document.setdefault(example["document"], []).append(example)
    ken = by_document["transcripts.csv#1"][0]
    assert (ken["values"], ken["derived"]) == (
        {"field": "Author, educator", "topics": "children y dance"},
        [],
    )
    assert by_document["transcripts.csv#6"][0]["derived"] == ["topics", "field"]
    parts = sorted(by_document["transcripts.csv#5"], key=lambda example: example["part"])
    assert len(parts) == 6
    assert [example["values"]["topics"] for example in parts][:2] == [
        "colores",
        "colores (continuación, parte 2 de 6)",
    ]
    sizes = [len(example["messages"][-1]["content"].split()) for example in parts]
    assert max(sizes) <= 600
    assert min(sizes) > 0.8 * max(sizes)
    answers = " ".join(example["messages"][-1]["content"] for example in parts)
    assert "pplause" not in answers
    assert "familias.El" not in answers
    report = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "transcripts joined to their metadata by address | 5 |" in report
    assert f"## {UNMATCHED.capitalize()}" in report
    assert (
        prepare(
            "speech", tmp_path / "ted", "--out", tmp_path / "kept", "--stage-directions", "keep"
        ).returncode
        == 0
    )
    assert any("(Applause)" in example["messages"][-1]["content"] for example in rows(tmp_path / "kept"))


def test_a_share_is_drawn_by_document_and_said(tmp_path: Path) -> None:
    source = tmp_path / "charlas"
    source.mkdir()
    for i in range(40):
        (source / f"{i:02}.md").write_text(f"---\ntopics: [uno]\n---\n{talk(i)}", encoding="utf-8")
    drawn = {}
    for name, options in {"a": ["--seed", "1"], "b": ["--seed", "1"], "c": ["--seed", "2"]}.items():
        assert (
            prepare("speech", source, "--out", tmp_path / name, "--share", "0.25", *options).returncode == 0
        )
        drawn[name] = {example["document"] for example in rows(tmp_path / name)}
    assert len(drawn["a"]) == 10
    assert drawn["a"] == drawn["b"] != drawn["c"]
    report = json.loads((tmp_path / "a" / "report.json").read_text(encoding="utf-8"))
    assert ["documents not drawn (--share 0.25)", 30] in [
        [row["reason"], row["count"]] for row in report["dropped"]
    ]
    for share in ("0", "25"):
        refused = prepare("conference", source, "--out", tmp_path / "d", "--share", share)
        assert refused.returncode == 2
        assert "--share" in refused.stderr


def test_a_larger_share_holds_a_smaller_one() -> None:
    documents = [Document(id=str(i), title="", source="", raw=TALK) for i in range(100)]
    quarter, half = (sample(documents, share, 3, Audit()) for share in (0.25, 0.5))
    assert (len(quarter), len(half)) == (25, 50)
    assert {d.id for d in quarter} < {d.id for d in half}
    assert [d.id for d in half] == sorted((d.id for d in half), key=int)
    assert len(sample(documents[:2], 0.1, 0, Audit())) == 1
