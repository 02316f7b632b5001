"""Publishing to a Hub on loopback, with the genuine client in processes of its own.

pytest tests/test_publish.py
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from index.store import write_manifest
from space.bundle import Bundle
from space.check import describe
from space.files import FileEntry
from space.prompts import CHAT
from tests.bundles import index_manifest, make_bundle, parity
from tests.hub_client import Visitor
from tests.hub_server import Hub, serving
from tests.hub_store import File, Repo
from tests.test_hub import refused

PUSH_SPACE = """
import sys
from pathlib import Path
from index.errors import OradorError
from train.publish_space import push_space
try:
    print(push_space("me/charlas", "me/charlas-gguf@" + "a" * 40, False, Path(sys.argv[1])).revision)
except OradorError as error:
    sys.exit(f"error: {error}")
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving() as hub:
        yield hub


@pytest.fixture
def maker(hub: Hub, tmp_path: Path) -> Visitor:
    return Visitor(hub.url, tmp_path / "home", "hf_owner")


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return make_bundle(tmp_path / "bundle", seed=3)


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """A PEFT folder as a training leaves it: with the maker's paths, a pickle, and a card of its own."""
    folder = tmp_path / "run" / "adapter"
    folder.mkdir(parents=True)
    config = {"peft_type": "LORA", "base_model_name_or_path": "/home/ana/models/phi3-charlas", "r": 8}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    (folder / "tokenizer_config.json").write_text('{"name_or_path": "/home/ana/models/phi3-charlas"}')
    (folder / "adapter_model.safetensors").write_bytes(b"\0" * 5000)
    (folder / "tokenizer.model").write_bytes(b"\1" * 500)
    (folder / "training_args.bin").write_bytes(b"a pickle")
    (folder / "README.md").write_text("base: /home/ana/models/phi3-charlas")
    return folder


def repo(hub: Hub, name: str, kind: str = "model") -> Repo:
    return hub.store.repos[kind, f"me/{name}"]


def newest(repo: Repo) -> dict[str, File]:
    return repo.commits[repo.refs["main"]]


def front_matter(card: str) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load(card.split("---")[1])
    return found


def test_three_repositories_of_one_commit_each(
    hub: Hub, maker: Visitor, bundle: Bundle, adapter: Path
) -> None:
    options = ["--license", "cc-by-4.0", "--base-model", "ana/phi3-charlas"]
    done = maker.publish(bundle.folder, "--repo", "me/charlas", "--adapter", adapter, *options)
    assert done.returncode == 0, done.stderr
    repos = [repo(hub, "charlas-lora"), repo(hub, "charlas-index", "dataset"), repo(hub, "charlas-gguf")]
    order = [line for line in hub.requests if "/commit/" in line]
    assert [re.findall(r"me/[\w-]+", line)[0] for line in order] == [r.id for r in repos]
    for one in repos:
        assert len(one.commits) == 2  # the Hub's initial one and ours
        assert one.refs["bundle-20261121T050003Z"] == one.refs["main"]
        assert one.refs["main"] in done.stdout
    lora, index, gguf = (newest(one) for one in repos)
    assert set(lora) - {".gitattributes"} == {
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "tokenizer.model",
        "tokenizer_config.json",
    }
    assert set(index) - {".gitattributes"} == {
        "README.md",
        "charlas/index.json",
        "charlas/passages.jsonl",
        "charlas/bm25/params.index.json",
        "charlas/vectors.faiss",
    }
    assert gguf[bundle.base_file].sha256 == bundle.files[bundle.base_file].sha256
    assert gguf[bundle.base_file].lfs
    pinned = json.loads(gguf["bundle.json"].data)["files"]["indexes/charlas/vectors.faiss"]["hub"]
    assert pinned == {
        "repo": "me/charlas-index",
        "type": "dataset",
        "revision": repos[1].refs["main"],
        "path": "charlas/vectors.faiss",
    }
    assert done.stdout.splitlines()[-1] == f"ORADOR_BUNDLE=me/charlas-gguf@{repos[2].refs['main']}"
    assert Bundle.load(bundle.folder) == bundle  # the maker's own copy is left as it was


def test_nothing_of_the_makers_machine_is_published(
    hub: Hub, maker: Visitor, bundle: Bundle, adapter: Path
) -> None:
    done = maker.publish(bundle.folder, "--repo", "me/charlas", "--adapter", f"charlas={adapter}")
    assert done.returncode == 0, done.stderr
    assert "not pushed: adapter/README.md, adapter/training_args.bin" in done.stdout
    for one in hub.store.repos.values():
        for path, file in newest(one).items():
            assert b"/home/ana" not in file.data, path
            assert str(bundle.folder).encode() not in file.data, path
    config = json.loads(newest(repo(hub, "charlas-lora"))["adapter_config.json"].data)
    assert config == {"peft_type": "LORA", "base_model_name_or_path": "phi3-charlas", "r": 8}
    assert (
        b"The base model is not on the Hub by itself" in newest(repo(hub, "charlas-lora"))["README.md"].data
    )


