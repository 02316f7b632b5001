"""Export: names, metadata, what is refused, and the GGUF files giving what transformers gives."""

from __future__ import annotations

import ctypes
import hashlib
import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from space.prompts import RAG, SPEECH
from tests import tiny
from train import llamacpp
from train.__main__ import main
from train.adapters import read_adapter
from train.errors import ConversionFailed, SourceMismatch, SourceUnavailable, UnsupportedAdapter
from train.gguf_names import CONVENTION, model_name, size_label

FOLDER = "Phi-3-mini-4k-instruct"
SPANISH = [
    "¿Qué pasó ayer? ¡Nada, señor!",
    "  dos espacios al principio y dos al final  ",
    "línea uno\nlínea dos\n\n\tcon tabulador",
    "emoji 😀👩‍👩‍👧 y bandera 🇲🇽",
    "3,1416 × 2.000.000 = 6 283 200 €",
    "pingüino, ñandú, vigésimo-primero, MAYÚSCULAS ÁÉÍÓÚ",
    "comillas «así» “así” y ‘así’… —raya—",
    "<b>html</b> & <|nada|> \\n %s {llaves}",
]


@pytest.fixture(scope="module")
def exported(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Base, adapter and merged model of the tiny Phi-3, from a folder called as Microsoft's, by the command line."""
    import torch

    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("export")
    base = root / FOLDER
    shutil.copytree(tiny_model, base)
    adapter = tiny.build_adapter(base, root / "charlas" / "adapter")
    command = [
        "export",
        "--base",
        str(base),
        "--adapter",
        str(adapter),
        "--out",
        str(root / "gguf"),
        "--merge",
    ]
    assert main([*command, "--quantize", "Q4_K_M,F16,Q8_0"]) == 0
    return {"base": base, "adapter": adapter, "out": root / "gguf"}


@pytest.fixture(scope="module")
def files(exported: dict[str, Path]) -> dict[tuple[str, str], Path]:
    record = json.loads((exported["out"] / "export.json").read_text(encoding="utf-8"))
    return {
        (entry["kind"], entry["quantization"]): exported["out"] / entry["path"] for entry in record["files"]
    }


def test_files_are_what_export_json_says(
    exported: dict[str, Path], files: dict[tuple[str, str], Path]
) -> None:
    record = json.loads((exported["out"] / "export.json").read_text(encoding="utf-8"))
    assert sorted(p.name for p in exported["out"].iterdir()) == sorted(
        ["export.json", "PARITY.md", *(p.name for p in files.values())]
    )
    assert set(files) == {
        ("adapter", "F16"),
        *((k, q) for k in ("base", "merged") for q in ("Q4_K_M", "F16", "Q8_0")),
    }
    for entry in record["files"]:
        content = (exported["out"] / entry["path"]).read_bytes()
        assert (entry["size"], entry["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
        assert CONVENTION.match(entry["path"]), entry["path"]
    assert files["base", "Q4_K_M"].name == "Phi-3-mini-2.4M-4k-instruct-v1.0-Q4_K_M.gguf"
    assert files["adapter", "F16"].name == "Phi-3-mini-2.4M-4k-instruct-charlas-v1.0-F16-LoRA.gguf"
    assert str(exported["base"]) not in json.dumps(record), "no folder of this machine is written down"


@pytest.mark.parametrize("kind", ["base", "merged"])
def test_metadata(kind: str, exported: dict[str, Path], files: dict[tuple[str, str], Path]) -> None:
    from gguf import GGUFReader

    reader = GGUFReader(files[kind, "Q4_K_M"])
    assert "phi-3" in str(reader.get_field("general.name").contents()).lower()
    assert reader.get_field("tokenizer.ggml.add_bos_token").contents() is False
    config = json.loads((exported["base"] / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert reader.get_field("tokenizer.chat_template").contents() == config["chat_template"]
    assert any(tensor.tensor_type.name == "Q4_K" for tensor in reader.tensors)


class Llama:
    """llama.cpp's low-level calls on one file: token ids and logits."""

    def __init__(self, path: Path, lora: Path | None = None) -> None:
        import llama_cpp
        from llama_cpp._logger import set_verbose

        set_verbose(False)
        self.api = llama_cpp
        self.model = llama_cpp.llama_model_load_from_file(
            str(path).encode(), llama_cpp.llama_model_default_params()
        )
        assert self.model, path
        self.vocab = llama_cpp.llama_model_get_vocab(self.model)
        options = llama_cpp.llama_context_default_params()
        options.n_ctx, options.n_batch, options.n_threads, options.n_threads_batch = 512, 512, 1, 1
        self.context = llama_cpp.llama_init_from_model(self.model, options)
        if lora:
            adapter = llama_cpp.llama_adapter_lora_init(self.model, str(lora).encode())
            assert adapter, lora
            adapters, scales = (llama_cpp.llama_adapter_lora_p_ctypes * 1)(adapter), (ctypes.c_float * 1)(1.0)
            assert llama_cpp.llama_set_adapters_lora(self.context, adapters, 1, scales) == 0

    def tokenize(self, text: str, parse_special: bool = True) -> list[int]:
        raw = text.encode()
        out = (self.api.llama_token * (len(raw) + 8))()
        count = self.api.llama_tokenize(self.vocab, raw, len(raw), out, len(out), False, parse_special)
        assert count >= 0
        return list(out[:count])

    def logits(self, ids: list[int]) -> np.ndarray:
        """The logits after each of `ids`, in one array of tokens × vocabulary."""
        batch = self.api.llama_batch_init(len(ids), 0, 1)
        batch.n_tokens = len(ids)
        for n, token in enumerate(ids):
            batch.token[n], batch.pos[n], batch.n_seq_id[n], batch.logits[n] = token, n, 1, 1
            batch.seq_id[n][0] = 0
        assert self.api.llama_decode(self.context, batch) == 0
        size = self.api.llama_vocab_n_tokens(self.vocab)
        rows = [
            np.ctypeslib.as_array(self.api.llama_get_logits_ith(self.context, n), (size,))
            for n in range(len(ids))
        ]
        copied = np.stack(rows).copy()
        self.api.llama_batch_free(batch)
        return copied

    def close(self) -> None:
        self.api.llama_free(self.context)
        self.api.llama_model_free(self.model)


@pytest.fixture
def base_llama(files: dict[tuple[str, str], Path]) -> Iterator[Llama]:
    llama = Llama(files["base", "F16"])
    yield llama
    llama.close()


def test_token_ids_agree_with_transformers(base_llama: Llama, exported: dict[str, Path]) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(exported["base"])
    for text in [*SPANISH, *tiny.talk_paragraphs()[:40]]:
        assert base_llama.tokenize(text) == tokenizer(text, add_special_tokens=False)["input_ids"], text
    for text in (text.strip() for text in SPANISH):
        for messages in (
            SPEECH.render(field=text, topics=text),
            RAG.example(text, context=text, topics=text),
        ):
            chat = tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=len(messages) == 1
            )
            assert base_llama.tokenize(chat) == tokenizer(chat, add_special_tokens=False)["input_ids"], chat


def nll(logits: np.ndarray, ids: list[int]) -> float:
    """Mean negative log-likelihood of each token given those before, in nats."""
    rows = logits[:-1].astype(np.float64)
    rows -= rows.max(axis=1, keepdims=True)
    logs = rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))
    return float(-logs[np.arange(len(ids) - 1), ids[1:]].mean())


@pytest.mark.parametrize("way", ["base", "adapter", "merged"])
def test_gguf_gives_what_transformers_gives(
    way: str, exported: dict[str, Path], files: dict[tuple[str, str], Path]
) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(exported["base"])
    ids = tokenizer(" ".join(tiny.talk_paragraphs()[:2]), add_special_tokens=False)["input_ids"][:60]
    model = AutoModelForCausalLM.from_pretrained(exported["base"], dtype=torch.float32)
    with torch.inference_mode():
        plain = model(torch.tensor([ids])).logits[0].numpy()
        tuned = PeftModel.from_pretrained(model, exported["adapter"])(torch.tensor([ids])).logits[0].numpy()
    expected = plain if way == "base" else tuned
    assert np.abs(plain - tuned).max() > 0.1, "the adapter must matter, or this test says nothing"
    paths = {"base": (files["base", "F16"], None), "adapter": (files["base", "F16"], files["adapter", "F16"])}
    llama = Llama(*paths.get(way, (files["merged", "F16"], None)))
    found = llama.logits(ids)
    llama.close()
    assert np.abs(found - expected).max() < 0.02
    assert abs(nll(found, ids) - nll(expected, ids)) < 0.001
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.95


@pytest.mark.parametrize("quantization", ["Q8_0", "Q4_K_M"])
def test_quantized_models_stay_near(quantization: str, files: dict[tuple[str, str], Path]) -> None:
    plain, small = Llama(files["merged", "F16"]), Llama(files["merged", quantization])
    ids = plain.tokenize(SPANISH[5] * 3)
    difference = abs(nll(plain.logits(ids), ids) - nll(small.logits(ids), ids))
    plain.close()
    small.close()
    assert difference < {"Q8_0": 0.02, "Q4_K_M": 0.1}[quantization]


@pytest.mark.parametrize(
    ("change", "feature"),
    [
        ({"use_rslora": True}, "use_rslora"),
        ({"use_dora": True}, "use_dora"),
        ({"rank_pattern": {"qkv_proj": 4}}, "rank_pattern"),
        ({"alpha_pattern": {"qkv_proj": 4}}, "alpha_pattern"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"bias": "all"}, "bias"),
        ({"peft_type": "IA3"}, "IA3"),
        ({"fan_in_fan_out": True}, "gpt2"),
    ],
)
def test_adapters_that_gguf_cannot_hold_are_refused(
    change: dict[str, Any], feature: str, exported: dict[str, Path], tmp_path: Path, capsys: Any
) -> None:
    adapter = tmp_path / "adapter"
    shutil.copytree(exported["adapter"], adapter)
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **change}), encoding="utf-8")
    command = [
        "export",
        "--base",
        str(exported["base"]),
        "--adapter",
        str(adapter),
        "--out",
        str(tmp_path / "gguf"),
    ]
    assert main(command) == 2
    assert feature in capsys.readouterr().err
    assert not (tmp_path / "gguf").exists()


