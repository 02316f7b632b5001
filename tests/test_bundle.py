"""The bundle: what is written is read back, and every way of being wrong is refused by name.

pytest tests/test_bundle.py
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from space.__main__ import main
from space.bundle import Bundle
from space.errors import (
    BundleFileMismatch,
    BundleFileMissing,
    BundleInvalid,
    BundleMissing,
    BundlePathUnsafe,
)
from space.files import file_sha256
from space.prompts import RAG, SPEECH
from tests.bundles import FILES, make_bundle

BASE = "models/phi3-charlas-Q8_0.gguf"


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "bundle.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    written = make_bundle(tmp_path)
    read = Bundle.load(tmp_path)
    assert read == written
    assert read.base == tmp_path / BASE
    assert read.adapters == {"charlas": tmp_path / "adapters/phi3-charlas-LoRA.gguf"}
    assert read.indexes == {"charlas": tmp_path / "indexes/charlas"}
    assert read.generators[0].prompts == {"speech": SPEECH, "rag": RAG}
    assert set(read.files) == set(FILES)


def test_it_can_be_moved(tmp_path: Path) -> None:
    make_bundle(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    assert Bundle.load(tmp_path / "b").base.is_file()


def test_no_manifest(tmp_path: Path) -> None:
    make_bundle(tmp_path)
    (tmp_path / "bundle.json").unlink()
    with pytest.raises(BundleMissing):
        Bundle.load(tmp_path)
    with pytest.raises(BundleMissing):
        Bundle.load(tmp_path / "absent")


@pytest.mark.parametrize("file", FILES)
def test_a_missing_file_is_named(tmp_path: Path, file: str) -> None:
    make_bundle(tmp_path)
    (tmp_path / file).unlink()
    with pytest.raises(BundleFileMissing, match=file):
        Bundle.load(tmp_path)


@pytest.mark.parametrize("file", FILES)
def test_one_changed_bit_is_told_with_both_hashes(tmp_path: Path, file: str) -> None:
    bundle = make_bundle(tmp_path)
    data = bytearray((tmp_path / file).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / file).write_bytes(data)
    with pytest.raises(BundleFileMismatch) as caught:
        Bundle.load(tmp_path)
    details = caught.value.details
    assert details["file"] == file
    assert details["expected"] == bundle.files[file].sha256
    assert details["actual"] == file_sha256(tmp_path / file) != details["expected"]
    for text in (str(caught.value), caught.value.message("es")):
        assert details["expected"] in text
        assert details["actual"] in text


def test_another_size_is_told(tmp_path: Path) -> None:
    make_bundle(tmp_path)
    with (tmp_path / BASE).open("ab") as file:
        file.write(b"x")
    with pytest.raises(BundleFileMismatch, match=r"400000 bytes.*400001 bytes"):
        Bundle.load(tmp_path)
    assert Bundle.load(tmp_path, verify=False).name == "charlas-es"


PATHS = ["../secret", "/etc/passwd", "a/../../b", "./x", "a//b", "a\\b", "C:/x", "x\x00y", "bundle.json", ""]


@pytest.mark.parametrize("path", PATHS)
def test_paths_that_leave_the_bundle(tmp_path: Path, path: str) -> None:
    make_bundle(tmp_path)
    edit(tmp_path, lambda data: data["files"].update({path: data["files"][BASE]}))
    with pytest.raises((BundlePathUnsafe, BundleInvalid)):
        Bundle.load(tmp_path)
    edit(tmp_path, lambda data: (data["files"].pop(path), data["indexes"].update(x=path)))
    with pytest.raises((BundlePathUnsafe, BundleInvalid)):
        Bundle.load(tmp_path, verify=False)


def test_a_link_that_leaves_the_bundle(tmp_path: Path) -> None:
    make_bundle(tmp_path / "bundle")
    outside = tmp_path / "outside.gguf"
    (tmp_path / "bundle" / BASE).rename(outside)
    (tmp_path / "bundle" / BASE).symlink_to(outside)
    with pytest.raises(BundlePathUnsafe, match=BASE):
        Bundle.load(tmp_path / "bundle")


def test_a_bundle_behind_a_link(tmp_path: Path) -> None:
    make_bundle(tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert Bundle.load(tmp_path / "link").base.is_file()


WRONG: list[tuple[str, Callable[[dict[str, Any]], object]]] = [
    ("format is 2", lambda d: d.update(format=2)),
    ("format is None", lambda d: d.pop("format")),
    ("no base", lambda d: d.pop("base")),
    ("no chat_template", lambda d: d.pop("chat_template")),
    ("context is str", lambda d: d.update(context="2048")),
    ("context is bool", lambda d: d.update(context=True)),
    ("must not be empty", lambda d: d.update(context=0)),
    ("must not be empty", lambda d: d.update(chat_template=" ")),
    ("no hash of models/other.gguf", lambda d: d.update(base="models/other.gguf")),
    ("no hash of other.json", lambda d: d.update(report="other.json")),
    ("a file of the index more", lambda d: d["indexes"].update(more="indexes/more")),
    ("not a path", lambda d: d.update(report=5)),
    ("at least one generator", lambda d: d.update(generators=[])),
    ("a name of its own", lambda d: d["generators"].append(d["generators"][0])),
    ("a generator is not an object", lambda d: d.update(generators=["charlas"])),
    ("a name is made of", lambda d: d["generators"][0].update(name="a b")),
    ("kind is 'song'", lambda d: d["generators"][0].update(kind="song")),
    ("adapter 'x' is not", lambda d: d["generators"][0].update(adapter="x")),
    ("index 'x' is not", lambda d: d["generators"][0].update(index="x")),
    ("prompts lack rag", lambda d: d["generators"][0]["prompts"].pop("rag")),
    ("prompts lack speech", lambda d: d["generators"][0]["prompts"].update(speech=[])),
    ("lists of role and content", lambda d: d["generators"][0]["prompts"].update(speech=["text"])),
    (
        "prompts are not lists.*expected '}'",
        lambda d: d["generators"][0]["prompts"]["rag"][0].update(content="{a"),
    ),
    ("given in es and en", lambda d: d["generators"][0].update(title={"es": "x"})),
    ("are numbers", lambda d: d["generators"][0].update(threshold="high")),
    ("are numbers", lambda d: d["generators"][0]["sampling"].update(temperature="hot")),
    ("words_per_minute", lambda d: d["generators"][0].update(words_per_minute=0)),
    ("objects of texts", lambda d: d["generators"][0].update(examples=[{"topics": 3}])),
    ("objects of texts", lambda d: d["generators"][0].update(examples=["topics"])),
    ("no valid sha256", lambda d: d["files"][BASE].update(sha256="abc")),
    ("no valid sha256", lambda d: d["files"][BASE].update(size=-1)),
    ("is not an object", lambda d: d["files"].update({BASE: None})),
    ("hub is not an object", lambda d: d["files"][BASE].update(hub="me/x")),
    (
        "40-hex revision",
        lambda d: d["files"][BASE].update(
            hub={"repo": "me/x", "type": "model", "revision": "main", "path": "x"}
        ),
    ),
]


@pytest.mark.parametrize(("reason", "change"), WRONG, ids=[f"{n}-{w[0]}" for n, w in enumerate(WRONG)])
def test_what_format_1_does_not_allow(
    tmp_path: Path, reason: str, change: Callable[[dict[str, Any]], object]
) -> None:
    make_bundle(tmp_path)
    edit(tmp_path, change)
    with pytest.raises(BundleInvalid, match=reason):
        Bundle.load(tmp_path, verify=False)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": 1', "[" * 100_000], ids=range(6))
def test_no_json(tmp_path: Path, text: str) -> None:
    make_bundle(tmp_path)
    (tmp_path / "bundle.json").write_text(text)
    with pytest.raises(BundleInvalid):
        Bundle.load(tmp_path)
    (tmp_path / "bundle.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(BundleInvalid, match="UTF-8"):
        Bundle.load(tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_value_in_any_place_is_read_or_refused_by_name(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp() / "any-value"
    if not folder.is_dir():
        make_bundle(folder)
        shutil.copy(folder / "bundle.json", folder / "good.json")
    shutil.copy(folder / "good.json", folder / "bundle.json")

    def change(value: Any) -> None:
        while True:
            keys = list(value) if isinstance(value, dict) else list(range(len(value)))
            key = data.draw(st.sampled_from(keys))
            if not isinstance(value[key], dict | list) or not value[key] or data.draw(st.booleans()):
                value[key] = data.draw(JSON)
                return
            value = value[key]

    edit(folder, change)
    try:
        bundle = Bundle.load(folder, verify=False)
    except (BundleInvalid, BundlePathUnsafe):
        return
    assert Bundle.load(folder, verify=False).to_json() == bundle.to_json()


def test_what_cannot_be_served_is_not_written(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    before = (tmp_path / "bundle.json").read_bytes()
    bundle.files.pop(BASE)
    with pytest.raises(BundleInvalid):
        bundle.write()
    assert (tmp_path / "bundle.json").read_bytes() == before


def test_check_prints_and_refuses(
    space_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(space_bundle, tmp_path / "bundle")
    bundle = Bundle.load(folder)
    assert main(["check", str(folder)]) == 0
    text = capsys.readouterr().out
    for expected in (*bundle.files, bundle.files[bundle.base_file].sha256[:16], "generator base", "CC0-1.0"):
        assert expected in text
    bundle.base.unlink()
    assert main(["check", str(folder)]) == 2
    assert bundle.base_file in capsys.readouterr().err
    assert main(["check", str(tmp_path / "absent")]) == 2
    assert "neither a folder with a bundle nor owner/repo@revision" in capsys.readouterr().err


def test_the_command_needs_no_heavy_library() -> None:
    code = "import sys, space.__main__; print([m for m in ('torch','huggingface_hub','llama_cpp') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