def test_the_cards_metadata(hub: Hub, maker: Visitor, bundle: Bundle, adapter: Path) -> None:
    options = ["--license", "cc-by-4.0", "--base-model", "ana/phi3-charlas"]
    done = maker.publish(bundle.folder, "--repo", "me/charlas", "--adapter", adapter, *options)
    assert done.returncode == 0, done.stderr
    common = {"language": ["es"], "license": "cc-by-4.0"}
    model = {
        **common,
        "pipeline_tag": "text-generation",
        "base_model": "ana/phi3-charlas",
        "datasets": ["me/charlas-index"],
    }
    cards = {r.id: newest(r)["README.md"].data.decode() for r in hub.store.repos.values()}
    assert front_matter(cards["me/charlas-lora"]) == {
        **model,
        "library_name": "peft",
        "base_model_relation": "adapter",
        "tags": ["lora", "orador"],
    }
    assert front_matter(cards["me/charlas-gguf"]) == {
        **model,
        "library_name": "gguf",
        "base_model_relation": "quantized",
        "tags": ["gguf", "llama.cpp", "orador"],
    }
    index = front_matter(cards["me/charlas-index"])
    assert index["configs"] == [{"config_name": "charlas", "data_files": "charlas/passages.jsonl"}]
    assert common.items() <= index.items()
    for card in cards.values():
        assert "c" * 64 in card  # where it comes from
        assert "No license" not in card


def test_publishing_again_makes_no_commit(
    hub: Hub, maker: Visitor, bundle: Bundle, adapter: Path, tmp_path: Path
) -> None:
    outputs = [
        maker.publish(bundle.folder, "--repo", "me/charlas", "--adapter", adapter).stdout.splitlines()[-1]
        for _ in range(2)
    ]
    assert outputs[0] == outputs[1] != ""
    assert {len(one.commits) for one in hub.store.repos.values()} == {2}
    make_bundle(tmp_path / "newer", seed=4)
    done = maker.publish(tmp_path / "newer", "--repo", "me/charlas", "--tag", "bundle-20261121T050003Z")
    refused(done, "its tag bundle-20261121T050003Z is that of", "another --tag")
    done = maker.publish(tmp_path / "newer", "--repo", "me/charlas")
    assert done.returncode == 0, done.stderr
    assert "adapters published as GGUF only (give --adapter NAME=RUN/adapter): charlas" in done.stdout
    assert len(repo(hub, "charlas-gguf").commits) == 3
    assert "bundle-20261121T050004Z" in repo(hub, "charlas-gguf").refs


def test_a_pulled_bundle_is_published_without_its_index(
    hub: Hub, maker: Visitor, bundle: Bundle, tmp_path: Path
) -> None:
    """Files that lie on the Hub already are named, not copied."""
    first = maker.publish(bundle.folder, "--repo", "me/charlas").stdout.split("ORADOR_BUNDLE=")[1].strip()
    assert maker.pull(first, tmp_path / "cache").returncode == 0
    folder = tmp_path / "cache" / "me--charlas-gguf" / first.split("@")[1]
    done = maker.publish(folder, "--repo", "me/otras", "--tag", "v1")
    assert done.returncode == 0, done.stderr
    assert set(hub.store.repos) == {
        ("dataset", "me/charlas-index"),
        ("model", "me/charlas-gguf"),
        ("model", "me/otras-gguf"),
    }
    again = done.stdout.split("ORADOR_BUNDLE=")[1].strip()
    assert maker.pull(again, tmp_path / "cache").returncode == 0


def test_a_commit_in_between_is_not_overwritten(hub: Hub, maker: Visitor, bundle: Bundle) -> None:
    hub.faults["me/charlas-gguf"] = "race"
    refused(maker.publish(bundle.folder, "--repo", "me/charlas"), "Someone committed to me/charlas-gguf")
    assert repo(hub, "charlas-gguf").messages == ["initial commit", "by someone else"]


def test_no_right_to_write(hub: Hub, maker: Visitor, bundle: Bundle) -> None:
    nobody = replace(maker, token=None)
    refused(
        nobody.publish(bundle.folder, "--repo", "me/charlas"),
        "does not let you write",
        "(HTTP 401)",
        "HF_TOKEN",
    )
    refused(replace(maker, token="hf_x").publish(bundle.folder, "--repo", "me/charlas"), "(HTTP 401)")
    refused(
        maker.publish(bundle.folder, "--repo", "other/charlas"), "write to other/charlas-index (HTTP 403)"
    )
    assert hub.store.repos == {}