def test_adapter_on_embeddings_is_refused(exported: dict[str, Path], tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(exported["base"])
    get_peft_model(model, LoraConfig(r=2, target_modules=["embed_tokens", "qkv_proj"])).save_pretrained(
        tmp_path
    )
    with pytest.raises(UnsupportedAdapter, match="embeddings"):
        read_adapter(tmp_path)


def test_unknown_quantization_and_missing_adapter_are_named(
    exported: dict[str, Path], tmp_path: Path, capsys: Any
) -> None:
    command = ["export", "--base", str(exported["base"]), "--out", str(tmp_path / "gguf")]
    assert main([*command, "--quantize", "Q4_K_M,Q3"]) == 2
    assert "Q3" in capsys.readouterr().err
    assert main([*command, "--adapter", str(tmp_path)]) == 2
    assert "adapter_config.json" in capsys.readouterr().err


def test_failed_conversion_leaves_no_files(exported: dict[str, Path], tmp_path: Path, capsys: Any) -> None:
    broken = tmp_path / "phi3-broken"
    shutil.copytree(exported["base"], broken)
    (broken / "tokenizer.model").unlink()
    assert main(["export", "--base", str(broken), "--out", str(tmp_path / "gguf")]) == 2
    assert "tokenizer.model" in capsys.readouterr().err
    assert list((tmp_path / "gguf").iterdir()) == []


@pytest.mark.parametrize(
    ("identifier", "parameters", "architecture", "expected"),
    [
        ("microsoft/Phi-3-mini-4k-instruct", 3_821_079_552, "phi3", "Phi-3-mini-3.8B-4k-instruct-v1.0"),
        ("HuggingFaceTB/SmolLM2-135M-Instruct", 134_515_008, "llama", "SmolLM2-135M-Instruct-v1.0"),
        ("runs/mini", 20_400_000, "phi3", "phi3-mini-20M-v1.0"),
        ("phi3-orador-mini-es", 9_800_000, "phi3", "phi3-orador-mini-es-9.8M-v1.0"),
        ("me/Mistral-7B-Instruct-v0.3", 7_248_023_552, "mistral", "Mistral-7B-Instruct-v0.3"),
    ],
)
def test_names(identifier: str, parameters: int, architecture: str, expected: str) -> None:
    name = model_name(identifier, parameters, architecture)
    assert str(name) == expected
    assert CONVENTION.match(name.file("Q4_K_M"))
    lora = CONVENTION.match(name.tuned("charlas de prueba").file("F16", lora=True))
    assert lora
    assert lora["Type"] == "LoRA"
    assert "charlas-de-prueba" in lora["FineTune"]


def test_size_labels() -> None:
    assert [size_label(n) for n in (3_821_079_552, 134_515_008, 1_000_000, 1_500)] == [
        "3.8B",
        "135M",
        "1M",
        "1.5K",
    ]


def test_source_of_another_hash_is_not_unpacked(tmp_path: Path) -> None:
    folder = "llama_cpp_python-9/vendor/llama.cpp"
    inside = tmp_path / "in" / folder
    (inside / "gguf-py" / "gguf").mkdir(parents=True)
    for name in ("convert_hf_to_gguf.py", "convert_other.py", "gguf-py/gguf/constants.py"):
        (inside / name).write_text("x = 1\n", encoding="utf-8")
    archive = tmp_path / "llama_cpp_python-9.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "in", arcname="")
    with pytest.raises(SourceMismatch, match="0000"):
        llamacpp.unpack(archive, "0" * 64, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    llamacpp.unpack(archive, hashlib.sha256(archive.read_bytes()).hexdigest(), tmp_path / "out")
    unpacked = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.py"))
    assert unpacked == ["convert_hf_to_gguf.py", "gguf-py/gguf/constants.py"]


def test_source_that_pip_cannot_get_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match=r"0\.3\.36"):
        llamacpp.download("0.3.36", tmp_path, "--no-index", "--isolated")
    assert llamacpp.pinned_version() in llamacpp.HASHES


def test_quantizing_no_gguf_is_named(tmp_path: Path) -> None:
    (tmp_path / "no.gguf").write_bytes(b"not a gguf")
    with pytest.raises(ConversionFailed, match=r"no\.gguf"):
        llamacpp.quantize(tmp_path / "no.gguf", tmp_path / "out.gguf", "Q8_0")
