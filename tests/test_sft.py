"""Fine-tuning: the loss mask token by token, every base architecture, resume, 4 bits, and what is refused."""

from __future__ import annotations

import csv
import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from space.prompts import SPEECH
from tests.tiny import VOCABULARY, talk_paragraphs
from train.__main__ import main
from train.chat_examples import IGNORED, Example, encode, end_tokens
from train.errors import NoChatTemplate, ResumeMismatch, RunExists, TooManyDropped
from train.sft import fine_tune
from train.sft_options import Options

ANSWER = "El río sabe más de nosotros que nosotros del río. ¡Escúchenlo!"


pytestmark = pytest.mark.usefixtures("one_thread")


def write_prepared(folder: Path, train: list[str], validation: list[str]) -> Path:
    """A prepared corpus whose answers are given, in the form that `prepare` writes."""
    folder.mkdir(parents=True)
    for name, answers in (("train", train), ("validation", validation), ("test", [])):
        rows = [
            {
                "messages": SPEECH.example(text, field="hidrología", topics="el agua"),
                "document": f"{name}-{n}",
                "title": f"{name} {n}",
            }
            for n, text in enumerate(answers)
        ]
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    manifest = {"format": 1, "recipe": "speech", "recipe_version": 1, "corpus_sha256": "0" * 64}
    (folder / "prepared.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = [" ".join(line.split()[:12]) for line in talk_paragraphs() if len(line.split()) > 12]
    return write_prepared(tmp_path_factory.mktemp("data") / "prepared", texts[:8], texts[8:10])


def options(data: Path, base: Path, out: Path, **changes: Any) -> Options:
    defaults: dict[str, Any] = {
        "accumulation": 2,
        "max_steps": 2,
        "learning_rate": 1e-3,
        "rank": 4,
        "alpha": 8,
    }
    return Options(data=data, base=str(base), out=out, **{**defaults, **changes})


def adapter_weights(run: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(run / "adapter" / "adapter_model.safetensors")


def encoded(tokenizer: Any, base_folder: Path, messages: list[dict[str, str]]) -> tuple[list[int], list[int]]:
    from train.base_model import resolve

    base = resolve(str(base_folder), weights=False)
    (example,) = encode([{"messages": messages}], tokenizer, end_tokens(tokenizer, base), 4096).examples
    return example.ids, example.labels


def test_a_batch_has_examples_of_like_length() -> None:
    from train.trainer import in_like_lengths

    lengths = random.Random(1).choices(range(1, 500), k=403)
    examples = [Example([0] * length, [0] * length, str(n)) for n, length in enumerate(lengths)]
    ordered = in_like_lengths(examples, 4, 0)
    assert sorted(e.title for e in ordered) == sorted(e.title for e in examples)
    batches = [[len(e.ids) for e in ordered[n : n + 4]] for n in range(0, 403, 4)]
    assert sum(max(batch) * len(batch) for batch in batches) < 1.1 * sum(lengths)
    means = [sum(batch) / len(batch) for batch in batches]
    assert means != sorted(means)
    assert ordered == in_like_lengths(examples, 4, 0) != in_like_lengths(examples, 4, 1)


def test_mask_of_phi3_token_by_token(tiny_model: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    messages = [
        {"role": "system", "content": "Sé breve."},
        *SPEECH.example(ANSWER, field="hidrología", topics="el agua"),
    ]
    ids, labels = encoded(tokenizer, tiny_model, messages)
    assert ids == tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False)
    border = max(
        n for n, token in enumerate(ids) if token == tokenizer.convert_tokens_to_ids("<|assistant|>")
    )
    for position, (token, label) in enumerate(zip(ids, labels, strict=True)):
        assert label == (IGNORED if position <= border else token), position
    trained = [label for label in labels if label != IGNORED]
    end, over = tokenizer.convert_tokens_to_ids(["<|end|>", "<|endoftext|>"])
    assert trained[-2:] == [end, over]
    assert tokenizer.decode(trained[:-2]).strip() == ANSWER


CHAT_ROW = [
    {"role": "system", "content": "Eres Lucía."},
    {"role": "user", "content": "Ejemplo."},
    {"role": "assistant", "content": "del prompt\nno se aprende"},
    {"role": "user", "content": "¿Dónde estás?"},
    {"role": "assistant", "content": "en el local\npintando"},
    {"role": "user", "content": "(Escribe tú primero.)"},
    {"role": "assistant", "content": "vení"},
    {"role": "user", "content": "Voy\nllevo pan"},
    {"role": "assistant", "content": ANSWER},
]


def chat_encoded(tokenizer: Any, folder: Path, answers: int) -> list[Example]:
    from train.base_model import resolve

    ends = end_tokens(tokenizer, resolve(str(folder), weights=False))
    return encode([{"messages": CHAT_ROW, "answers": answers}], tokenizer, ends, 4096).examples


def test_every_answer_asked_for_is_learnt_once_token_by_token(tiny_model: Path) -> None:
    """The ids are transformers' own; trained is what it renders from each `<|assistant|>` to the answer's end."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    (example,) = chat_encoded(tokenizer, tiny_model, 3)
    assert example.ids == tokenizer.apply_chat_template(CHAT_ROW, tokenize=True, return_dict=False)
    begin, end, over = tokenizer.convert_tokens_to_ids(["<|assistant|>", "<|end|>", "<|endoftext|>"])
    answer, learning = -1, False
    for position, (token, label) in enumerate(zip(example.ids, example.labels, strict=True)):
        trained = (learning and answer >= 1) or token == over
        assert label == (token if trained else IGNORED), position
        answer, learning = answer + (token == begin), (learning or token == begin) and token != end
    texts = tokenizer.decode([label for label in example.labels if label != IGNORED]).split("<|end|>")
    assert [text.strip() for text in texts] == ["en el local\npintando", "vení", ANSWER, "<|endoftext|>"]


def test_one_answer_of_a_conversation_is_what_it_was(tiny_model: Path) -> None:
    """Each answer of the one sequence has the labels of a conversation that ends there, but the end of the text."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    (example,) = chat_encoded(tokenizer, tiny_model, 4)
    for last in (2, 4, 6, 8):
        ids, labels = encoded(tokenizer, tiny_model, CHAT_ROW[: last + 1])
        start = sum(label == IGNORED for label in labels)
        assert labels == [IGNORED] * start + ids[start:]
        assert example.ids[: len(ids) - 1] == ids[:-1]
        assert example.labels[start : len(ids) - 1] == labels[start:-1]


@pytest.mark.parametrize(
    ("template", "sequences"),
    [
        (
            "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}",
            3,
        ),
        (
            "{% for m in messages %}{% if loop.last or m.role != 'assistant' %}[{{ m.role }}] {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}",
            3,
        ),
        (
            "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}",
            1,
        ),
    ],
    ids=["no end between turns", "earlier answers left out", "an end after each turn"],
)
def test_answers_of_other_templates_each_end(tiny_model: Path, template: str, sequences: int) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.chat_template = template
    examples = chat_encoded(tokenizer, tiny_model, 3)
    assert len(examples) == sequences
    trained = [[label for label in example.labels if label != IGNORED] for example in examples]
    assert sum(labels.count(tokenizer.eos_token_id) for labels in trained) == 3
    text = "".join(map(tokenizer.decode, trained))
    assert all(text.count(answer) == 1 for answer in ("pintando", "vení", "¡Escúchenlo!"))
    assert "aprende" not in text
    assert "llevo" not in text
    places = (4, 6, 8)[-sequences:]
    for example, place in zip(examples, places, strict=True):
        prompt = tokenizer.apply_chat_template(CHAT_ROW[:place], tokenize=False, add_generation_prompt=True)
        served = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        assert example.ids[: len(served)] == served


def test_mask_is_what_trl_makes_of_prompt_and_completion(tiny_model: Path, tmp_path: Path) -> None:
    """trl's own preparation of the same conversation, through its public trainer, gives the same labels."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    messages = SPEECH.example(ANSWER, field="hidrología", topics="el agua")
    ids, labels = encoded(tokenizer, tiny_model, messages)
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(tiny_model),
        args=SFTConfig(output_dir=str(tmp_path), report_to="none", bf16=False, use_cpu=True, max_length=None),
        train_dataset=Dataset.from_list([{"prompt": messages[:-1], "completion": messages[-1:]}]),
        processing_class=tokenizer,
    )
    assert trainer.train_dataset[0]["input_ids"] == ids
    assert trainer.train_dataset[0]["labels"] == labels


@pytest.mark.parametrize(
    ("template", "ending"),
    [
        (
            "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}",
            1,
        ),
        (
            "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}",
            1,
        ),
    ],
)
def test_mask_of_other_templates_ends_with_one_end_token(
    tiny_model: Path, template: str, ending: int
) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.chat_template = template
    messages = SPEECH.example(ANSWER, field="hidrología", topics="el agua")
    ids, labels = encoded(tokenizer, tiny_model, messages)
    prompt = tokenizer.apply_chat_template(messages[:-1], tokenize=False, add_generation_prompt=True)
    served = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    assert ids[: len(served)] == served
    assert labels[: len(served)] == [IGNORED] * len(served)
    assert labels[len(served) :] == ids[len(served) :]
    assert ids[len(served) :].count(tokenizer.eos_token_id) == ending
    assert ids[-1] == tokenizer.eos_token_id
    assert ANSWER in tokenizer.decode(ids[len(served) :])


def small_base(kind: str, tokenizer_folder: Path, out: Path) -> Path:
    """A random model of one architecture with the tiny tokenizer; gpt2 and bloom come without a chat template."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from train.tokenizer import copy_tokenizer

    common = {
        "vocab_size": VOCABULARY,
        "bos_token_id": 1,
        "eos_token_id": VOCABULARY - 11,
        "pad_token_id": VOCABULARY - 11,
    }
    llama = {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
    }
    shapes: dict[str, dict[str, Any]] = {
        "llama": llama,
        "smollm3": llama,
        "gpt2": {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 256},
        "bloom": {"hidden_size": 64, "n_layer": 2, "n_head": 4},
    }
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **common, **shapes[kind])).save_pretrained(
        out
    )
    copy_tokenizer(tokenizer_folder, out)
    if kind in ("gpt2", "bloom"):
        path = out / "tokenizer_config.json"
        config = json.loads(path.read_text(encoding="utf-8"))
        del config["chat_template"]
        path.write_text(json.dumps(config), encoding="utf-8")
    return out


