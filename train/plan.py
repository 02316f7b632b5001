"""What a fine-tuning run will take: examples, tokens, steps, memory and time, before any weight is loaded.

python -m train sft --data DIR --base BASE --out RUN --dry-run
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

from train.base_model import Base
from train.chat_examples import Encoded
from train.sft_options import Options

NF4_BYTES = 0.516
"""Bytes of a weight in NF4 with doubly quantized scales: 4.127 bits (QLoRA, arXiv 2305.14314, section 3)."""

EFFICIENCY = 0.5
"""Share of the measured matrix rate that training reaches: attention, norms and the optimizer take the rest."""


@dataclass(frozen=True)
class Shape:
    """Counts of parameters: in adapted linear layers, elsewhere, in the adapter; and of the widths of activations."""

    linear: int
    other: int
    adapter: int
    layers: int
    hidden: int
    layer_width: int


@dataclass(frozen=True)
class Plan:
    """The run in numbers; bytes and seconds are estimates, `basis` says what they rest on."""

    examples: int
    validation: int
    dropped: int
    tokens: int
    trained_tokens: int
    longest: int
    steps: int
    adapter_parameters: int
    memory_bytes: int
    seconds: float
    basis: str

    def __str__(self) -> str:
        return "\n".join(
            (
                f"examples        {self.examples} to train, {self.validation} to validate, {self.dropped} too long and dropped",
                f"tokens an epoch {self.tokens:,}, of them trained {self.trained_tokens:,}; longest example {self.longest:,}",
                f"steps           {self.steps}",
                f"adapter         {self.adapter_parameters:,} parameters",
                f"memory          about {self.memory_bytes / 1e6:,.0f} MB beyond the libraries' own (estimate)",
                f"time            about {duration(self.seconds)} (estimate)",
                f"estimates from  {self.basis}",
            )
        )


Rate = tuple[float, str]
"""Floating-point operations a second, and the device that reaches them."""


def make_plan(
    base: Base, train: Encoded, validation: Encoded, options: Options, rate_of: Rate | None = None
) -> Plan:
    """Count and estimate; reads the base model's configuration only. `rate_of` was measured before, or is now."""
    shape = _shape(base, options.rank)
    epoch = math.ceil(len(train.examples) / (options.batch * options.accumulation))
    steps = options.max_steps if options.max_steps > 0 else math.ceil(epoch * options.epochs)
    tokens = sum(len(e.ids) for e in train.examples)
    longest = max(len(e.ids) for e in train.examples)
    rate, device = rate_of or training_rate(options)
    passes = (
        3 if options.gradient_checkpointing else 2
    )  # forward, its repetition, and the gradient of activations
    flops = 2 * passes * (shape.linear + shape.other) * tokens * steps / epoch
    return Plan(
        examples=len(train.examples),
        validation=len(validation.examples),
        dropped=len(train.dropped) + len(validation.dropped),
        tokens=tokens,
        trained_tokens=sum(e.trained for e in train.examples),
        longest=longest,
        steps=steps,
        adapter_parameters=shape.adapter,
        memory_bytes=_memory(shape, options, longest),
        seconds=flops / (rate * EFFICIENCY),
        basis=f"{shape.linear + shape.other:,} base parameters; {options.batch} × {longest:,} tokens at once; "
        f"{rate / 1e12:.2f} TFLOP/s of matrix products measured on this {device}, {EFFICIENCY:.0%} of it reached; "
        "validation and saving not counted",
    )


def _shape(base: Base, rank: int) -> Shape:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.pytorch_utils import Conv1D

    config = AutoConfig.from_pretrained(base.folder).get_text_config()
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    head = model.get_output_embeddings()
    linear = [m for m in model.modules() if isinstance(m, torch.nn.Linear | Conv1D) and m is not head]
    widths = [sum(m.weight.shape) for m in linear]
    inside = sum(m.weight.numel() for m in linear)
    whole = sum(p.numel() for p in model.parameters())
    layers = config.num_hidden_layers
    return Shape(
        inside, whole - inside, rank * sum(widths), layers, config.hidden_size, sum(widths) // layers
    )


def _memory(shape: Shape, options: Options, longest: int) -> int:
    """Weights, adapter with gradient and optimizer, and activations of a batch of the longest examples."""
    wide = 2 if options.dtype_name() == "bfloat16" else 4
    weights = shape.linear * (NF4_BYTES if options.qlora else wide) + shape.other * wide
    adapter = shape.adapter * (4 + 4 + options.optimizer_bytes())
    kept = shape.hidden * shape.layers
    inner = 2 * shape.layer_width * (1 if options.gradient_checkpointing else shape.layers)
    activations = options.batch * longest * (kept + inner) * wide
    return int(weights + adapter + activations)


def training_rate(options: Options) -> Rate:
    """Of the device and in the type that these options train with."""
    import torch

    return matrix_rate(options.dtype_name(), torch.cuda.is_available())


def matrix_rate(dtype: str, cuda: bool, seconds: float = 0.3) -> Rate:
    """Of square matrix products in a torch type."""
    import torch

    size = 4096 if cuda else 512  # a CPU without bfloat16 products takes minutes for a large one
    device = torch.cuda.get_device_name() if cuda else f"CPU with {torch.get_num_threads()} threads"
    a = torch.ones(size, size, dtype=getattr(torch, dtype), device="cuda" if cuda else "cpu")
    times: list[float] = []
    while len(times) < 3 or sum(times) < seconds:
        start = time.perf_counter()
        torch.mm(a, a)
        if cuda:
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return 2 * size**3 / min(times), device  # the best of them: other programs only make one slower


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def as_json(plan: Plan) -> dict[str, Any]:
    """The plan as run.json keeps it."""
    return dict(vars(plan))
