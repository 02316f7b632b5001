"""Assembling a bundle from a real tiny GGUF, its adapter, an index and prepared examples.

pytest tests/test_assemble.py
"""

from __future__ import annotations

import json
import shutil
from argparse import ArgumentParser
from pathlib import Path

import pytest

from index.store import write_manifest
from space.bundle import Bundle
from space.errors import BundleMissing
from space.files import file_sha256
from space.prompts import QUESTIONS, RAG, SPEECH
from tests.bundles import index_manifest, make_bundle
from train import bundle as command
from train.bundle import BundleSpec, assemble, joined
from train.cards import CardFacts, gguf_card
from train.errors import BadOption, BundleOutputTaken, BundlePartInvalid
from train.gguf_facts import GgufFacts
from train.lineage import without_machine_paths

OLD_BASE = "models/phi3-charlas-Q8_0.gguf"


def test_machine_paths_are_cut() -> None:
    given_ = {
        "base": "/home/ana/models/phi3",
        "win": r"C:\Users\ana\run",
        "command": "train sft --base /home/ana/phi3 --out runs/x",
        "url": "https://example.org/a/b",
        "list": [1, "1/2/2023", "y/o"],
    }
    assert without_machine_paths(given_) == {
        "base": "phi3",
        "win": "run",
        "command": "train sft --base phi3 --out runs/x",
        "url": "https://example.org/a/b",
        "list": [1, "1/2/2023", "y/o"],
    }


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory, tiny_gguf: Path, tiny_lora_gguf: Path) -> Path:
    """What the earlier steps leave: an index (its files as bytes), prepared.json, export.json beside the GGUFs."""
    folder = tmp_path_factory.mktemp("parts")
    index = folder / "index"
    (index / "bm25").mkdir(parents=True)
    for name in ("vectors.faiss", "bm25/params.json"):
        (index / name).write_text(name)
    write_manifest(index, index_manifest())
    for source, name in ((tiny_gguf, "base.gguf"), (tiny_lora_gguf, "base-LoRA.gguf")):
        shutil.copy(source, folder / name)
    files = [{"path": name, "sha256": file_sha256(folder / name)} for name in ("base.gguf", "base-LoRA.gguf")]
    data = {"corpus_sha256": "a" * 64, "templates": {"speech": SPEECH.to_json(), "rag": RAG.to_json()}}
    base = {"id": "ana/phi3", "revision": "b" * 40}
    run = {"base": base, "log": "/home/ana/run/log.csv", "data": data, "libraries": {"trl": "1.16"}}
    lineage = {"base": base, "llama_cpp_python": "0.3.36", "run": run}
    (folder / "export.json").write_text(json.dumps({"files": files, "lineage": lineage}))
    prepared = {
        "corpus_sha256": "a" * 64,
        "recipe": "speech",
        "recipe_version": 1,
        "templates": {"speech": SPEECH.to_json(), "rag": RAG.to_json()},
    }
    (folder / "prepared.json").write_text(json.dumps(prepared))
    (folder / "examples.json").write_text('[{"topics": "el mar", "field": "biología", "opening": ""}]')
    return folder


def spec(parts: Path, *extra: str) -> BundleSpec:
    parser = ArgumentParser()
    command.add_arguments(parser)
    arguments = ["--base", f"{parts}/base.gguf", "--adapter", f"charlas={parts}/base-LoRA.gguf"]
    arguments += ["--index", f"{parts}/index", "--data", str(parts), "--out", "unused/demo", *extra]
    return command.spec_of(parser.parse_args(arguments))


