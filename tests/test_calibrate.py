"""Kernels are measured once for a large model on a machine, and kept; a small model takes llama.cpp's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from space.calibrate import LARGE, Calibration, calibrate, measure
from space.errors import ModelUnreadable
from space.kernels import DEFAULT, Kernels


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where figures are kept; every model counts as large."""
    monkeypatch.setattr("space.calibrate.LARGE", 0)
    return tmp_path / "cache"


def entries(folder: Path) -> dict[str, dict[str, object]]:
    return dict(json.loads((folder / "kernels.json").read_text(encoding="utf-8")))


def write(folder: Path, found: object) -> None:
    (folder / "kernels.json").write_text(json.dumps(found), encoding="utf-8")


@pytest.mark.parametrize("halved", [False, True])
def test_for_a_small_model_nothing_is_measured(tiny_gguf: Path, tmp_path: Path, halved: bool) -> None:
    assert tiny_gguf.stat().st_size < LARGE
    found = calibrate(tiny_gguf, 1, halved, tmp_path / "cache")
    assert found == Calibration(Kernels(DEFAULT.repack, halved, exact=not halved))
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("halved", [False, True])
def test_speeds_are_measured_with_the_kernels_asked_for(tiny_gguf: Path, halved: bool) -> None:
    tried = [Kernels(repack, halved) for repack in (False, True)]
    found = measure(tiny_gguf, 1, tried)
    assert [one.kernels for one in found] == tried
    for one in found:
        speeds = (one.reading, one.writing, one.together)
        assert all(speed and speed > 0 for speed in speeds)


def test_the_choice_is_kept_and_not_measured_again(tiny_gguf: Path, folder: Path) -> None:
    found = calibrate(tiny_gguf, 1, False, folder)
    assert found.reading
    assert found.writing
    assert not found.kernels.halved
    assert not found.kernels.exact
    ((key, kept),) = entries(folder).items()
    assert tiny_gguf.name in key
    assert (kept["reading"], kept["writing"]) == (found.reading, found.writing)
    assert [file.name for file in folder.iterdir()] == ["kernels.json"]
    repack = not found.kernels.repack
    speeds = {"reading": 123.4, "writing": 5.67, "together": 8.9}
    write(folder, {key: {"kernels": {"repack": repack, "halved": False}, **speeds}})
    assert calibrate(tiny_gguf, 1, False, folder) == Calibration(Kernels(repack, False), 123.4, 5.67, 8.9)


def test_other_threads_halved_memory_or_another_model_are_other_entries(
    tiny_gguf: Path, folder: Path, tmp_path: Path
) -> None:
    calibrate(tiny_gguf, 1, False, folder)
    (first,) = entries(folder).items()
    assert calibrate(tiny_gguf, 1, True, folder).kernels.halved
    calibrate(tiny_gguf, 2, False, folder)
    longer = tmp_path / tiny_gguf.name
    longer.write_bytes(tiny_gguf.read_bytes() + b"\0")
    calibrate(longer, 1, False, folder)
    assert len(entries(folder)) == 4
    assert first in entries(folder).items()
    before = entries(folder)
    calibrate(tiny_gguf, 2, False, folder)
    assert entries(folder) == before


@pytest.mark.parametrize("broken", [b"", b"{", b"\xff\xfe", b"[1]", b"null"])
def test_a_file_that_cannot_be_read_is_made_again(tiny_gguf: Path, folder: Path, broken: bytes) -> None:
    folder.mkdir()
    (folder / "kernels.json").write_bytes(broken)
    found = calibrate(tiny_gguf, 1, False, folder)
    ((_, kept),) = entries(folder).items()
    assert kept["reading"] == found.reading


@pytest.mark.parametrize(
    "entry", [None, {}, {"kernels": {"repack": True, "gone": 1}, "reading": 1.0, "writing": 1.0}]
)
def test_an_entry_of_another_version_is_measured_again(tiny_gguf: Path, folder: Path, entry: object) -> None:
    calibrate(tiny_gguf, 1, False, folder)
    (key,) = entries(folder)
    write(folder, {key: entry, "another": {"reading": 7}})
    found = calibrate(tiny_gguf, 1, False, folder)
    assert entries(folder)[key]["writing"] == found.writing
    assert entries(folder)["another"] == {"reading": 7}


def test_a_folder_that_cannot_be_made_costs_only_the_next_start(tiny_gguf: Path, folder: Path) -> None:
    folder.write_text("not a folder")
    assert calibrate(tiny_gguf, 1, False, folder).reading
    assert folder.read_text() == "not a folder"


def test_a_broken_model_is_named_and_nothing_is_kept(tiny_gguf: Path, folder: Path, tmp_path: Path) -> None:
    half = tmp_path / "half.gguf"
    half.write_bytes(tiny_gguf.read_bytes()[: tiny_gguf.stat().st_size // 2])
    with pytest.raises(ModelUnreadable, match=r"half\.gguf"):
        calibrate(half, 1, False, folder)
    assert not folder.exists()
