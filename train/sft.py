"""Fine-tune a base model with a LoRA on prepared examples: the answers' tokens only, in the model's own chat format.

    python -m train sft --data prepared/ --base microsoft/Phi-3-mini-4k-instruct --out runs/talks --dry-run
    python -m train sft --data prepared/ --base microsoft/Phi-3-mini-4k-instruct --out runs/talks --qlora
    python -m train sft --data prepared/ --base microsoft/Phi-3-mini-4k-instruct --out runs/talks --qlora --resume

Writes into --out: adapter/ (PEFT and tokenizer), checkpoints/, loss.csv, loss.png, held_out.jsonl, and at last run.json.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from space.files import file_sha256
from train import sft_options
from train.adapters import ADAPTER_WEIGHTS
from train.base_model import Base, load_model, load_tokenizer, resolve
from train.chat_examples import (
    Encoded,
    Prepared,
    check_dropped,
    encode,
    end_tokens,
    read_prepared,
    set_chat_template,
)
from train.errors import NothingToResume, ResumeMismatch, RunExists
from train.lineage import code_revision
from train.parity_examples import HELD_OUT, sample, write_held_out
from train.sft_options import Options
from train.tokenizer import copy_tokenizer

LONGEST_DEFAULT = 4096
LIBRARIES = ("torch", "transformers", "trl", "peft", "datasets", "bitsandbytes", "accelerate")
MAY_CHANGE = {"epochs", "max_steps", "patience"}
"""What may differ when a run is resumed."""


@dataclass(frozen=True)
class Inputs:
    """What a run works on: the base model, its tokenizer with the chat template, and both splits."""

    base: Base
    tokenizer: Any
    prepared: Prepared
    train: Encoded
    validation: Encoded
    max_length: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of train/sft_options.py."""
    sft_options.add_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """The command: see `fine_tune`."""
    fine_tune(sft_options.from_arguments(args))


def fine_tune(options: Options) -> dict[str, Any]:
    """Plan, and unless it is a dry run train, save the adapter and write run.json; returns what run.json holds.

    Raises the errors of reading data and base model, TooManyDropped, RunExists, NothingToResume, ResumeMismatch.
    """
    from train.plan import as_json, make_plan

    inputs = prepare_inputs(options)
    plan = make_plan(inputs.base, inputs.train, inputs.validation, options)
    print(plan, flush=True)
    _print_dropped(inputs)
    if options.dry_run:
        return {"plan": as_json(plan)}
    begun = _begin(inputs, options)
    start = time.monotonic()
    result = _train(inputs, options, begun)
    result = {
        "format": 1,
        **begun,
        "data": _data_lineage(inputs),
        "plan": as_json(plan),
        **result,
        "adapter_sha256": file_sha256(options.out / "adapter" / ADAPTER_WEIGHTS),
        "code_revision": code_revision(),
        "seconds": round(time.monotonic() - start, 1),
        "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES},
    }
    _write_json(result, options.out / "run.json")
    print(f"Adapter in {options.out / 'adapter'}")
    return result


def prepare_inputs(options: Options) -> Inputs:
    """Read data, base configuration and tokenizer, and tokenize. Raises the errors of chat_examples and base_model."""
    from transformers import AutoConfig

    prepared = read_prepared(options.data)
    base = resolve(options.base, options.revision, weights=not options.dry_run)
    tokenizer = load_tokenizer(base)
    set_chat_template(tokenizer, options.chat_template)
    config = AutoConfig.from_pretrained(base.folder).get_text_config()
    context = getattr(config, "max_position_embeddings", None) or LONGEST_DEFAULT  # bloom has no limit
    max_length = min(context, options.max_length or LONGEST_DEFAULT)
    ends = end_tokens(tokenizer, base)
    train = encode(prepared.train, tokenizer, ends, max_length)
    check_dropped(train, max_length, context)
    validation = encode(prepared.validation, tokenizer, ends, max_length)
    return Inputs(base, tokenizer, prepared, train, validation, max_length)


def _print_dropped(inputs: Inputs) -> None:
    for row in [*inputs.train.dropped, *inputs.validation.dropped]:
        print(f"dropped: {row['title']!r} has {row['tokens']} tokens, more than {inputs.max_length}")
    if not inputs.validation.examples:
        print("no validation examples: no early stopping, the last weights are kept")


def _begin(inputs: Inputs, options: Options) -> dict[str, Any]:
    """Open the folder of the run, or check that the one to resume is the same; returns what run.json begins with."""
    begun = {
        "base": inputs.base.to_json(),
        "data_sha256": inputs.prepared.sha256,
        "options": options.to_json(),
        "chat_template": inputs.tokenizer.chat_template,
    }
    path = options.out / "started.json"
    if not options.resume:
        if options.out.exists() and any(options.out.iterdir()):
            raise RunExists(path=options.out)
        options.out.mkdir(parents=True, exist_ok=True)
        _write_json(begun, path)
    elif not path.is_file() or not whole_checkpoints(options.out):
        raise NothingToResume(path=options.out)
    else:
        _check_same(json.loads(path.read_text(encoding="utf-8")), begun, options.out)
    return begun