def test_a_bundle_is_assembled(parts: Path, tmp_path: Path) -> None:
    bundle = assemble(
        spec(parts, "--title-es", "Charlas", "--examples", f"{parts}/examples.json", "--temperature", "0.4"),
        tmp_path / "b",
    )
    assert bundle == Bundle.load(tmp_path / "b")
    assert bundle.name == "demo"
    assert bundle.base_file == "models/base.gguf"
    assert bundle.context == 1024
    assert "<|assistant|>" in bundle.chat_template
    assert set(bundle.files) == {
        "models/base.gguf",
        "adapters/base-LoRA.gguf",
        "indexes/demo/index.json",
        "indexes/demo/vectors.faiss",
        "indexes/demo/bm25/params.json",
    }
    generator = bundle.generators[0]
    assert (generator.name, generator.adapter, generator.index) == ("charlas", "charlas", "demo")
    assert generator.title == {"es": "Charlas", "en": "Charlas"}
    assert generator.examples[0]["topics"] == "el mar"
    assert generator.sampling["temperature"] == 0.4
    assert bundle.lineage["training"] == {"base": {"id": "ana/phi3", "revision": "b" * 40}, "log": "log.csv"}
    assert bundle.lineage["libraries"]["trl"] == "1.16"
    assert bundle.lineage["corpus_sha256"] == "a" * 64
    assert bundle.lineage["libraries"]["llama-cpp-python"]
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_reports_become_one_and_are_read_in_the_card(parts: Path, tmp_path: Path) -> None:
    counted = {"characters": 2e6, "held_out": 5, "held_out_documents": 1, "dropped": ""}
    pretraining = {
        "parameters": 5.5e6,
        "settings": {"hidden": 256, "layers": 4, "vocabulary": 8192, "context": 2048},
        "data": {"sources": {"discursos": counted}, "tokens": 5e5, "characters": 2e6},
        "tokens_trained": 1e6,
        "examples": {"train.jsonl": 1},
        "held_out": {"discursos": {"model": 1.234, "5-gram": 1.5, "xz -9": 2.5}},
        "log": "/home/ana/run/log.csv",
    }
    base = {"perplexity": 9.0, "bits_per_character": 1.1, "nats_per_token": 2.2, "nats_interval": [2, 3]}
    tuned = base | {"against_base": -0.5, "against_base_interval": [-0.6, -0.4]}
    sets = {"talks": {"documents": 3, "conditions": {"base": base, "charlas": tuned}}}
    for name, report in (("pretrain", pretraining), ("evaluation", {"sets": sets})):
        (tmp_path / f"{name}.json").write_text(json.dumps(report))
    options = ["--report", f"pretraining={tmp_path}/pretrain.json", "--report", f"{tmp_path}/evaluation.json"]
    bundle = assemble(spec(parts, *options), tmp_path / "b")
    report = json.loads((bundle.folder / "report.json").read_text())
    assert list(report) == ["pretraining", "evaluation"]
    assert report["pretraining"]["log"] == "log.csv"
    card = gguf_card(CardFacts(bundle, gguf="me/charlas-gguf", tag="v1"))
    assert "| discursos | 1.23 | 1.50 | 2.50 |" in card
    assert (
        "| talks | 3 | charlas | 9.0 | 1.100 | 2.200 (2.000 to 3.000) | -0.500 (-0.600 to -0.400) |" in card
    )


def test_an_older_bundle_is_replaced_and_nothing_else(parts: Path, tmp_path: Path) -> None:
    make_bundle(tmp_path / "b")
    assemble(spec(parts), tmp_path / "b")
    assert not (tmp_path / "b" / OLD_BASE).exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(BundleOutputTaken):
        assemble(spec(parts), tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "x"
    with pytest.raises(BundleOutputTaken):
        assemble(spec(parts), tmp_path / "mine" / "thesis.txt")


@pytest.fixture
def second(parts: Path, tmp_path: Path) -> Path:
    """What the steps of a second generator leave, over the same base: questions, with an adapter of other bytes."""
    folder = tmp_path / "preguntas"
    shutil.copytree(parts, folder)
    (folder / "base-LoRA.gguf").rename(folder / "preguntas-LoRA.gguf")
    (folder / "export.json").unlink()
    prepared = json.loads((parts / "prepared.json").read_text())
    prepared |= {"recipe": "questions", "templates": {"questions": QUESTIONS.to_json()}}
    (folder / "prepared.json").write_text(json.dumps(prepared))
    (folder / "evaluation.json").write_text('{"validity": 0.9}')
    return folder


def add(second: Path, bundle: Path, *extra: str) -> None:
    parser = ArgumentParser()
    command.add_arguments(parser)
    arguments = ["--base", f"{second}/base.gguf", "--adapter", f"preguntas={second}/preguntas-LoRA.gguf"]
    arguments += ["--data", str(second), "--kind", "questions", "--add-to", str(bundle), *extra]
    command.run(parser.parse_args(arguments))


def test_a_generator_is_added(parts: Path, second: Path, tmp_path: Path) -> None:
    first = spec(parts, "--context", "512", "--report", f"first={second}/evaluation.json")
    before = assemble(first, tmp_path / "b")
    measured = ["--report", f"questions={second}/evaluation.json", "--license", "cc0-1.0"]
    add(second, tmp_path / "b", *measured)
    after = Bundle.load(tmp_path / "b")
    assert [g.name for g in after.generators] == ["charlas", "preguntas"]
    assert after.generators[0] == before.generators[0]
    assert (after.generators[1].kind, after.generators[1].adapter) == ("questions", "preguntas")
    assert after.generators[1].sampling["temperature"] < before.generators[0].sampling["temperature"]
    assert after.adapters.keys() == {"charlas", "preguntas"}
    assert (after.name, after.context, after.base_file) == (before.name, 512, before.base_file)
    unchanged = {file: entry for file, entry in before.files.items() if file != "report.json"}
    assert unchanged.items() <= after.files.items()
    lineages = after.lineage.pop("generators")
    assert after.lineage == before.lineage
    assert lineages["preguntas"]["recipe"] == "questions"
    assert lineages["preguntas"]["license"] == "cc0-1.0"
    report = json.loads((tmp_path / "b" / "report.json").read_text())
    assert report == {"first": {"validity": 0.9}, "questions": {"validity": 0.9}}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "preguntas"]


