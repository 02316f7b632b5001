"""Whole archives through `prepare`, where they are: counts that awk, grep and reading samples gave too.

Run: pytest -m real_data tests/test_real_archives.py (a minute on two idle cores)
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.corpus_files import ROOT, SHARED, prepare

NAME = "Andrés Manuel López Obrador"
OBRADOR = {
    f"PRESIDENTE {NAME.upper()}": (40_494, 1_963),
    NAME.upper(): (189, 17),
    f"PRESIDENT {NAME.upper()}": (2, 2),
    f"PRESIDENTE DE MÉXICO, {NAME.upper()}": (2, 2),
    f"PRESIDENTE {NAME.upper()} (EN ESE MOMENTO JEFE DE GOBIERNO)": (38, 1),
    f"{NAME.upper()} (EN ESE MOMENTO JEFE DE GOBIERNO)": (15, 1),
    f"RESIDENTE {NAME.upper()}": (3, 3),
    "PRESIDENTE ANDRÉS MANEL LÓPEZ OBRADOR": (1, 1),
    "ANRÉS MANUEL LÓPEZ IBRADOR": (1, 1),
    f"{NAME.upper()}, PRESIDENTE DE MÉXICO": (1, 1),
    f"PRESDIDENTE {NAME.upper()}": (1, 1),
    f"PRSIDENTE {NAME.upper()}": (2, 2),
    "PRESIDENTE ANDRÉS MANU6EL LÓPEZ OBRADOR": (1, 1),
    "LÓPEZ OBRADOR": (1, 1),
}
"""His labels with turns and documents, as `grep -c` and `sort | uniq -c` of the lines after `---` count them."""


MEASURED = """
import re, sys
from train.__main__ import main
status = main(sys.argv[1:])
print(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1])
sys.exit(status)
"""
"""`python -m train`, and the most memory of its main process in kB: a child's ru_maxrss would begin with its parent's."""


def unpacked(name: str, folder: Path) -> Path:
    with tarfile.open(SHARED / f"{name}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder / name


def counts(report: dict[str, Any], kind: str) -> dict[str, int]:
    return {row["reason"]: row["count"] for row in report[kind]}


@pytest.mark.real_data
@pytest.mark.skipif(not (SHARED / "amlo.tar.xz").is_file(), reason="../shared/data/amlo.tar.xz is absent")
def test_the_archive_of_a_president(tmp_path: Path) -> None:
    source, out = unpacked("amlo", tmp_path), tmp_path / "out"
    arguments = ["prepare", "conference", source, "--speaker", NAME, "--out", out]
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.splitlines()[-1]) < 600_000  # kB
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    kept, dropped = counts(report, "kept"), counts(report, "dropped")
    labels = {row["label"]: row for row in report["tables"]["labels"]}
    taken = {
        label: (row["turns"], row["documents"])
        for label, row in labels.items()
        if row["match"] in ("exact", "variant")
    }
    assert taken == OBRADOR
    assert kept["files read"] == 2_180
    assert len(labels) == 3_194
    assert kept["turns of the person"] + dropped["turns of the person under 8 words"] == sum(
        turns for turns, _ in OBRADOR.values()
    )
    similar = {
        label.split(",")[0].split(".")[0] for label, row in labels.items() if row["match"] == "similar"
    }
    assert similar == {"JUAN MANUEL CARRERAS LÓPEZ", "JOSÉ MANUEL LÓPEZ CAMPOS"}
    assert (labels["INTERLOCUTOR"]["turns"], labels["PREGUNTA"]["turns"]) == (11_870, 9_197)
    wife = labels["BEATRIZ GUTIÉRREZ MUELLER, ESPOSA DEL PRESIDENTE LÓPEZ OBRADOR"]
    assert wife["match"] == "other"
    assert report["dates"] == ["2018-12-01", "2023-12-29"]
    assert sum(report["counts"]["documents"].values()) == 2_180 - 98 - 23 - 14 - 1
    assert kept["documents without labels, by their title"] == 92


@pytest.mark.real_data
@pytest.mark.skipif(not (SHARED / "cfk.tar.xz").is_file(), reason="../shared/data/cfk.tar.xz is absent")
def test_the_speeches_of_a_president(tmp_path: Path) -> None:
    done = prepare("speech", unpacked("cfk", tmp_path), "--field", "política", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert counts(report, "kept")["files read"] == 1_496
    assert counts(report, "repaired")["hard-wrapped texts joined"] == 1_496
    dropped = counts(report, "dropped")
    assert dropped["lines: dates"] == 1_496  # "[Lunes 10 de Diciembre del 2007]" under each title
    assert dropped["documents: the same text as another"] == 41
    assert sum(report["counts"]["documents"].values()) == 1_496 - 41
    assert report["dates"] == ["2007-12-10", "2013-12-27"]
    assert sum(number for _, number in report["documents_by_month"]) == 1_455
    documents = (tmp_path / "out" / "documents.jsonl").read_text(encoding="utf-8")
    first = json.loads(documents.partition("\n")[0])
    assert first["title"].startswith("Discurso de la Presidenta Cristina Fernández de Kirchner")
    assert "(APLAUSOS)" not in documents.upper()


@pytest.mark.real_data
@pytest.mark.skipif(not (SHARED / "qa").is_dir(), reason="../shared/data/qa is absent")
def test_the_questions_of_xquad(tmp_path: Path) -> None:
    done = prepare("questions", SHARED / "qa" / "xquad.es.json", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    kept, dropped = counts(report, "kept"), counts(report, "dropped")
    left_out = sum(number for reason, number in dropped.items() if reason.startswith("questions: "))
    assert kept["questions with a short answer"] == 552
    assert kept["questions with a short answer"] + left_out == 612  # in 120 texts of 24 articles
    assert sum(report["counts"]["documents"].values()) == 24
    assert dropped["questions: begins before “¿”"] == 13
    assert counts(report, "repaired")["questions: what stood before “¿” put behind it"] == 23
