"""trl's SFTTrainer with a LoRA, as `python -m train sft` sets it up.

Imported only when training starts: its libraries take seconds to load.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import EarlyStoppingCallback, Trainer, TrainerCallback
from transformers.pytorch_utils import Conv1D
from trl import SFTConfig, SFTTrainer

from train import losses
from train.chat_examples import Encoded, Example
from train.measure import completion_loss
from train.muon import Muon
from train.precision import autocast
from train.sft_options import MUON, Options


class LossFiles(TrainerCallback):
    """Keeps loss.csv up to date, and loss.png at each validation and at the end."""

    def __init__(self, out: Path, title: str) -> None:
        self.out, self.title = out, title

    def on_log(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        losses.write_csv(state.log_history, self.out / "loss.csv")

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        losses.write_plot(state.log_history, self.out / "loss.png", self.title)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        losses.write_plot(state.log_history, self.out / "loss.png", self.title)


class AnswerTrainer(SFTTrainer):
    """SFTTrainer that validates by `completion_loss` and writes no model cards."""

    validation: list[Example]
    control: Any

    def evaluate(self, *_: Any, metric_key_prefix: str = "eval", **__: Any) -> dict[str, float]:
        """The mean over tokens, where the trainer's own is a mean over batches."""
        metrics = {f"{metric_key_prefix}_loss": completion_loss(self.model, self.validation)}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **options: Any) -> Any:
        """On CPU cores the model's own: trl's log-probabilities, made for a GPU's memory, take two thirds of a small model's step there."""
        inputs = {**inputs, "use_cache": False}
        if not self.args.use_cpu:
            return SFTTrainer.compute_loss(self, model, inputs, *args, **options)
        with autocast("cpu"):
            return Trainer.compute_loss(self, model, inputs, *args, **options)

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """None: trl's card names this machine's folders. `python -m train publish` writes the cards."""


def make_trainer(
    model: Any, tokenizer: Any, train: Encoded, validation: Encoded, options: Options
) -> AnswerTrainer:
    """A trainer ready to train, its adapter's weights in float32 and zero in effect."""
    trainer = AnswerTrainer(
        model=model,
        args=_config(options, bool(validation.examples)),
        train_dataset=_dataset(in_like_lengths(train.examples, options.batch, options.seed)),
        eval_dataset=_dataset(validation.examples) if validation.examples else None,
        processing_class=tokenizer,
        peft_config=_lora(model, options),
        callbacks=_callbacks(options, bool(validation.examples)),
    )
    trainer.validation = validation.examples
    for weight in trainer.model.parameters():
        if (
            weight.requires_grad
        ):  # trl leaves them in bfloat16 under QLoRA, where late small updates round to nothing
            weight.data = weight.data.float()
    if options.optimizer_name() == MUON:
        adapter = (weight for weight in trainer.model.parameters() if weight.requires_grad)
        trainer.optimizer = Muon(adapter, lr=options.learning_rate)
    return trainer


def in_like_lengths(examples: list[Example], batch: int, seed: int) -> list[Example]:
    """`examples` in the order of training: at random, but those of a batch of like length, since what is padded is computed too.

    The order is that of every epoch: a resumed run then goes on where it was. (transformers' group_by_length draws another one.)
    """
    shuffled = random.Random(seed).sample(examples, len(examples))
    groups = [shuffled[n : n + 50 * batch] for n in range(0, len(shuffled), 50 * batch)]
    batches = []
    for group in groups:
        group.sort(key=lambda example: len(example.ids))
        batches += [group[n : n + batch] for n in range(0, len(group), batch)]
    last = [batches.pop()] if len(batches[-1]) < batch else []
    random.Random(seed).shuffle(batches)
    return [example for some in batches + last for example in some]


def _dataset(examples: list[Example]) -> Dataset:
    return Dataset.from_dict({"input_ids": [e.ids for e in examples], "labels": [e.labels for e in examples]})


def _lora(model: Any, options: Options) -> LoraConfig:
    """A LoRA on all linear layers but the output layer; for Phi-3 the fused qkv_proj and gate_up_proj too."""
    return LoraConfig(
        r=options.rank,
        lora_alpha=options.alpha,
        lora_dropout=options.dropout,
        target_modules="all-linear",
        fan_in_fan_out=any(
            isinstance(module, Conv1D) for module in model.modules()
        ),  # gpt2's layers are transposed
        task_type="CAUSAL_LM",
    )


def _callbacks(options: Options, validated: bool) -> list[TrainerCallback]:
    files = LossFiles(options.out, options.out.name)
    return [files, EarlyStoppingCallback(options.patience)] if validated and options.patience else [files]


def _config(options: Options, validated: bool) -> SFTConfig:
    dtype = options.dtype_name()
    when = "steps" if options.eval_steps else "epoch"
    return SFTConfig(
        output_dir=str(options.out / "checkpoints"),
        num_train_epochs=options.epochs,
        max_steps=options.max_steps or -1,
        per_device_train_batch_size=options.batch,
        gradient_accumulation_steps=options.accumulation,
        learning_rate=options.learning_rate,
        lr_scheduler_type="linear",
        optim="adamw_torch" if options.optimizer_name() == MUON else options.optimizer_name(),
        bf16=dtype == "bfloat16",
        fp16=dtype == "float16",
        use_cpu=not torch.cuda.is_available(),
        gradient_checkpointing=options.gradient_checkpointing,
        max_length=None,
        train_sampling_strategy="sequential",  # see in_like_lengths
        eval_strategy=when if validated else "no",
        save_strategy=when,
        eval_steps=options.eval_steps or None,
        save_steps=options.eval_steps or 500,
        save_total_limit=2,
        load_best_model_at_end=validated and options.patience > 0,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        logging_steps=1,
        logging_nan_inf_filter=False,
        seed=options.seed,
        report_to="none",
        disable_tqdm=False,
        dataloader_pin_memory=torch.cuda.is_available(),
    )