def test_private_stays_private(hub: Hub, maker: Visitor, bundle: Bundle, tmp_path: Path) -> None:
    done = maker.publish(bundle.folder, "--repo", "me/secreto", "--private")
    assert done.returncode == 0, done.stderr
    assert all(one.private for one in hub.store.repos.values())
    reference = done.stdout.split("ORADOR_BUNDLE=")[1].strip()
    refused(replace(maker, token=None).pull(reference, tmp_path / "cache"), "HTTP 401")
    assert maker.pull(reference, tmp_path / "cache").returncode == 0
    repo(hub, "secreto-index", "dataset").private = False
    make_bundle(tmp_path / "newer", seed=5)
    done = maker.publish(tmp_path / "newer", "--repo", "me/secreto", "--private")
    refused(done, "me/secreto-index exists and is public")
    assert len(repo(hub, "secreto-index", "dataset").commits) == 2


CONSENT = {
    "persona": "Lucía Ferreyra",
    "agreed_by": ["Lucía Ferreyra", "Persona 1"],
    "date": "2026-11-21",
    "statement": "De acuerdo.",
    "sha256": "e" * 64,
}


def chat_bundle(folder: Path, consent: dict[str, object] | None) -> Bundle:
    """The bundle of the other tests with a chat added, as `train bundle --add-to` leaves it."""
    bundle = make_bundle(folder, seed=3)
    chat = replace(
        bundle.generators[0],
        name="lucia",
        kind="chat",
        prompts={"chat": CHAT},
        index=None,
        examples=[{"message": "hola"}],
        values={"persona": "Lucía Ferreyra"},
    )
    own = {"recipe": "chat", "options": {"consent": consent} if consent else {}}
    lineage = {**bundle.lineage, "generators": {"lucia": own}}
    changed = replace(bundle, generators=[*bundle.generators, chat], lineage=lineage)
    changed.write()
    return changed


@pytest.mark.parametrize("consent", [None, {**CONSENT, "agreed_by": []}, {**CONSENT, "date": ""}])
def test_a_chat_without_consent_is_not_published(
    hub: Hub, maker: Visitor, tmp_path: Path, consent: dict[str, object] | None
) -> None:
    bundle = chat_bundle(tmp_path / "chat", consent)
    done = maker.publish(bundle.folder, "--repo", "me/lucia", "--public")
    refused(done, "the generator lucia imitates Lucía Ferreyra, and its lineage has no consent")
    assert hub.store.repos == {}


def test_a_chat_is_private_unless_it_is_made_public_by_name(hub: Hub, maker: Visitor, tmp_path: Path) -> None:
    bundle = chat_bundle(tmp_path / "chat", CONSENT)
    done = maker.publish(bundle.folder, "--repo", "me/lucia")
    assert done.returncode == 0, done.stderr
    assert "--public makes them public" in done.stdout
    assert len(hub.store.repos) == 2
    assert all(one.private for one in hub.store.repos.values())
    card = newest(repo(hub, "lucia-gguf"))["README.md"].data.decode()
    assert "imitates Lucía Ferreyra by consent of 2026-11-21, given by Lucía Ferreyra, Persona 1" in card
    done = maker.publish(bundle.folder, "--repo", "me/abierta", "--public")
    assert done.returncode == 0, done.stderr
    assert not repo(hub, "abierta-gguf").private
    assert "imitates Lucía Ferreyra by consent" in describe(bundle)


def test_a_chat_with_personal_data_is_published_only_by_name(
    hub: Hub, maker: Visitor, tmp_path: Path
) -> None:
    bundle = chat_bundle(tmp_path / "chat", CONSENT)
    *others, chat = bundle.generators
    chat = replace(chat, examples=[{"message": "escribime a ana@example.org"}], index="charlas")
    passages = bundle.folder / "indexes/charlas/passages.jsonl"
    passages.write_text('{"text": "llamame al +54 9 11 4321-8765", "title": "Chat 1", "source": ""}\n')
    index = passages.with_name("index.json")
    index.unlink()
    write_manifest(index.parent, index_manifest())
    changed = {f"indexes/charlas/{path.name}": FileEntry.of(path) for path in (index, passages)}
    files = {**bundle.files, **changed}
    chat = replace(chat, prompts={**chat.prompts, "rag": others[0].prompts["rag"]})
    replace(bundle, generators=[*others, chat], files=files).write()
    refused(maker.publish(bundle.folder, "--repo", "me/lucia"), "(email 1, phone 1): nothing was pushed")
    refused(
        maker.publish(bundle.folder, "--repo", "me/lucia", "--with-personal-data", "ana"),
        "hold personal data",
    )
    assert hub.store.repos == {}
    done = maker.publish(bundle.folder, "--repo", "me/lucia", "--with-personal-data", "lucia")
    assert done.returncode == 0, done.stderr


