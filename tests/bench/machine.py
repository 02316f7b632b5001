"""What the machine can do at most, so that a speed is also a fraction of what is possible.

    python -m tests.bench.machine [--model GGUF] [--threads 2]

Two figures, each the best of several tries. *Read bandwidth*: how fast threads go through memory far larger than the caches. A
token that is written reads all weights once, so tokens/s of one visitor cannot pass bandwidth / bytes of the weights.
*int8 throughput*: a product of int8 matrices by oneDNN (torch._int_mm), which uses the CPU's instructions for that (VNNI)
as well as anything does; the kernels of a quantized model are made of the same instructions, and have to unpack the
weights besides. A prompt of n tokens cannot be read faster than n × multiplications / throughput; attention is not counted.
"""

from __future__ import annotations

import argparse
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gguf import GGUFReader

from space.settings import available_cores

ROUNDS = 8
SLICE = 256 * 2**20
"""Bytes that each thread reads: many times the cache of a core."""
ROWS, INNER, COLUMNS = 512, 3072, 8192
"""The product measured: 512 tokens of a prompt through a layer of Phi-3-mini's feed-forward part."""


@dataclass(frozen=True)
class Limits:
    """Bytes/s that can be read, int8 multiplications with addition per second, both with `threads` threads."""

    threads: int
    bandwidth: float
    multiplications: float


@dataclass(frozen=True)
class ModelLimits:
    """Tokens/s that one model cannot pass on one machine: `alone` for one text that is written, `reading` for all tokens
    together, read or written, however many visitors there are."""

    alone: float
    reading: float

    def least_seconds(self, prompt: int, written: int, visitors: int) -> float:
        """The least time for `prompt` tokens read and `written` tokens written by so many visitors, all at once."""
        return prompt / self.reading + written / min(visitors * self.alone, self.reading)


def measure(threads: int) -> Limits:
    return Limits(threads, read_bandwidth(threads), int8_throughput(threads))


def read_bandwidth(threads: int, size: int = SLICE, rounds: int = ROUNDS) -> float:
    """Bytes per second that `threads` threads together read, each through `size` bytes of its own."""
    slices = [np.arange(size // 8, dtype=np.int64) for _ in range(threads)]
    best = 0.0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(rounds):
            begun = time.perf_counter()
            list(pool.map(np.bitwise_or.reduce, slices))  # numpy lets other threads run meanwhile
            best = max(best, threads * size / (time.perf_counter() - begun))
    return best


def int8_throughput(threads: int, rounds: int = ROUNDS) -> float:
    """Multiplications of 8-bit integers per second, each with an addition, in a product of matrices."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    left = torch.randint(-127, 127, (ROWS, INNER), dtype=torch.int8)
    right = torch.randint(-127, 127, (INNER, COLUMNS), dtype=torch.int8)
    best = 0.0
    for _ in range(rounds):
        begun = time.perf_counter()
        torch._int_mm(left, right)
        best = max(best, ROWS * INNER * COLUMNS / (time.perf_counter() - begun))
    torch.set_num_threads(before)
    return best


def weight_bytes(model: Path) -> int:
    """The bytes of weights that one token reads: all, but of the embeddings only one row unless they are the output layer too."""
    tensors = GGUFReader(model).tensors
    tied = not any(tensor.name == "output.weight" for tensor in tensors)
    return sum(int(tensor.n_bytes) for tensor in tensors if tied or tensor.name != "token_embd.weight")


def multiplications(model: Path) -> int:
    """The multiplications of weights that one token of a prompt costs; the output layer works for its last token only."""
    matrices = (tensor for tensor in GGUFReader(model).tensors if len(tensor.shape) == 2)
    ends = ("token_embd.weight", "output.weight")
    return sum(int(np.prod(tensor.shape)) for tensor in matrices if tensor.name not in ends)


def limits_of(model: Path, limits: Limits) -> ModelLimits:
    return ModelLimits(
        limits.bandwidth / weight_bytes(model), limits.multiplications / multiplications(model)
    )


def describe(limits: Limits, model: Path | None = None) -> str:
    """The limits in a paragraph."""
    text = (
        f"{limits.threads} threads read {limits.bandwidth / 1e9:.1f} GB/s and do "
        f"{limits.multiplications / 1e9:.0f} billion int8 multiplications/s"
    )
    if model is None:
        return f"{text}."
    bounds = limits_of(model, limits)
    return (
        f"{text}; {model.name} has {weight_bytes(model) / 1e9:.3g} GB of weights per token and "
        f"{multiplications(model) / 1e9:.3g} billion multiplications: one visitor writes at most {bounds.alone:.3g} tokens/s, "
        f"and at most {bounds.reading:.3g} tokens/s are read."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="a GGUF file whose limits are wanted too")
    parser.add_argument("--threads", type=int, default=available_cores(os.environ), help="default: the cores")
    args = parser.parse_args()
    print(describe(measure(args.threads), args.model))


if __name__ == "__main__":
    main()
