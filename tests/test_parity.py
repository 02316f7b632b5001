"""The parity gate: it passes a true export, and names the row that each planted fault breaks.

pytest tests/test_parity.py
"""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from space.prompts import SPEECH
from tests import tiny
from tests.bundles import make_bundle
from train import llamacpp
from train.__main__ import main
from train.base_model import resolve
from train.errors import ParityFailed, ParityMissing
from train.parity import Gate
from train.parity_gguf import Candidate
from train.parity_rows import failures, parity_report, require_parity
from train.parity_texts import OWN, STRESS
from train.sft import fine_tune
from train.sft_options import Options
from train.tokenizer import CHAT_TEMPLATE

BASE_NAME = "Phi-3-mini-4k-instruct"


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def made(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a base, an adapter trained on it by `sft`, and their export."""
    root = tmp_path_factory.mktemp("parity")
    shutil.copytree(tiny_model, root / BASE_NAME)
    data = root / "data"
    data.mkdir()
    texts = [line for line in tiny.talk_paragraphs() if 20 < len(line.split()) < 60]
    for name, answers in (("train", texts[:24]), ("validation", texts[24:30]), ("test", [])):
        rows = [{"messages": SPEECH.example(text, field="física", topics="el tiempo")} for text in answers]
        lines = "".join(json.dumps({**row, "document": "d", "title": "t"}) + "\n" for row in rows)
        (data / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    manifest = {"format": 1, "recipe": "speech", "recipe_version": 1, "corpus_sha256": "0" * 64}
    (data / "prepared.json").write_text(json.dumps(manifest), encoding="utf-8")
    fine_tune(
        Options(
            data=data,
            base=str(root / BASE_NAME),
            out=root / "run",
            max_steps=12,
            accumulation=1,
            learning_rate=3e-4,  # of a stronger adapter twice the alpha changes hardly anything
        )
    )
    assert export(root, root / "gguf", "--merge", "--quantize", "F16,Q4_K_M") == 0
    return root


def export(root: Path, out: Path, *options: str) -> int:
    command = ["export", "--base", str(root / BASE_NAME), "--adapter", str(root / "run" / "adapter")]
    return main([*command, "--out", str(out), *options])


def parity(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "export.json").read_text(encoding="utf-8"))["parity"]
    return found


def test_a_true_export_passes(made: Path) -> None:
    found = parity(made / "gguf")
    assert found["passed"]
    assert found["examples"] == {
        "source": "held out from the training of the adapter", "number": 6, "tokens": 595, "stress": len(STRESS)
    }  # fmt: skip
    names = {f"{row['what']}: {row['check']}" for row in found["rows"]}
    assert "adapter: the model that was trained" in names
    for what in ("base F16 + adapter", "base Q4_K_M + adapter", "merged F16", "merged Q4_K_M"):
        for check in ("chat template", "tokens of conversations", "BOS", "end token", "nats per token"):
            assert f"{what}: {check}" in names
    assert {"base F16 alone: nats per token", "merged F16: greedy texts"} <= names
    table = (made / "gguf" / "PARITY.md").read_text(encoding="utf-8")
    assert table.count("✓") == len(found["rows"])
    record = json.loads((made / "gguf" / "export.json").read_text(encoding="utf-8"))
    assert {entry["path"]: entry["sha256"] for entry in record["files"]}.items() <= found["files"].items()
    assert str(made) not in json.dumps(found)
    assert not [row for row in found["rows"] if "río" in json.dumps(row)], "no text of the examples is kept"


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    """The F16 base and the adapter of the export, free to be changed."""
    folder = tmp_path / "gguf"
    folder.mkdir()
    record = json.loads((made / "gguf" / "export.json").read_text(encoding="utf-8"))
    record["files"] = [
        e for e in record["files"] if (e["kind"], e["quantization"]) in (("base", "F16"), LORA)
    ]
    for entry in record["files"]:
        name = "adapter.gguf" if entry["kind"] == "adapter" else "base.gguf"
        shutil.copy(made / "gguf" / entry["path"], folder / name)
        entry["path"] = name
    (folder / "export.json").write_text(json.dumps(record), encoding="utf-8")
    return folder


LORA = ("adapter", "F16")
CHATML = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"


def set_number(path: Path, key: str, change: Callable[[Any], Any]) -> None:
    """Change a number in the metadata of a GGUF."""
    from gguf import GGUFReader

    field = GGUFReader(path, "r+").get_field(key)
    part = field.parts[field.data[0]]
    part[0] = change(part[0])


def set_template(path: Path, template: str) -> None:
    """Another chat template, filled up to the length of the one there by a comment."""
    old = CHAT_TEMPLATE.encode()
    new = template.encode() + b"{#" + b" " * (len(old) - len(template.encode()) - 4) + b"#}"
    replace_once(path, old, new)


def replace_once(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert (len(old), content.count(old)) == (len(new), 1)
    path.write_bytes(content.replace(old, new))


def wrong_template(folder: Path) -> None:
    set_template(folder / "base.gguf", CHATML)


def template_without_end(folder: Path) -> None:
    replace_once(folder / "base.gguf", CHAT_TEMPLATE.encode(), NO_END.ljust(len(CHAT_TEMPLATE)).encode())


def vocabulary_without_end(folder: Path) -> None:
    length = struct.pack("<Q", len("<|end|>"))
    replace_once(folder / "base.gguf", length + b"<|end|>", length + b"<|fin|>")


def bos_by_the_tokenizer(folder: Path) -> None:
    set_number(folder / "base.gguf", "tokenizer.ggml.add_bos_token", lambda _: True)


def bos_by_both(folder: Path) -> None:
    bos_by_the_tokenizer(folder)
    short = CHAT_TEMPLATE.replace("{% elif message['role'] == 'assistant' %}", "{% else %}")
    set_template(folder / "base.gguf", "{{ bos_token }}" + short)


def adapter_of_another_base(folder: Path) -> None:
    other = tiny.build_model(folder / "other", seed=5)
    adapter = tiny.build_adapter(other, folder / "other-adapter", scale=0.02)
    llamacpp.convert_lora(adapter, other, folder / "adapter.gguf")


def alpha_a_fifth_more(folder: Path) -> None:
    set_number(folder / "adapter.gguf", "adapter.lora.alpha", lambda alpha: alpha * 1.2)


def alpha_doubled(folder: Path) -> None:
    set_number(folder / "adapter.gguf", "adapter.lora.alpha", lambda alpha: alpha * 2)


def adapter_of_another_shape(folder: Path) -> None:
    replace_once(folder / "adapter.gguf", b"blk.1.attn_qkv.weight.lora_a", b"blk.9.attn_qkv.weight.lora_a")


NO_END = CHAT_TEMPLATE.replace(
    "{{'<|assistant|>\n' + message['content'] + '<|end|>\n'}}", "{{'<|assistant|>\n' + message['content']}}"
)
ONE_TOKEN = "difference of a token's log-probability"
FAULTS: list[tuple[Callable[[Path], None], set[str]]] = [
    (wrong_template, {"chat template", "tokens of conversations"}),
    (template_without_end, {"chat template", "end token"}),
    (vocabulary_without_end, {"end token"}),
    (bos_by_the_tokenizer, {"BOS"}),
    (bos_by_both, {"BOS", "chat template", "tokens of conversations"}),
    (adapter_of_another_base, {ONE_TOKEN, "nats per token"}),
    (adapter_of_another_shape, {"loads"}),
    (alpha_a_fifth_more, {ONE_TOKEN}),
    (alpha_doubled, {ONE_TOKEN, "nats per token"}),
]


@pytest.mark.parametrize(("plant", "rows"), FAULTS, ids=[plant.__name__ for plant, _ in FAULTS])
def test_a_planted_fault_is_named(
    plant: Callable[[Path], None], rows: set[str], made: Path, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plant(copy)
    assert check(made, copy) == 2
    found = {name.split(": ", 1)[1] for name in failures(parity(copy))}
    assert rows <= found
    said = capsys.readouterr().err
    assert all(f"base F16 + adapter: {row}" in said for row in rows)
    assert "✗ FAILED" in (copy / "PARITY.md").read_text(encoding="utf-8")


def check(made: Path, folder: Path, *options: str) -> int:
    """`python -m train parity` on `folder`."""
    adapter = made / "run" / "adapter"
    return main(["parity", str(folder), "--base", str(made / BASE_NAME), "--adapter", str(adapter), *options])


def test_an_unchanged_copy_passes_with_other_examples(made: Path, copy: Path) -> None:
    assert check(made, copy, "--data", str(made / "data")) == 0
    assert parity(copy)["examples"]["source"] == "validation and test of data"
    assert "adapter: the model that was trained" not in {
        f"{r['what']}: {r['check']}" for r in parity(copy)["rows"]
    }


def test_without_held_out_examples_our_own_texts_are_used_and_said(
    made: Path, copy: Path, tmp_path: Path
) -> None:
    shutil.copytree(made / "run" / "adapter", tmp_path / "run" / "adapter")
    found = Gate(resolve(str(made / BASE_NAME)), tmp_path / "run" / "adapter", None)
    found.check([Candidate(copy / "base.gguf", "base", "F16", copy / "adapter.gguf")])
    assert found.record()["passed"]
    assert found.record()["examples"]["source"] == "our own texts: there are no held-out examples"
    assert found.record()["examples"]["number"] == len(OWN)


def changed_run(made: Path, folder: Path) -> Path:
    """A copy of base and run, to be changed after the training."""
    shutil.copytree(made / BASE_NAME, folder / BASE_NAME)
    shutil.copytree(made / "run", folder / "run", ignore=shutil.ignore_patterns("checkpoints"))
    return folder


def test_an_export_of_a_changed_adapter_fails_and_leaves_its_record(
    made: Path, tmp_path: Path, capsys: Any
) -> None:
    root = changed_run(made, tmp_path)
    path = root / "run" / "adapter" / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(config | {"lora_alpha": config["lora_alpha"] * 4}), encoding="utf-8")
    assert export(root, root / "gguf", "--quantize", "Q8_0") == 2
    assert "adapter: the model that was trained" in capsys.readouterr().err
    assert failures(parity(root / "gguf")) == ["adapter: the model that was trained"]
    base, lora = sorted((root / "gguf").glob("*.gguf"), key=lambda path: "LoRA" in path.name)
    with pytest.raises(ParityFailed, match="the model that was trained"):
        parity_report("charlas", base, lora, failed_too=False)
    taken = parity_report("charlas", base, lora, failed_too=True)
    assert taken["parity"]["charlas"]["passed"] is False


def test_an_export_with_another_template_fails(made: Path, tmp_path: Path, capsys: Any) -> None:
    root = changed_run(made, tmp_path)
    (root / "run" / "adapter" / "chat_template.jinja").write_text(CHATML, encoding="utf-8")
    assert export(root, root / "gguf", "--quantize", "Q8_0", "--skip-base") == 2
    said = capsys.readouterr().err
    assert "base F16 + adapter: chat template" in said
    assert "base Q8_0 + adapter: end token" in said
    assert len(list((root / "gguf").glob("*.gguf"))) == 1


def test_an_export_without_parity_is_said_to_have_none(made: Path, tmp_path: Path) -> None:
    assert export(made, tmp_path / "gguf", "--quantize", "Q8_0", "--without-parity") == 0
    assert "parity" not in json.loads((tmp_path / "gguf" / "export.json").read_text(encoding="utf-8"))
    assert not (tmp_path / "gguf" / "PARITY.md").exists()


def test_a_bundle_is_published_only_with_parity_of_each_pair(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    require_parity(bundle)
    path = tmp_path / "report.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    whole = json.dumps(report)
    report["parity"]["charlas"]["files"].popitem()
    path.write_text(json.dumps(report), encoding="utf-8")
    with pytest.raises(ParityMissing, match=r"phi3-charlas-LoRA\.gguf, models/phi3-charlas-Q8_0\.gguf"):
        require_parity(bundle)
    path.write_text(whole.replace('"passed": true', '"passed": false'), encoding="utf-8")
    with pytest.raises(ParityFailed, match=r"base Q8_0 \+ adapter: nats per token"):
        require_parity(bundle)