def whole_checkpoints(out: Path) -> list[Path]:
    """The checkpoints of a run that can be resumed, without those whose writing was interrupted, which are removed.

    The trainer writes trainer_state.json last.
    """
    found = sorted((out / "checkpoints").glob("checkpoint-*"))
    whole = [folder for folder in found if (folder / "trainer_state.json").is_file()]
    for folder in set(found) - set(whole):
        shutil.rmtree(folder)
    return whole


def _check_same(before: dict[str, Any], now: dict[str, Any], path: Path) -> None:
    pairs = {**{k: (before[k], now[k]) for k in now if k != "options"}}
    pairs.update({k: (before["options"].get(k), v) for k, v in now["options"].items() if k not in MAY_CHANGE})
    names = [name for name, (old, new) in pairs.items() if old != new]
    if names:
        raise ResumeMismatch(path=path, names=", ".join(names))


def _train(inputs: Inputs, options: Options, begun: dict[str, Any]) -> dict[str, Any]:
    import torch
    from transformers import set_seed
    from transformers.trainer_utils import get_last_checkpoint

    from train.measure import completion_loss
    from train.trainer import make_trainer

    set_seed(options.seed)
    model = load_model(inputs.base, getattr(torch, options.dtype_name()), options.qlora)
    trainer = make_trainer(model, inputs.tokenizer, inputs.train, inputs.validation, options)
    before = begun_loss(options.out)
    if before is None and inputs.validation.examples:
        before = completion_loss(trainer.model, inputs.validation.examples)
        _write_json({**begun, "validation_loss": before}, options.out / "started.json")
    checkpoint = get_last_checkpoint(str(options.out / "checkpoints")) if options.resume else None
    trainer.train(resume_from_checkpoint=checkpoint)
    after = completion_loss(trainer.model, inputs.validation.examples) if inputs.validation.examples else None
    save_adapter(trainer.model, inputs.base, inputs.tokenizer, options.out / "adapter")
    keep_held_out(trainer.model, inputs, options.out)
    state = trainer.state
    best = (
        Path(state.best_model_checkpoint).name if state.best_model_checkpoint and options.patience else None
    )
    if before is not None and after is not None:
        print(f"validation loss {before:.4f} before, {after:.4f} after ({best or 'last step'})")
    return {
        "validation_loss": {"before": before, "after": after},
        "steps": state.global_step,
        "epochs": state.epoch,
        "best_checkpoint": best,
        "stopped_early": state.global_step < state.max_steps,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "dtype": options.dtype_name(),
        "optimizer": options.optimizer_name(),
    }


def begun_loss(out: Path) -> float | None:
    """The validation loss before the first step, kept for a resumed run."""
    loss: float | None = json.loads((out / "started.json").read_text(encoding="utf-8")).get("validation_loss")
    return loss


def keep_held_out(model: Any, inputs: Inputs, out: Path) -> None:
    """Leave in `out` some of the validation conversations with what the model gives them: by these `python -m train export`
    knows that it loaded what was trained, and that the GGUF does the same."""
    from train.parity_reference import token_nats

    ends = end_tokens(inputs.tokenizer, inputs.base)
    kept = sample(inputs.prepared.validation, inputs.tokenizer, ends, inputs.max_length)
    model.eval()
    write_held_out(kept, [token_nats(model, one.ids, one.start)[0].tolist() for one in kept], out / HELD_OUT)


def save_adapter(model: Any, base: Base, tokenizer: Any, out: Path) -> None:
    """Write the adapter with the base model's tokenizer files and the chat template used; complete or absent.

    The adapter names its base by Hub id (a folder by its name), never by a path. No card is written.
    """
    scratch = out.with_name(out.name + ".tmp")
    shutil.rmtree(scratch, ignore_errors=True)
    config = model.peft_config["default"]
    config.base_model_name_or_path, config.revision = base.id, base.revision
    # peft holds a set, whose order is another in every process
    config.target_modules = sorted(config.target_modules)
    # "auto" would ask the Hub for the base's configuration to see whether the vocabulary has grown
    model.save_pretrained(scratch, save_embedding_layers=False)
    (scratch / "README.md").unlink(missing_ok=True)
    copy_tokenizer(base.folder, scratch)
    (scratch / "chat_template.jinja").write_text(tokenizer.chat_template, encoding="utf-8")
    shutil.rmtree(out, ignore_errors=True)
    scratch.rename(out)


def _data_lineage(inputs: Inputs) -> dict[str, Any]:
    names = ("recipe", "recipe_version", "corpus_sha256", "templates", "counts")
    return {
        **{name: inputs.prepared.manifest.get(name) for name in names},
        "sha256": inputs.prepared.sha256,
        "grounded": inputs.prepared.grounded,
        "max_length": inputs.max_length,
        "dropped": {"train": inputs.train.dropped, "validation": inputs.validation.dropped},
    }


def _write_json(content: dict[str, Any], path: Path) -> None:
    scratch = path.with_name(path.name + ".tmp")
    scratch.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    scratch.replace(path)