def test_what_arrives_is_compared(hub: Hub, maker: Visitor, bundle: Bundle) -> None:
    hub.faults[Path(bundle.base_file).name] = "garble"
    done = maker.publish(bundle.folder, "--repo", "me/charlas")
    refused(done, "me/charlas-gguf failed", f"{bundle.base_file} arrived with other bytes")


def test_bad_input_before_anything_is_pushed(hub: Hub, maker: Visitor, bundle: Bundle, adapter: Path) -> None:
    publish = [bundle.folder, "--repo"]
    refused(replace(maker, endpoint="http://127.0.0.1:9").publish(*publish, "me/x"), "cannot be reached")
    refused(maker.publish(*publish, "charlas"), "--repo is charlas")
    refused(maker.publish(*publish, "me/x", "--adapter", f"otro={adapter}"), "--adapter is otro", "charlas")
    refused(maker.publish(*publish, "me/x", "--license", "¡mía!"), "license")
    (adapter / "adapter_model.safetensors").unlink()
    refused(maker.publish(*publish, "me/y", "--adapter", adapter), "no adapter_model.safetensors")
    (bundle.folder / bundle.base_file).write_bytes(b"other")
    refused(maker.publish(*publish, "me/z"), "is not the file")
    assert all(len(one.commits) == 1 for one in hub.store.repos.values())


def test_a_space_needs_a_paid_account(hub: Hub, maker: Visitor, tmp_path: Path) -> None:
    root = tmp_path / "checkout"
    for name in (
        "app.py",
        "requirements.txt",
        "LICENSE",
        "space/engine.py",
        "space/bundle/models/x.gguf",
        "index/a.py",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    refused_early = maker.run("-c", PUSH_SPACE, root)
    assert "README.md cannot go into" in refused_early.stderr
    (root / "README.md").write_text("---\ntitle: Orador\nsdk: gradio\nshort_description: breve\n---\n")
    free = maker.run("-c", PUSH_SPACE, root)
    assert "asks for a paid account to create the Space me/charlas (HTTP 402)" in free.stderr
    assert hub.store.repos == {}
    hub.store.paid = True
    done = maker.run("-c", PUSH_SPACE, root)
    assert done.returncode == 0, done.stderr
    space = repo(hub, "charlas", "space")
    assert space.variables == {"ORADOR_BUNDLE": f"me/charlas-gguf@{'a' * 40}"}
    assert set(newest(space)) - {".gitattributes"} == {
        "README.md", "app.py", "requirements.txt", "LICENSE", "space/engine.py", "index/a.py",
    }  # fmt: skip


def snippet(card: File) -> str:
    found = re.search(r"```python\n(.*?)```", card.data.decode(), re.DOTALL)
    assert found
    return (
        found[1].replace("max_tokens=300", "max_tokens=8").replace("max_new_tokens=300", "max_new_tokens=8")
    )


def test_the_cards_snippets_run(
    hub: Hub, maker: Visitor, tmp_path: Path, tiny_model: Path, tiny_gguf: Path, tiny_lora_gguf: Path
) -> None:
    real = make_bundle(tmp_path / "real")
    for file, source in ((real.base_file, tiny_gguf), (real.adapter_files["charlas"], tiny_lora_gguf)):
        shutil.copy(source, real.folder / file)
        real.files[file] = FileEntry.of(real.folder / file)
    report = real.folder / "report.json"
    report.write_text(json.dumps({"parity": {"charlas": parity(real.folder)}}))
    real.files["report.json"] = FileEntry.of(report)
    base = {"id": "ana/tiny", "revision": "b" * 40}
    replace(real, context=512, lineage={"training": {"base": base}}).write()
    hub.store.create("model", "ana/tiny", False).commit(
        {
            path.name: File(path.read_bytes(), path.suffix in (".model", ".safetensors"))
            for path in tiny_model.iterdir()
        },
        "base",
    )
    peft = tiny_lora_gguf.parent / f"{tiny_lora_gguf.stem}-adapter"
    for path in tiny_model.glob("*token*"):
        shutil.copy(path, peft)
    done = maker.publish(real.folder, "--repo", "me/charlas", "--adapter", peft)
    assert done.returncode == 0, done.stderr
    for name in ("charlas-gguf", "charlas-lora"):
        code = snippet(newest(repo(hub, name))["README.md"])
        ran = maker.run("-c", code, timeout=120)
        assert ran.returncode == 0, f"{code}\n{ran.stderr}"
        assert ran.stdout.strip(), code
