"""Pre-training: the optimizer, the data it reads, and a small real run that is stopped and resumed."""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.tiny import TALKS
from train import precision, pretrain, pretrain_data
from train.errors import NoCorpus
from train.muon import Muon, orthogonalize


@pytest.mark.parametrize("shape", [(32, 96), (96, 32)])
def test_orthogonalize_brings_singular_values_near_one(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalize(torch.randn(shape)))
    assert 0.6 < float(values.min()) <= float(values.max()) < 1.3


def test_muon_solves_a_least_squares_problem() -> None:
    torch.manual_seed(0)
    target, weight = torch.randn(16, 8), torch.nn.Parameter(torch.zeros(16, 8))
    optimizer = Muon([weight], lr=0.05)
    for _ in range(200):
        loss = ((weight - target) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.02


def test_sources_parse_a_limit_in_millions() -> None:
    assert pretrain_data.Source.parse("a/b=1.5") == pretrain_data.Source(Path("a/b"), 1_500_000)
    assert pretrain_data.Source.parse("a/b").limit is None


def test_repeated_paragraphs_and_labels_are_left_out_and_documents_held_out(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    formula = "Esta fórmula se repite en todas las conferencias y por eso se lee una sola vez en el corpus."
    for number in range(60):
        (folder / f"{number}.txt").write_text(f"PRESIDENTE\n\nUn texto propio, el {number}.\n\n{formula}\n")
    texts, heldout, counts = pretrain_data._read([pretrain_data.Source(folder)])
    held_out = heldout["texts"]
    together = "\n".join([*texts, *held_out.values()])
    assert together.count(formula) == 1
    assert "PRESIDENTE" not in together
    assert len(held_out) == 2
    assert len(texts) == 58
    assert "repeated paragraphs 59" in counts["sources"]["texts"]["dropped"]


def test_a_folder_without_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoCorpus, match="empty"):
        pretrain_data._read([pretrain_data.Source(tmp_path / "empty")])


def test_an_output_of_prepare_is_a_source_whose_test_documents_are_held_out(tmp_path: Path) -> None:
    rows = [
        {"id": f"{n}.txt", "text": f"Texto número {n}.", "split": ["train", "validation", "test"][n % 3]}
        for n in range(9)
    ]
    (tmp_path / "documents.jsonl").write_text("\n".join(map(json.dumps, rows)))
    texts, heldout, _ = pretrain_data._read([pretrain_data.Source(tmp_path)])
    assert sorted(texts) == [row["text"] for row in rows if row["split"] == "train"]
    assert heldout[tmp_path.name] == {r["id"]: r["text"] for r in rows if r["split"] != "train"}


def test_sources_without_a_document_to_hold_out_are_refused(tmp_path: Path) -> None:
    row = {"id": "a.txt", "text": "Un texto.", "split": "train"}
    (tmp_path / "documents.jsonl").write_text(json.dumps(row))
    with pytest.raises(NoCorpus, match="hold out"):
        pretrain_data._read([pretrain_data.Source(tmp_path)])


def test_what_is_evaluated_comes_from_the_middle_of_documents() -> None:
    text = "a" * 50_000 + "b" * 60_000 + "c" * 50_000
    data = pretrain_data.Prepared(np.zeros(1), {"x": {"long": text}, "y": {"short": "hola"}}, {})
    assert data.evaluated() == {"x": ["b" * 60_000], "y": ["hola"]}


def arguments(out: Path, *extra: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    pretrain.add_arguments(parser)
    sizes = "--vocabulary 2048 --layers 2 --sequence 64 --batch 16"
    return parser.parse_args([str(TALKS), "--out", str(out), *sizes.split(), *extra])


def test_a_run_learns_stops_resumes_and_saves_a_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chat = [{"role": "user", "content": "Hola"}, {"role": "assistant", "content": "Buenos días a todos."}]
    lines = [json.dumps({"messages": chat, "document": name.name}) for name in sorted(TALKS.glob("*.md"))]
    (tmp_path / "chat.jsonl").write_text("\n".join(lines))
    examples = ["--examples", str(tmp_path / "chat.jsonl"), "--examples-from", "0.5"]
    pretrain.run(arguments(tmp_path, "--tokens", "0.1", *examples))
    [held_out] = json.loads((tmp_path / "data" / "heldout.json").read_text()).values()
    assert (
        f"{len(lines) - len(held_out)} conversations of {tmp_path.name}/chat.jsonl" in capsys.readouterr().out
    )
    first = json.loads((tmp_path / "pretrain.json").read_text())
    pretrain.run(arguments(tmp_path, "--tokens", "0.2", "--resume", "--induction", "0.55", *examples))
    second = json.loads((tmp_path / "pretrain.json").read_text())
    assert second["tokens_trained"] > first["tokens_trained"]
    assert second["curve"][: len(first["curve"])] == first["curve"]
    assert "copying_nats" not in first["curve"][-1]
    assert 0 < second["curve"][-1]["copying_nats"] < 10  # by chance: ln(2048), 7.6
    curve = list(csv.DictReader((tmp_path / "curve.csv").open(encoding="utf-8")))
    assert [row["copying_nats"] != "" for row in curve] == ["copying_nats" in row for row in second["curve"]]
    figures = second["held_out"][TALKS.name]
    assert figures["model"] == second["bits_per_character"]
    assert 1 < figures["5-gram"] < figures["model"]  # 0.2 M tokens are few
    card = (tmp_path / "model" / "README.md").read_text("utf-8")
    row = f"| {TALKS.name} | {figures['model']:.2f} | {figures['5-gram']:.2f} | {figures['xz -9']:.2f} |"
    assert row in card
    assert str(tmp_path) not in card
    assert second["bits_per_character"] < 3.4  # random weights: log2(2048) bits a token, 3.5 a character
    assert str(tmp_path) not in json.dumps(second["sources"])
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model", dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    texts = [t for part in pretrain_data.prepare([], 0, tmp_path / "data").evaluated().values() for t in part]
    saved = pretrain.bits_per_character(model, tokenizer, texts, 64)
    assert saved == pytest.approx(second["bits_per_character"], rel=0.01)


def test_the_loss_is_that_of_transformers_in_bfloat16_nearly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = arguments(tmp_path)
    trainer = pretrain.Trainer(args, pretrain_data.prepare(args.sources, args.vocabulary, tmp_path / "data"))
    rows, found = trainer.batch(), []
    for halved in (False, True):
        monkeypatch.setattr(precision, "half_products", lambda _, halved=halved: halved)
        found.append(float(trainer.loss(rows).detach()))
    assert found[0] == pytest.approx(
        float(trainer.model(input_ids=rows, labels=rows).loss.detach()), abs=1e-4
    )
    assert found[0] != found[1]
    assert found == pytest.approx([found[0]] * 2, abs=0.01)


@pytest.mark.parametrize(("share", "rows"), [("0.25", 4), ("0.5", 8), ("1", 16)])
def test_a_step_has_the_asked_share_of_conversations(tmp_path: Path, share: str, rows: int) -> None:
    chat = [{"role": "user", "content": "Hola"}, {"role": "assistant", "content": "Buenos días a todos."}]
    (tmp_path / "chat.jsonl").write_text(json.dumps({"messages": chat}))
    options = ["--examples", str(tmp_path / "chat.jsonl"), "--examples-from", "0", "--examples-share", share]
    args = arguments(tmp_path, *options)
    trainer = pretrain.Trainer(args, pretrain_data.prepare(args.sources, args.vocabulary, tmp_path / "data"))
    user = trainer.tokenizer.convert_tokens_to_ids("<|user|>")
    assert [bool((row == user).any()) for row in trainer.batch()] == [True] * rows + [False] * (16 - rows)
