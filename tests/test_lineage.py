"""The lineage lock: parts that were not made from one another are refused by name, wherever they are put together.

pytest tests/test_lineage.py
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from index.build import BuildOptions, build_index
from index.documents import read_documents
from index.errors import EmbedderMismatch
from index.store import read_manifest, write_manifest
from space.__main__ import main
from space.bundle import Bundle
from space.check import describe, open_parts
from space.errors import BundleError, BundleFileMismatch, BundleInvalid, LineageMismatch, ModelUnreadable
from space.files import FileEntry, file_sha256
from space.lineage import with_parts
from tests.embedders import TALKS, static_embedder
from train.__main__ import main as train
from train.chat_examples import examples_sha256
from train.errors import BundlePartInvalid
from train.gguf_facts import GgufFacts
from train.publish import PublishSpec, publish

BASE = {"id": "model", "revision": None, "sha256": "b" * 64}
FILES = (
    "bundle.json",
    "report.json",
    "models/base.gguf",
    "adapters/base-LoRA.gguf",
    *(f"indexes/charlas/{name}" for name in ("index.json", "passages.jsonl", "vectors.faiss")),
    *(f"indexes/charlas/bm25/{name}.index.npy" for name in ("data.csc", "indices.csc", "indptr.csc")),
    *(f"indexes/charlas/bm25/{name}.index.json" for name in ("params", "vocab")),
    *(
        f"indexes/charlas/embedder/{n}"
        for n in ("embedder.json", "embeddings.npy", "scales.npy", "tokenizer.json")
    ),
)


def change_json(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")


def prepared(talks: list[Path], out: Path) -> Path:
    """A folder of `train prepare speech` over some talks."""
    source = out.with_name(f"{out.name}-talks")
    source.mkdir(parents=True)
    for path in talks:
        shutil.copy(path, source)
    assert train(["prepare", "speech", str(source), "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory, tiny_gguf: Path, tiny_lora_gguf: Path) -> Path:
    """What the steps before `train bundle` leave: data, other data, an index of each, GGUFs, an evaluation, a PEFT folder."""
    folder = tmp_path_factory.mktemp("parts")
    talks = sorted(TALKS.glob("*.md"))
    static_embedder(folder / "embedder")
    for name, chosen in (("data", talks[:8]), ("other", talks[8:16])):
        prepared(chosen, folder / name)
        documents = read_documents(folder / name / "documents.jsonl")
        build_index(documents, folder / f"{name}-index", BuildOptions(str(folder / "embedder"), words=60))
    shutil.copy(tiny_gguf, folder / "base.gguf")
    shutil.copy(tiny_lora_gguf, folder / "base-LoRA.gguf")
    hashes = {name: file_sha256(folder / name) for name in ("base.gguf", "base-LoRA.gguf")}
    (folder / "adapter").mkdir()
    (folder / "adapter" / "adapter_model.safetensors").write_bytes(b"weights")
    run = {
        "base": BASE,
        "data_sha256": examples_sha256(folder / "data"),
        "chat_template": GgufFacts.read(tiny_gguf).chat_template,
        "code_revision": "c" * 40,
    }
    peft = {"sha256": file_sha256(folder / "adapter" / "adapter_model.safetensors")}
    kinds = {"base.gguf": "base", "base-LoRA.gguf": "adapter"}
    files = [{"path": n, "sha256": h, "kind": kinds[n]} for n, h in hashes.items()]
    lineage = {"base": BASE, "adapter": peft, "run": run}
    (folder / "export.json").write_text(json.dumps({"files": files, "lineage": lineage}))
    measured = {"base": {"sha256": hashes["base.gguf"]}}
    measured |= {"adapters": {"charlas": {"sha256": hashes["base-LoRA.gguf"]}}, "sets": {}}
    (folder / "evaluation.json").write_text(json.dumps(measured))
    return folder


def arguments(parts: Path, out: Path, **changed: Path) -> list[str]:
    """The command line of `train bundle`, with some of its paths `changed`."""
    paths = {"base": parts / "base.gguf", "adapter": parts / "base-LoRA.gguf", "data": parts / "data"}
    paths |= {"index": parts / "data-index", "report": parts / "evaluation.json"} | changed
    command = ["bundle", "--base", str(paths["base"]), "--adapter", f"charlas={paths['adapter']}"]
    command += ["--index", f"charlas={paths['index']}", "--data", str(paths["data"])]
    return [*command, "--report", f"evaluation={paths['report']}", "--name", "charlas", "--out", str(out)]


@pytest.fixture(scope="module")
def made(parts: Path) -> Path:
    assert train(arguments(parts, parts / "bundle")) == 0
    return parts / "bundle"


@pytest.fixture
def bundle(made: Path, tmp_path: Path) -> Path:
    """A copy of the bundle, to plant a fault in."""
    return Path(shutil.copytree(made, tmp_path / "bundle"))


def hashed_again(folder: Path, **changed: Any) -> Path:
    """The bundle with bundle.json written anew over whatever its files are now, and fields `changed`."""
    old = Bundle.load(folder, verify=False)
    files = {file: FileEntry.of(folder / file) for file in old.files}
    replace(old, files=files, **changed).write()
    return folder


def refused(folder: Path, *said: str) -> LineageMismatch:
    with pytest.raises(LineageMismatch) as caught:
        Bundle.load(folder)
    details = caught.value.details
    for text in (str(caught.value), caught.value.message("es")):
        for expected in (*said, str(details["expected"]), str(details["found"]), details["remedy"]):
            assert expected in text
    return caught.value


def test_the_whole_lineage_is_recorded_and_printed(
    parts: Path, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(made)]) == 0
    text = capsys.readouterr().out
    bundle = Bundle.load(made)
    manifest = read_manifest(made / "indexes/charlas")
    recorded = [
        bundle.lineage["corpus_sha256"],
        "b" * 64,
        file_sha256(parts / "adapter" / "adapter_model.safetensors"),
        file_sha256(parts / "base.gguf"),
        file_sha256(parts / "base-LoRA.gguf"),
        bundle.lineage["training"]["chat_template_sha256"],
        bundle.lineage["training"]["data_sha256"],
        file_sha256(made / "indexes/charlas/index.json"),
        manifest.documents_sha256,
        manifest.embedder["sha256"],
        file_sha256(made / "report.json"),
        bundle.lineage["code_revision"],
    ]
    for fact in recorded:
        assert fact[:16] in text
    for fact in (
        "speech version ",
        f"threshold     {manifest.threshold}",
        "evaluation: models/base.gguf, adapters/base-LoRA.gguf",
        *FILES,
    ):
        assert fact in text
    assert bundle.lineage["parts"]["documents_sha256"] == bundle.lineage["documents_sha256"]
    assert set(bundle.files) | {"bundle.json"} == set(FILES)


@pytest.mark.parametrize("file", FILES)
def test_one_flipped_byte_in_any_file(bundle: Path, file: str) -> None:
    path, chance = bundle / file, random.Random(file)
    good = path.read_bytes()
    places = {chance.randrange(len(good)) for _ in range(6)} | {0, len(good) - 1}
    if file == "bundle.json":  # the only file whose hash lies in itself: its ends, and many places
        places |= set(range(len(good) - 100, len(good))) | {chance.randrange(len(good)) for _ in range(200)}
    for place in sorted(places):
        bad = bytearray(good)
        bad[place] ^= 1 << chance.randrange(8)
        path.write_bytes(bad)
        with pytest.raises(BundleError) as caught:
            Bundle.load(bundle, verify=file != "bundle.json")
        if file != "bundle.json":
            assert isinstance(caught.value, BundleFileMismatch)
            assert caught.value.details["file"] == file
    path.write_bytes(good)
    Bundle.load(bundle)


def test_a_change_by_hand_is_told(bundle: Path) -> None:
    text = (bundle / "bundle.json").read_text("utf-8")
    (bundle / "bundle.json").write_text(text.replace('"temperature": 0.8', '"temperature": 0.9'), "utf-8")
    with pytest.raises(BundleError, match="was changed after it was made"):
        Bundle.load(bundle, verify=False)
    (bundle / "bundle.json").write_text(json.dumps(json.loads(text)), "utf-8")
    with pytest.raises(BundleInvalid, match="its own sha256"):
        Bundle.load(bundle, verify=False)


def test_an_index_of_another_corpus(parts: Path, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(arguments(parts, bundle.with_name("new"), index=parts / "other-index")) == 2
    error = capsys.readouterr().err
    for name in ("data", "other"):
        assert read_manifest(parts / f"{name}-index").documents_sha256 in error
    assert "the lineage of charlas and indexes/charlas do not belong together" in error
    assert not bundle.with_name("new").exists()
    shutil.rmtree(bundle / "indexes/charlas")
    shutil.copytree(parts / "other-index", bundle / "indexes/charlas")
    assert refused(hashed_again(bundle), "indexes/charlas").details["fact"] == "documents_sha256"


def test_an_embedder_of_another_revision(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    static_embedder(tmp_path / "newer", seed=1)
    index = bundle / "indexes/charlas"
    shutil.copytree(tmp_path / "newer", index / "embedder", dirs_exist_ok=True)
    assert refused(hashed_again(bundle), "indexes/charlas/embedder/", "index.json")
    manifest = read_manifest(index)
    (index / "index.json").unlink()
    write_manifest(index, replace(manifest, files={}))
    assert refused(hashed_again(bundle), "indexes/charlas/embedder").details["fact"] == "sha256"
    made_again = {**manifest.embedder, "sha256": None}
    (index / "index.json").unlink()
    write_manifest(index, replace(manifest, files={}, embedder=made_again))
    hashed_again(bundle)
    assert refused(bundle).details["fact"] in ("index_sha256", "embedder_sha256")
    forged = Bundle.load(bundle, verify=False)
    lineage = {key: value for key, value in forged.lineage.items() if key != "parts"}
    hashed_again(bundle, lineage=lineage)
    with pytest.raises(EmbedderMismatch):
        open_parts(Bundle.load(bundle))
    assert main(["check", str(bundle)]) == 2
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize("file", ["models/base.gguf", "adapters/base-LoRA.gguf"])
def test_a_truncated_gguf(parts: Path, bundle: Path, tmp_path: Path, file: str) -> None:
    whole = (bundle / file).read_bytes()
    (bundle / file).write_bytes(whole[: len(whole) * 3 // 4])
    with pytest.raises(BundleFileMismatch, match=file):
        Bundle.load(bundle)
    assert refused(hashed_again(bundle), "the bundle").details["fact"].endswith("_gguf_sha256")
    forged = Bundle.load(bundle, verify=False)
    hashed_again(bundle, lineage={}, report=None)
    with pytest.raises(ModelUnreadable, match=Path(file).name):
        open_parts(Bundle.load(bundle))
    shutil.copy(forged.folder / file, tmp_path / Path(file).name)  # no export.json beside it
    facts = GgufFacts.read(parts / "base.gguf")
    read = GgufFacts.read if "base.gguf" in file else facts.check_adapter
    with pytest.raises(BundlePartInvalid, match="not a readable GGUF"):
        read(tmp_path / Path(file).name)


OTHER = {"sha256": "d" * 64}


@pytest.mark.parametrize(
    ("section", "report", "named"),
    [
        ("evaluation", {"files": {"models/base.gguf": "d" * 64}}, "models/base.gguf"),
        ("evaluation", {"files": {"models/other.gguf": "d" * 64}}, "models/other.gguf"),
        ("evaluation", {"base": OTHER, "adapters": {}}, "models/base.gguf"),
        ("evaluation", {"adapters": {"charlas": OTHER, "chat": OTHER}}, "adapters/base-LoRA.gguf"),
        ("parity", {"charlas": {"files": {"base.gguf": "d" * 64, "x.gguf": "d" * 64}}}, "models/base.gguf"),
    ],
)
def test_a_report_of_other_ggufs(bundle: Path, section: str, report: dict[str, Any], named: str) -> None:
    (bundle / "report.json").write_text(json.dumps({section: report}))
    mismatch = refused(hashed_again(bundle), f"report.json ({section})", "bundle.json")
    assert mismatch.details["fact"] == named


def test_a_report_of_other_ggufs_is_not_bundled(
    parts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "evaluation.json").write_text(json.dumps({"base": OTHER}))
    assert train(arguments(parts, tmp_path / "new", report=tmp_path / "evaluation.json")) == 2
    assert "report.json (evaluation) and bundle.json do not belong" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda export: export["lineage"]["run"]["base"].update(sha256="e" * 64),
            "the training of adapters/",
        ),
        (
            lambda export: export["lineage"]["run"].update(
                base={**BASE, "sha256": None, "revision": "f" * 40}
            ),
            None,
        ),
        (
            lambda export: export["lineage"]["run"].update(chat_template="{{ messages }}"),
            "chat_template_sha256",
        ),
        (lambda export: export["lineage"]["run"].update(data_sha256="a" * 64), "data_sha256"),
    ],
    ids=["another base", "a base not recorded", "another chat template", "other examples"],
)
def test_an_adapter_trained_on_something_else(
    parts: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[..., object],
    said: str | None,
) -> None:
    for name in ("base-LoRA.gguf", "export.json"):
        shutil.copy(parts / name, tmp_path / name)
    change_json(tmp_path / "export.json", change)
    status = train(arguments(parts, tmp_path / "new", adapter=tmp_path / "base-LoRA.gguf"))
    error = capsys.readouterr().err
    assert status == (2 if said else 0)
    assert (said or "") in error
    assert ("do not belong together" in error) == bool(said)


def test_what_is_served_otherwise_than_it_was_put_together(bundle: Path) -> None:
    generators = Bundle.load(bundle).generators
    hashed_again(bundle, generators=[replace(generators[0], threshold=0.01)])
    assert refused(bundle, "0.01").details["fact"] == "threshold"
    prompts = {**generators[0].prompts, "rag": generators[0].prompts["speech"]}
    hashed_again(bundle, generators=[replace(generators[0], prompts=prompts)])
    assert refused(bundle).details["fact"] == "prompts_sha256"


def test_another_peft_folder_is_not_published(bundle: Path, parts: Path, tmp_path: Path) -> None:
    shutil.copytree(parts / "adapter", tmp_path / "adapter")
    (tmp_path / "adapter" / "adapter_config.json").write_text("{}")
    (tmp_path / "adapter" / "adapter_model.safetensors").write_bytes(b"others")
    with pytest.raises(LineageMismatch, match=r"the lineage of charlas and .*adapter do not belong"):
        publish(PublishSpec(bundle, "me/x", {"charlas": tmp_path / "adapter"}, without_parity=True))


def test_an_older_bundle_says_what_it_does_not_know(bundle: Path) -> None:
    """As bundles were before: no hash of bundle.json itself, no parts, no hashes of base, PEFT weights and documents."""

    def older(data: dict[str, Any]) -> None:
        for key in ("sha256", "originals"):
            data.pop(key)
        for key in ("parts", "documents_sha256", "base"):
            data["lineage"].pop(key)
        data["lineage"]["training"] = {"base": {"id": "model", "revision": None}}

    change_json(bundle / "indexes/charlas/index.json", lambda data: data.pop("documents_sha256"))
    hashed_again(bundle)
    change_json(bundle / "bundle.json", older)
    text = describe(Bundle.load(bundle))
    for line in (
        "bundle.json has no hash of its own (an older bundle)",
        "base            model, revision not recorded, weights not recorded",
        "adapter         charlas, PEFT weights not recorded",
        "documents     not recorded",
        "parts           not recorded",
    ):
        assert line in text
    joined = Bundle.load(bundle)
    assert with_parts(joined)["parts"]["base_gguf_sha256"] == joined.files["models/base.gguf"].sha256