@pytest.mark.parametrize("kind", ["llama", "smollm3", "gpt2", "bloom"])
def test_other_bases_train(kind: str, tiny_model: Path, prepared: Path, tmp_path: Path) -> None:
    base = small_base(kind, tiny_model, tmp_path / kind)
    chosen = {"chat_template": "phi3"} if kind in ("gpt2", "bloom") else {}
    if chosen:
        with pytest.raises(NoChatTemplate, match="--chat-template"):
            fine_tune(options(prepared, base, tmp_path / "none"))
    result = fine_tune(options(prepared, base, tmp_path / "run", **chosen))
    assert result["steps"] == 2
    weights = adapter_weights(tmp_path / "run")
    changed = [name for name, weight in weights.items() if "lora_B" in name and weight.abs().max() > 0]
    expected = {"llama": 7, "smollm3": 7, "gpt2": 4, "bloom": 4}[kind] * 2
    assert len(changed) == expected, "the LoRA is on every linear layer, and every one has learned"


def test_run_of_phi3(tiny_model: Path, prepared: Path, tmp_path: Path) -> None:
    """A whole run through the command line: files, lineage, no path of this machine, and a resumed continuation."""
    out = tmp_path / "run"
    command = ["sft", "--data", str(prepared), "--base", str(tiny_model), "--out", str(out), "--rank", "4"]
    command += ["--accumulation", "2", "--learning-rate", "1e-3"]
    assert main([*command, "--max-steps", "2"]) == 0
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert record["steps"] == 2
    assert record["validation_loss"]["after"] < record["validation_loss"]["before"]
    assert record["data"]["recipe"] == "speech"
    assert record["libraries"]["torch"].startswith("2.13")
    modules = {name.split(".")[-3] for name in adapter_weights(out)}
    assert modules == {"qkv_proj", "o_proj", "gate_up_proj", "down_proj"}
    assert (out / "loss.png").read_bytes().startswith(b"\x89PNG")
    check_adapter_files(out / "adapter", tiny_model)

    assert main([*command, "--max-steps", "2"]) == 2, "a run is not overwritten"
    assert main([*command, "--max-steps", "4", "--resume"]) == 0
    resumed = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert resumed["steps"] == 4
    assert resumed["validation_loss"]["before"] == record["validation_loss"]["before"]
    with (out / "loss.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["step"] for row in rows if row["train"]] == ["1", "2", "3", "4"]
    assert [row["step"] for row in rows if row["validation"]] == ["2", "4"]


def check_adapter_files(adapter: Path, base: Path) -> None:
    config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == base.name
    assert not (adapter / "README.md").exists()
    for path in adapter.iterdir():
        assert str(base).encode() not in path.read_bytes(), f"{path.name} names a folder of this machine"
    assert (adapter / "tokenizer.model").read_bytes() == (base / "tokenizer.model").read_bytes()
    assert (
        json.loads((adapter / "tokenizer_config.json").read_text(encoding="utf-8"))["add_bos_token"] is False
    )


@pytest.mark.parametrize("optimizer", ["adamw_torch", "muon"])
def test_resumed_run_equals_an_uninterrupted_one(
    optimizer: str, tiny_model: Path, prepared: Path, tmp_path: Path
) -> None:
    same = {"max_steps": 0, "epochs": 2, "eval_steps": 1, "dropout": 0.0, "optimizer": optimizer}
    whole = fine_tune(options(prepared, tiny_model, tmp_path / "whole", **same))
    assert whole["steps"] == 4
    halted = tmp_path / "halted"
    shutil.copytree(tmp_path / "whole", halted)
    for checkpoint in (halted / "checkpoints").iterdir():
        if checkpoint.name != "checkpoint-3":
            shutil.rmtree(checkpoint)
    changed = {**same, "resume": True}
    fine_tune(options(prepared, tiny_model, halted, **changed))
    first, second = adapter_weights(tmp_path / "whole"), adapter_weights(halted)
    assert all((first[name] - second[name]).abs().max() < 1e-6 for name in first)
    with pytest.raises(ResumeMismatch, match="rank"):
        fine_tune(options(prepared, tiny_model, halted, **{**changed, "rank": 8}))


def test_the_best_weights_are_kept_or_with_patience_0_the_last(
    tiny_model: Path, prepared: Path, tmp_path: Path
) -> None:
    worse = {"max_steps": 5, "eval_steps": 1, "learning_rate": 30.0}  # far too high: the loss rises
    best = fine_tune(options(prepared, tiny_model, tmp_path / "best", patience=1, **worse))
    assert best["stopped_early"]
    assert best["best_checkpoint"] == "checkpoint-1"
    last = fine_tune(options(prepared, tiny_model, tmp_path / "last", patience=0, **worse))
    assert (last["steps"], last["stopped_early"], last["best_checkpoint"]) == (5, False, None)
    assert last["validation_loss"]["after"] > best["validation_loss"]["after"]


def test_one_example_is_learned_by_muon(tiny_model: Path, tmp_path: Path) -> None:
    data = write_prepared(tmp_path / "data", [ANSWER] * 2, [ANSWER])
    learned = fine_tune(
        options(
            data,
            tiny_model,
            tmp_path / "a",
            max_steps=12,
            accumulation=1,
            learning_rate=2e-2,
            rank=16,
            optimizer="muon",
        )
    )
    assert learned["optimizer"] == "muon"
    assert learned["validation_loss"]["after"] < learned["validation_loss"]["before"] - 2
    (state,) = tmp_path.glob("a/checkpoints/checkpoint-12/optimizer.pt")
    kept = torch.load(state, weights_only=True)["state"].values()
    assert {name for one in kept for name in one} == {"momentum"}


def test_one_example_is_learned_and_4_bits_train(tiny_model: Path, tmp_path: Path) -> None:
    data = write_prepared(tmp_path / "data", [ANSWER] * 2, [ANSWER])
    learned = fine_tune(
        options(data, tiny_model, tmp_path / "a", max_steps=12, accumulation=1, learning_rate=1e-2, rank=16)
    )
    assert learned["validation_loss"]["after"] < learned["validation_loss"]["before"] - 2
    four_bits = fine_tune(
        options(
            data,
            tiny_model,
            tmp_path / "b",
            accumulation=1,
            learning_rate=1e-2,
            qlora=True,
            dtype="bfloat16",
            optimizer="adamw_bnb_8bit",
        )
    )
    assert four_bits["dtype"] == "bfloat16"
    assert four_bits["validation_loss"]["after"] < four_bits["validation_loss"]["before"]
    assert {str(weight.dtype) for weight in adapter_weights(tmp_path / "b").values()} == {"torch.float32"}


def test_too_long_examples_are_counted_never_cut(tiny_model: Path, tmp_path: Path, capsys: Any) -> None:
    data = write_prepared(tmp_path / "data", [ANSWER, ANSWER, ANSWER * 20], [ANSWER])
    plan = fine_tune(options(data, tiny_model, tmp_path / "run", max_length=300, dry_run=True))["plan"]
    assert (plan["examples"], plan["dropped"], plan["steps"]) == (2, 1, 2)
    assert plan["longest"] <= 300
    assert "dropped: 'train 2' has" in capsys.readouterr().out
    assert not (tmp_path / "run").exists()
    with pytest.raises(TooManyDropped, match="--max-length"):
        fine_tune(options(data, tiny_model, tmp_path / "run", max_length=20, dry_run=True))


def test_plan_counts_what_training_has(tiny_model: Path, prepared: Path, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    plan = fine_tune(options(prepared, tiny_model, tmp_path / "run", epochs=3, max_steps=0, dry_run=True))[
        "plan"
    ]
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    adapted = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear"))
    assert plan["adapter_parameters"] == adapted.get_nb_trainable_parameters()[0]
    assert plan["steps"] == 6
    assert 0 < plan["trained_tokens"] < plan["tokens"]
    assert plan["seconds"] > 0
    assert plan["memory_bytes"] > 4 * model.num_parameters()


def test_completion_loss_counts_every_token_once(tiny_model: Path) -> None:
    """Against the model's own loss on each example alone, weighted by its trained tokens."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from train.base_model import resolve
    from train.measure import completion_loss

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    rows = [{"messages": SPEECH.example(text, field="a", topics="b")} for text in ("Sí.", ANSWER, ANSWER * 3)]
    examples = encode(rows, tokenizer, end_tokens(tokenizer, resolve(str(tiny_model))), 1024).examples
    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    total = sum(
        model(input_ids=torch.tensor([e.ids]), labels=torch.tensor([e.labels])).loss.item() * e.trained
        for e in examples
    )
    assert completion_loss(model, examples) == pytest.approx(
        total / sum(e.trained for e in examples), abs=1e-4
    )


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("prepared.json", "python -m train prepare"),
        ("line", "train.jsonl, line 2"),
        ("answers", "train.jsonl, line 2"),
        ("base", "neither a folder nor a Hub id"),
    ],
)
def test_bad_input_is_named(broken: str, message: str, tiny_model: Path, tmp_path: Path, capsys: Any) -> None:
    data = write_prepared(tmp_path / "data", [ANSWER], [ANSWER])
    if broken == "prepared.json":
        (data / "prepared.json").unlink()
    if broken == "line":
        with (data / "train.jsonl").open("a", encoding="utf-8") as stream:
            stream.write('{"messages": [{"role": "user", "content": "hola"}]}\n')
    if broken == "answers":
        row = {"messages": SPEECH.example(ANSWER, field="a", topics="b"), "answers": 2}
        with (data / "train.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")
    base = "no such/model at all" if broken == "base" else str(tiny_model)
    assert main(["sft", "--data", str(data), "--base", base, "--out", str(tmp_path / "run")]) == 2
    assert message in capsys.readouterr().err


def test_run_folder_in_use_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    data = write_prepared(tmp_path / "data", [ANSWER], [ANSWER])
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("x", encoding="utf-8")
    with pytest.raises(RunExists, match="--resume"):
        fine_tune(options(data, tiny_model, tmp_path / "run"))
