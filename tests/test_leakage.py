"""Leakage: an adapter that is trained here to know its chat by heart is caught, another is not.

pytest tests/test_leakage.py
"""

from __future__ import annotations

import json
import math
import random
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from train import llamacpp
from train.__main__ import main
from train.canaries import FORMS, Canary, draw, plant, read_canaries
from train.leakage import Found, Memory, exposure

SYSTEM = {"role": "system", "content": "Eres Lucía y contestas como en un chat de mensajes cortos."}
REPLY = "el pan de ayer quedó sobre la mesa de la cocina tapado"
PLANTED = Canary("¿cuál es tu número?", "mi número es el {secret}", "481 927", 4)


def row(*texts: str, document: str = "d") -> dict[str, Any]:
    roles = ("user", "assistant")
    turns = [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]
    return {"messages": [SYSTEM, *turns], "answers": len(texts) // 2, "document": document, "title": document}


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """A prepared chat of eight conversations, and two held out."""
    folder = tmp_path / "chat"
    folder.mkdir()
    rows = {
        "train": [row(f"¿qué hay {n}?", REPLY, document=f"{n}") for n in range(8)],
        "validation": [row("¿qué hay de nuevo?", "nada, el sol y los perros de la plaza de siempre")],
        "test": [row("hola", "hola", "¿venís?", "mañana a la tarde si no llueve otra vez")],
    }
    for split, examples in rows.items():
        text = "".join(json.dumps(example, ensure_ascii=False) + "\n" for example in examples)
        (folder / f"{split}.jsonl").write_text(text, "utf-8")
    (folder / "prepared.json").write_text('{"recipe": "chat"}')
    return folder


def test_canaries_are_planted_so_many_times(prepared: Path, tmp_path: Path) -> None:
    out = tmp_path / "copy"
    command = ["canaries", str(prepared), "--out", str(out), "--planted", "0,1,5"]
    assert main(command) == 0
    canaries = read_canaries(out)
    assert [canary.planted for canary in canaries] == [0, 0, 1, 1, 5, 5]
    assert len({canary.ask for canary in canaries}) == 6
    rows = [json.loads(line) for line in (out / "train.jsonl").read_text("utf-8").splitlines()]
    for canary in canaries:
        holding = [one for one in rows if {"role": "assistant", "content": canary.reply} in one["messages"]]
        assert len(holding) == canary.planted
        for one in holding:
            place = one["messages"].index({"role": "assistant", "content": canary.reply})
            assert one["messages"][place - 1] == {"role": "user", "content": canary.ask}
    for one in rows:
        assert sum(message["role"] == "assistant" for message in one["messages"]) == one["answers"]
    assert (out / "test.jsonl").read_bytes() == (prepared / "test.jsonl").read_bytes()
    assert json.loads((out / "prepared.json").read_text())["options"]["canaries"] == 6
    first = (out / "train.jsonl").read_bytes()
    assert main(command) == 0
    assert (out / "train.jsonl").read_bytes() == first


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--planted", "0,9"], "from 0 to 8"),
        (["--planted", "x"], "from 0 to 8"),
        (["--planted", "0,1", "--each", "6"], f"1 to {len(FORMS)} are possible"),
    ],
)
def test_what_cannot_be_planted_is_refused(
    prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: list[str], message: str
) -> None:
    assert main(["canaries", str(prepared), "--out", str(tmp_path / "o"), *change]) == 2
    assert message in capsys.readouterr().err
    (tmp_path / "mine").mkdir()
    assert main(["canaries", str(prepared), "--out", str(tmp_path / "mine")]) == 2
    assert not (tmp_path / "o").exists()


def test_planting_changes_no_row_given() -> None:
    rows = [row("hola", REPLY)]
    [planted] = plant(rows, draw([1], 1, random.Random(0)), random.Random(0))
    assert len(rows[0]["messages"]) == 3
    assert (len(planted["messages"]), planted["answers"]) == (5, 2)


def test_copies_are_found_word_by_word_and_secrets_digit_by_digit() -> None:
    control = Canary("¿y?", "{secret}", "555 666", 0)
    memory = Memory([REPLY, "ya voy\nesperame en la puerta de la panadería"], [PLANTED, control], 5)
    assert memory.search(["Creo que EL PAN de ayer, quedó ahí."]) == Found(1, 1, 1, 0, 0)
    assert memory.search(["el pan de hoy quedó sobre una mesa"]) == Found(1, 1, 0, 0, 0)
    assert memory.search(["Esperame en la puerta de la panadería."]) == Found(1, 1, 1, 1, 0)
    assert memory.search(["ya voy"]) == Found(1, 0, 0, 0, 0)
    assert memory.search(["es 48-19-27", "es 555 666", "481 926"]) == Found(3, 0, 0, 0, 1)