def test_a_third_generator_keeps_the_lineage_of_the_second(parts: Path, second: Path, tmp_path: Path) -> None:
    assemble(spec(parts), tmp_path / "b")
    add(second, tmp_path / "b")
    arguments = ["--name", "otras", "--adapter", f"otras={second}/otras-LoRA.gguf"]
    shutil.copy(second / "preguntas-LoRA.gguf", second / "otras-LoRA.gguf")
    add(second, tmp_path / "b", *arguments)
    assert Bundle.load(tmp_path / "b").lineage["generators"].keys() == {"preguntas", "otras"}


def test_what_cannot_be_added_leaves_the_bundle_as_it_was(parts: Path, second: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "b"
    assemble(spec(parts), bundle)
    manifest = (bundle / "bundle.json").read_bytes()
    with (second / "base.gguf").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(BundlePartInvalid, match="a bundle has one base"):
        add(second, bundle)
    shutil.copy(parts / "base.gguf", second / "base.gguf")
    with pytest.raises(BadOption, match="1024"):
        add(second, bundle, "--context", "512")
    with pytest.raises(BadOption, match=r"charlas.*already"):
        add(second, bundle, "--adapter", f"charlas={second}/preguntas-LoRA.gguf")
    shutil.copy(second / "preguntas-LoRA.gguf", second / "base-LoRA.gguf")
    with pytest.raises(BundlePartInvalid, match="another part is called"):
        add(second, bundle, "--adapter", f"preguntas={second}/base-LoRA.gguf")
    with pytest.raises(BundleMissing):
        joined(spec(parts), tmp_path / "absent")
    assert (bundle / "bundle.json").read_bytes() == manifest
    Bundle.load(bundle)


def test_a_failed_assembly_keeps_the_older_bundle(parts: Path, tmp_path: Path) -> None:
    make_bundle(tmp_path / "b")
    bad = spec(parts, "--threshold", "0.5")
    bad.indexes["demo"] = tmp_path / "no-index"
    with pytest.raises(BundlePartInvalid, match="no-index"):
        assemble(bad, tmp_path / "b")
    assert Bundle.load(tmp_path / "b").name == "charlas-es"
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_parts_that_do_not_fit(parts: Path, tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="1024"):
        assemble(spec(parts, "--context", "2048"), tmp_path / "b")
    swapped = spec(parts)
    swapped.adapters["charlas"] = parts / "base.gguf"
    with pytest.raises(BundlePartInvalid, match="an adapter for phi3 is needed"):
        assemble(swapped, tmp_path / "b")
    with pytest.raises(BundlePartInvalid, match="metadata has no"):
        GgufFacts.read(parts / "base-LoRA.gguf")
    (tmp_path / "text.gguf").write_text("no GGUF at all, only a text")
    with pytest.raises(BundlePartInvalid, match="not a readable GGUF"):
        GgufFacts.read(tmp_path / "text.gguf")
    with pytest.raises(BundlePartInvalid, match=r"absent\.gguf"):
        GgufFacts.read(tmp_path / "absent.gguf")
    assert not (tmp_path / "b").exists()


def test_a_gguf_that_export_does_not_describe(parts: Path, tmp_path: Path) -> None:
    other = tmp_path / "parts"
    shutil.copytree(parts, other)
    with (other / "base-LoRA.gguf").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(BundlePartInvalid, match=r"export\.json says"):
        spec(other)


def test_an_adapter_trained_on_other_prompts(parts: Path, tmp_path: Path) -> None:
    prepared = json.loads((parts / "prepared.json").read_text())
    prepared["templates"]["speech"][0]["content"] += "!"
    (tmp_path / "prepared.json").write_text(json.dumps(prepared))
    with pytest.raises(BundlePartInvalid, match="trained with another templates"):
        spec(parts, "--data", str(tmp_path))


def test_data_without_prepared(parts: Path, tmp_path: Path) -> None:
    with pytest.raises(BundlePartInvalid, match=r"prepared\.json"):
        spec(parts, "--data", str(tmp_path))
    (tmp_path / "prepared.json").write_text('{"recipe": "speech"}')
    with pytest.raises(BundlePartInvalid, match="it has no corpus_sha256, recipe_version, templates"):
        spec(parts, "--data", str(tmp_path))
