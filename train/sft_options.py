"""Options of `python -m train sft`, in one place: names, defaults and help.

Not offered, because llama.cpp's LoRA files cannot hold them rightly (docs/train.md): rank-stabilised LoRA, DoRA,
ranks or alphas that differ by layer, saved modules, and adapters on embeddings.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

MUON = "muon"


def _option(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class Options:
    """One fine-tuning run. Defaults are the source system's where they make sense; lengths are in tokens."""

    data: Path = field(metadata={"help": "folder written by `python -m train prepare`"})
    base: str = field(metadata={"help": "base model: folder or Hub id"})
    out: Path = field(
        metadata={"help": "folder of the run: adapter/, checkpoints/, loss.csv, loss.png, run.json"}
    )
    revision: str | None = _option(None, "revision of the base model on the Hub")
    chat_template: str | None = _option(None, "phi3, or a Jinja file (default: the base model's own)")
    epochs: float = _option(5.0, "passes over the examples, at most")
    max_steps: int = _option(0, "stop after so many steps (0: no limit)")
    batch: int = _option(2, "examples at once")
    accumulation: int = _option(8, "batches to a step")
    learning_rate: float = _option(1e-4, "learning rate at the start; it falls linearly to 0")
    rank: int = _option(16, "rank of the LoRA")
    alpha: int = _option(32, "alpha of the LoRA; its scale is alpha / rank")
    dropout: float = _option(0.05, "dropout of the LoRA")
    max_length: int = _option(0, "longest example in tokens (0: what the model reads, at most 4096)")
    qlora: bool = _option(False, "load the base model in 4 bits (NF4, double quantization)")
    dtype: str = _option(
        "auto", "float32, bfloat16 or float16 (auto: bfloat16 on a GPU that has it, float32 on a CPU)"
    )
    optimizer: str = _option(
        "auto",
        "optimizer's name in transformers, or muon (auto: adamw_bnb_8bit on a GPU, else adamw_torch)",
    )
    gradient_checkpointing: bool = _option(True, "compute activations twice to save memory")
    eval_steps: int = _option(0, "validate and save every so many steps (0: every epoch)")
    patience: int = _option(
        2,
        "stop after so many validations without improvement, and keep the best (0: go on to the end and keep the last)",
    )
    seed: int = _option(0, "seed of initialization, order and dropout")
    resume: bool = _option(False, "continue the run in --out from its last checkpoint")
    dry_run: bool = _option(False, "print tokens, steps, estimated memory and time, and end")

    def dtype_name(self) -> str:
        """The torch type of the base model's weights and of the computation."""
        if self.dtype != "auto":
            return self.dtype
        import torch

        if torch.cuda.is_available():
            return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
        return "float32"  # bfloat16 products are 30 times slower on a CPU without instructions for them

    def optimizer_name(self) -> str:
        """MUON (train/muon.py), or the optimizer as transformers names it."""
        if self.optimizer != "auto":
            return self.optimizer
        import torch

        return "adamw_bnb_8bit" if torch.cuda.is_available() else "adamw_torch"

    def optimizer_bytes(self) -> int:
        """Of the optimizer's state, per weight of the adapter: two averages (AdamW), in 8 bits, or one (Muon)."""
        name = self.optimizer_name()
        return 4 if name == MUON else 2 if "8bit" in name else 8

    def to_json(self) -> dict[str, Any]:
        """What run.json keeps: all but what is of this machine or of this call."""
        left_out = {"data", "out", "base", "revision", "resume", "dry_run"}
        kept = {name: value for name, value in asdict(self).items() if name not in left_out}
        if self.chat_template:
            kept["chat_template"] = Path(self.chat_template).name
        return kept


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One command line option to each field of Options."""
    for option in fields(Options):
        flag = "--" + option.name.replace("_", "-")
        text = option.metadata["help"].replace("%", "%%")
        if option.name in ("data", "base", "out"):
            parser.add_argument(flag, required=True, type=str if option.name == "base" else Path, help=text)
        elif isinstance(option.default, bool):
            parser.add_argument(
                flag, action=argparse.BooleanOptionalAction, default=option.default, help=text
            )
        else:
            kind = str if option.default is None else type(option.default)
            shown = (
                ""
                if option.default in (None, 0, "auto") and option.name != "seed"
                else f" (default {option.default})"
            )
            parser.add_argument(flag, type=kind, default=option.default, help=text + shown)


def from_arguments(args: argparse.Namespace) -> Options:
    """The options that a parsed command line holds."""
    return Options(**{option.name: getattr(args, option.name) for option in fields(Options)})