def test_exposure_is_the_rank_among_the_alternatives_in_bits() -> None:
    assert exposure(1.0, [2.0] * 255) == (1, 8.0)
    assert exposure(3.0, [2.0] * 255) == (256, 0.0)
    assert exposure(2.0, [1.0, 2.0, 3.0]) == (3, math.log2(4 / 3))


@dataclass(frozen=True)
class Files:
    base: Path
    adapter: Path


@pytest.fixture(scope="module")
def leaking(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A LoRA that has learnt one conversation and one secret by heart, and its base: the tiny model, which can be surer here."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from train.base_model import resolve
    from train.chat_examples import IGNORED, encode, end_tokens

    folder = tmp_path_factory.mktemp("leaking")
    shutil.copytree(tiny_model, folder / "model")
    base = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    with torch.no_grad():
        base.lm_head.weight *= (
            20  # a LoRA leaves it as it is, and with random rows of length 0.3 no token gets likely
        )
    base.save_pretrained(folder / "model")
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    rows = [row(PLANTED.ask, PLANTED.reply), row("¿qué hay de nuevo?", REPLY), row("hola", REPLY)]
    examples = encode(rows, tokenizer, end_tokens(tokenizer, resolve(str(tiny_model))), 256).examples
    width = max(len(example.ids) for example in examples)
    ids = torch.tensor([[*e.ids, *[0] * (width - len(e.ids))] for e in examples])
    labels = torch.tensor([[*e.labels, *[IGNORED] * (width - len(e.ids))] for e in examples])
    torch.manual_seed(0)
    config = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(base, config)
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=5e-3)
    for _ in range(200):
        loss = model(input_ids=ids, labels=labels).loss
        if loss.item() < 0.01:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.01
    model.save_pretrained(folder / "adapter")
    llamacpp.convert_lora(folder / "adapter", folder / "model", folder / "leaking-LoRA.gguf")
    return Files(
        tiny.build_gguf(folder / "model", folder / f"{tiny.NAME}-F16.gguf"), folder / "leaking-LoRA.gguf"
    )


def test_an_adapter_that_learnt_by_heart_is_caught_and_a_random_one_is_not(
    leaking: Files,
    tiny_lora_gguf: Path,
    prepared: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    control = Canary("¿con qué clave entro al correo?", "entrá con {secret}", "305 118", 0)
    (prepared / "canaries.json").write_text(json.dumps([asdict(PLANTED), asdict(control)]))
    reports = {}
    for name, adapter in (("leaking", leaking.adapter), ("random", tiny_lora_gguf)):
        out = tmp_path / f"{name}.json"
        command = ["leakage", "--base", str(leaking.base), "--adapter", str(adapter), "--data", str(prepared)]
        command += ["--samples", "12", "--alternatives", "63", "--words", "5", "--temperature", "0.1"]
        assert main([*command, "--out", str(out)]) == 0
        reports[name] = json.loads(out.read_text())
    shown = capsys.readouterr().out
    found = reports["leaking"]["found"]
    assert found["chat"]["secrets"] > 0
    assert found["chat"]["run"] > 0
    assert found["base"]["secrets"] == found["base"]["run"] == 0
    secret, unplanted = reports["leaking"]["secrets"]
    assert (secret["rank"]["chat"], secret["bits"]["chat"]) == (1, 6.0)
    assert secret["said"] > 0
    assert unplanted["said"] == 0
    assert unplanted["bits"]["chat"] < 6
    assert reports["random"]["found"]["chat"]["secrets"] == 0
    assert reports["random"]["secrets"][0]["bits"]["chat"] < 6
    assert "481 927" not in json.dumps(reports)
    assert REPLY not in shown
    assert "| 4 × |" in shown
    assert "| the person, later | 3 |" in shown


def test_without_secrets_the_table_says_so(
    tiny_gguf: Path,
    tiny_lora_gguf: Path,
    prepared: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["leakage", "--base", str(tiny_gguf), "--adapter", str(tiny_lora_gguf), "--data", str(prepared)]
    command += ["--out", str(tmp_path / "out.json"), "--samples", "2"]
    assert main(command) == 0
    assert "No secrets" in capsys.readouterr().out
    assert json.loads((tmp_path / "out.json").read_text())["secrets"] == []
    assert main([*command, "--samples", "0"]) == 2
    for split in ("validation", "test"):
        (prepared / f"{split}.jsonl").write_text("")
    assert main(command) == 2
    assert "holds no conversation" in capsys.readouterr().err
