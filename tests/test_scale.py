"""Several processes, packed texts, the report as a page, and `prepare` on whole archives. Run: pytest tests/test_scale.py"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from huggingface_hub import DatasetCard
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.corpus_files import prepare, speech, transcript
from train.audit import SAMPLES, Audit
from train.charts import Column, columns
from train.keyphrases import Keyphrases
from train.packed import Packed
from train.processes import AUTOMATIC, Processes
from train.report_html import to_html

NAME = "Ana Ruiz Peña"
THINGS = "puente mercado telar molino faro horno".split()  # noqa: SIM905
KINDS = "rojo antiguo lejano enorme azul".split()  # noqa: SIM905
OUTPUT = (
    "train.jsonl",
    "validation.jsonl",
    "test.jsonl",
    "documents.jsonl",
    "report.json",
    "report.md",
    "report.html",
    "README.md",
    "prepared.json",
)


def counted(number: int, audit: Audit) -> int:
    """A function to map: it counts, and refuses 13."""
    if number == 13:
        raise ValueError("thirteen")
    audit.kept("numbers", str(number % 7))
    audit.dropped(f"remainder {number % 3}", f"number {number}", number % 4)
    if number % 5 == 0:
        audit.repaired("fives", str(number))
        audit.skipped_file(f"{number}.txt", "a five")
    return number * number


# --- processes


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(14, 500), max_size=60), st.integers(1, 9))
def test_processes_give_what_one_gives(numbers: list[int], together: int) -> None:
    alone, many = Audit(), Audit()
    expected = [counted(number, alone) for number in numbers]
    assert list(Processes(2).map(counted, numbers, many, together)) == expected
    assert list(AUTOMATIC.map(counted, numbers, Audit(), together)) == expected
    assert json.dumps(many.to_json()) == json.dumps(alone.to_json())  # also the order of kinds and reasons
    assert all(len(samples) <= SAMPLES for samples in many.samples.values())


@pytest.mark.parametrize("number", [1, 2])
def test_what_the_caller_counts_in_between_keeps_its_place(number: int) -> None:
    audit = Audit()
    for square in Processes(number).map(counted, [15, 16], audit):
        audit.kept(f"square {square}")
    assert list(audit.counts["kept"]) == ["numbers", "square 225", "square 256"]


@pytest.mark.parametrize("number", [1, 2])
def test_an_error_comes_when_its_turn_comes(number: int) -> None:
    results = Processes(number).map(counted, iter([1, 2, 13, 4]), Audit(), together=1)
    assert [next(results), next(results)] == [1, 4]
    with pytest.raises(ValueError, match="thirteen"):
        next(results)


def test_items_are_read_as_they_are_needed() -> None:
    taken = []

    def numbers() -> Iterator[int]:
        for number in range(14, 10_000):
            taken.append(number)
            yield number

    results = Processes(2).map(counted, numbers(), Audit())
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert len(taken) < 200


def test_topics_do_not_depend_on_the_processes() -> None:
    texts = [speech(topic, 60) for topic in ("puente", "mercado", "telar", "molino", "faro")] * 300
    assert (
        Keyphrases(texts, processes=Processes(1)).topics()
        == Keyphrases(texts, processes=Processes(2)).topics()
    )


@given(st.lists(st.lists(st.text())))
def test_packed_sections_are_the_sections(sections: list[list[str]]) -> None:
    packed = Packed(sections)
    assert list(packed) == sections
    assert len(packed) == len(sections)
    assert bool(packed) == bool(sections)
    assert packed[:1] == sections[:1]
    assert [packed[i] for i in range(len(packed))] == sections


# --- the command


def make_acts(folder: Path, number: int) -> None:
    folder.mkdir()
    for i in range(number):
        thing, kind = THINGS[i % 6], KINDS[i // 6]
        turns = [
            ("MODERADOR LUIS <EL> & CÍA", "Tiene la palabra la doctora."),
            (NAME.upper(), speech(f"{thing} {kind}", 40)),
            ("???", "Se oye un ruido."),
            ("ANA RUIZ PENA", speech(f"{kind} {thing}", 30)),
        ]
        date = f"{i % 28 + 1:02} de marzo de {2010 + i % 9}"
        (folder / f"{i:03}.txt").write_text(
            transcript(f"Acto número {i} & más", turns, date), encoding="utf-8"
        )


def test_the_output_does_not_depend_on_the_processes(tmp_path: Path) -> None:
    make_acts(tmp_path / "actas", 30)
    for number in ("1", "2"):
        done = prepare(
            "conference",
            tmp_path / "actas",
            "--speaker",
            NAME,
            "--processes",
            number,
            "--out",
            tmp_path / number,
        )
        assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "1").iterdir()} == set(OUTPUT)
    for name in OUTPUT:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes(), name


def test_no_processes_is_refused(tmp_path: Path) -> None:
    make_acts(tmp_path / "actas", 1)
    done = prepare("conference", tmp_path / "actas", "--processes", "0", "--out", tmp_path / "x")
    assert done.returncode == 2
    assert "--processes" in done.stderr


def test_the_data_card_is_one_that_the_hub_reads(tmp_path: Path) -> None:
    make_acts(tmp_path / "actas", 3)
    done = prepare("conference", tmp_path / "actas", "--speaker", NAME, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    card = DatasetCard.load(tmp_path / "out" / "README.md")
    assert card.data.language == ["es"]
    assert card.data.size_categories == ["n<1K"]
    for file in card.data.configs[0]["data_files"]:
        assert (tmp_path / "out" / file["path"]).stat().st_size
    manifest = json.loads((tmp_path / "out" / "prepared.json").read_text(encoding="utf-8"))
    assert manifest["corpus_sha256"] in card.text
    assert f"| documents | {manifest['counts']['documents']['train']} |" in card.text


# --- the report as a page


class _Page(HTMLParser):
    """Which tags are open, and whatever would load something."""

    VOID = ("meta", "line", "rect")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [f"{tag} {key}" for key, _ in attrs if key in ("src", "href", "srcset", "data")]
        if tag in ("script", "link", "iframe", "object", "img"):
            self.loads.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_is_whole_and_loads_nothing(tmp_path: Path) -> None:
    make_acts(tmp_path / "actas <b>&amp; más", 12)
    done = prepare(
        "conference",
        tmp_path / "actas <b>&amp; más",
        "--speaker",
        NAME,
        "--out",
        tmp_path / "out",
    )
    assert done.returncode == 0, done.stderr
    html = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    page = _Page()
    page.feed(html)
    assert (page.open, page.loads) == ([], [])
    assert "url(" not in html
    assert "@import" not in html
    text = " ".join(page.text)
    assert "actas <b>&amp; más" in text  # escaped: it is text
    assert "MODERADOR LUIS <EL> & CÍA" in text
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    for part in (
        "Train, validation, test",
        "Documents over time",
        "Who speaks",
        "What was left out",
        "Examples",
    ):
        assert part in text
    taken = [row for row in report["tables"]["labels"] if row["match"] in ("exact", "variant")]
    assert f"taken as the person: 2 labels, {sum(row['turns'] for row in taken):,} turns" in text
    assert all(row["sample"] for row in report["tables"]["labels"])
    assert sum(number for _, number in report["documents_by_month"]) == 12
    assert sum(number for *_, number in report["words_per_example"]["bins"]) == sum(
        report["counts"]["examples"].values()
    )


def test_a_report_without_dates_topics_or_labels_is_a_page() -> None:
    counts = {"train": 1, "validation": 0, "test": 0}
    report = {
        "source": "a", "recipe": "speech", "corpus_sha256": "0" * 64, "dates": None, "documents_by_month": [],
        "counts": {"documents": counts, "examples": counts, "words": counts}, "topics": [],
        "speakers": {"number": 30, "most": [["Ana <b>", 2], ["Eva", 1]]},
        "words_per_example": {"min": 1, "median": 1, "max": 1, "bins": [[0, 5, 1]]}, "derived": {"topics": 0},
        "skipped_files": [{"file": f"{n}.bin", "reason": "no <text>"} for n in range(20)],
        "tables": {"chats": [{"chat": 1, "why": "a & b"}]}, "samples": [],
    }  # fmt: skip
    page = _Page()
    page.feed(to_html(report))
    assert page.open == []
    text = " ".join(page.text)
    assert "No document says its date." in text
    assert "8 more" in text
    assert "30 speakers, by documents" in text
    assert "Ana <b>" in text
    assert "a & b" in text


@settings(max_examples=40)
@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=90).filter(any))
def test_no_column_is_higher_than_the_chart(values: list[int]) -> None:
    svg = columns([Column(value, str(value), "<hint>") for value in values], "values & more")
    drawn = [
        tuple(map(float, found))
        for found in re.findall(r'class="column" x="\S+" y="(\S+)" width="\S+" height="(\S+)"', svg)
    ]
    assert len(drawn) == len(values)
    assert all(y >= 12 and abs(y + height - 184) < 0.2 for y, height in drawn)
    assert "<hint>" not in svg
