"""Writes a GGUF with Phi-3-mini-4k's true shape and random weights, for the benchmarks: speed does not depend on what weights say.

    python -m tests.bench.phi3_shape --out runs/phi3 [--quantize Q4_K_M Q4_0 Q8_0] [--keep-f16]

Needs 8 GB of disk while it runs; 2.2 GB stay for Q4_K_M. The tokenizer is the embedded bundle's, filled up with unused
pieces to Phi-3's 32,064. Weights are those of an untrained model, but only pieces of plain text have weights in the
output layer: so hardly ever does the model end by itself or write half a letter, and each token can be seen in the stream.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from gguf import GGUFReader, GGUFWriter, LlamaFileType, TokenType

from space.bundle import Bundle
from space.settings import EMBEDDED
from train import llamacpp

NAME = "phi3-mini-4k-random-3.8B-v1.0"
SPREAD = 0.02
"""Standard deviation of the weights, that of Phi-3's initialisation."""
KINDS = tuple(kind for kind in llamacpp.QUANTIZATIONS if kind != "F16")


@dataclass(frozen=True)
class Shape:
    """A Phi-3; by default Phi-3-mini-4k-instruct, by its config.json."""

    layers: int = 32
    hidden: int = 3072
    heads: int = 32
    feed_forward: int = 8192
    vocabulary: int = 32064
    context: int = 4096
    sliding_window: int = 2047

    def matrices(self) -> Iterator[tuple[str, int, int, float]]:
        """Name, rows, columns and spread of each matrix but the output's. What ends a block is smaller, by the number of blocks."""
        ending = SPREAD / (2 * self.layers) ** 0.5
        yield "token_embd.weight", self.vocabulary, self.hidden, SPREAD
        for n in range(self.layers):
            yield f"blk.{n}.attn_qkv.weight", 3 * self.hidden, self.hidden, SPREAD
            yield f"blk.{n}.attn_output.weight", self.hidden, self.hidden, ending
            yield f"blk.{n}.ffn_up.weight", 2 * self.feed_forward, self.hidden, SPREAD
            yield f"blk.{n}.ffn_down.weight", self.hidden, self.feed_forward, ending

    def norms(self) -> Iterator[str]:
        for n in range(self.layers):
            yield f"blk.{n}.attn_norm.weight"
            yield f"blk.{n}.ffn_norm.weight"
        yield "output_norm.weight"


@dataclass(frozen=True)
class Pieces:
    """A tokenizer's lists, all of the same length, and the special-token keys of its GGUF."""

    tokens: list[str]
    scores: list[float]
    types: list[int]
    special: dict[str, Any]

    @classmethod
    def of(cls, path: Path, size: int) -> Pieces:
        """The tokenizer of the GGUF at `path`, filled up to `size` pieces as llama.cpp's converter does."""
        prefix = "tokenizer.ggml."
        fields = {name: field.contents() for name, field in GGUFReader(path).fields.items()}
        lists = [fields[prefix + name] for name in ("tokens", "scores", "token_type")]
        have = len(lists[0])
        if have > size:
            raise ValueError(f"{path.name} has {have} pieces, more than {size}")
        special = {
            name: value
            for name, value in fields.items()
            if name.startswith("tokenizer.") and not isinstance(value, list)
        }
        return cls(
            lists[0] + [f"[PAD{n}]" for n in range(have, size)],
            lists[1] + [-10000.0] * (size - have),
            lists[2] + [int(TokenType.UNUSED)] * (size - have),
            special,
        )

    @property
    def plain(self) -> np.ndarray:
        """Which pieces are plain text, bool [vocabulary]."""
        return np.array(self.types) == int(TokenType.NORMAL)


def write_f16(out: Path, shape: Shape, tokenizer: Path, seed: int = 0) -> None:
    """The F16 GGUF of `shape`, one tensor in memory at a time; `tokenizer` is a GGUF whose tokenizer is taken."""
    pieces = Pieces.of(tokenizer, shape.vocabulary)
    writer = GGUFWriter(out, "phi3")
    _add_keys(writer, shape, pieces)
    norms = list(shape.norms())
    matrices = [*shape.matrices(), ("output.weight", shape.vocabulary, shape.hidden, SPREAD)]
    for name in norms:
        writer.add_tensor_info(name, (shape.hidden,), np.dtype(np.float32), shape.hidden * 4)
    for name, rows, columns, _ in matrices:
        writer.add_tensor_info(name, (rows, columns), np.dtype(np.float16), rows * columns * 2)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for _ in norms:
        writer.write_tensor_data(np.ones(shape.hidden, dtype=np.float32))
    # Numbers of 16 bits as places in a table of the normal distribution: six times faster than to compute each one.
    quantiles = np.array([NormalDist().inv_cdf((n + 0.5) / 2**16) for n in range(2**16)])
    generator = np.random.default_rng(seed)
    for name, rows, columns, spread in matrices:
        values = (quantiles * spread).astype(np.float16)
        drawn = np.frombuffer(generator.bytes(rows * columns * 2), dtype=np.uint16)
        matrix = values[drawn].reshape(rows, columns)
        if name == "output.weight":
            matrix[~pieces.plain] = 0
        writer.write_tensor_data(matrix)
    writer.close()


def _add_keys(writer: GGUFWriter, shape: Shape, pieces: Pieces) -> None:
    """The keys that llama.cpp's converter writes for a Phi-3."""
    writer.add_type("model")
    writer.add_name(NAME)
    writer.add_context_length(shape.context)
    writer.add_rope_scaling_orig_ctx_len(shape.context)
    writer.add_embedding_length(shape.hidden)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_block_count(shape.layers)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(shape.hidden // shape.heads)
    writer.add_rope_freq_base(10000.0)
    writer.add_file_type(LlamaFileType.MOSTLY_F16)
    writer.add_quantization_version(2)
    writer.add_sliding_window(shape.sliding_window)
    writer.add_token_list(pieces.tokens)
    writer.add_token_scores(pieces.scores)
    writer.add_token_types(pieces.types)
    for name, value in pieces.special.items():
        if isinstance(value, bool):
            writer.add_bool(name, value)
        elif isinstance(value, int):
            writer.add_uint32(name, value)
        else:
            writer.add_string(name, value)


def make(out: Path, shape: Shape, kinds: Sequence[str], keep_f16: bool = False) -> list[Path]:
    """The files of `kinds` in the folder `out`, those that are there already left as they are."""
    out.mkdir(parents=True, exist_ok=True)
    files = [out / f"{NAME}-{kind}.gguf" for kind in kinds]
    f16 = out / f"{NAME}-F16.gguf"
    if not all(file.is_file() for file in files) and not f16.is_file():
        part = f16.with_suffix(".part")
        write_f16(part, shape, Bundle.load(EMBEDDED).base)
        part.rename(f16)
    for file, kind in zip(files, kinds, strict=True):
        if not file.is_file():
            part = file.with_suffix(".part")
            llamacpp.quantize(f16, part, kind)
            part.rename(file)
        print(f"{file}  {file.stat().st_size / 1e9:.2f} GB", flush=True)
    if not keep_f16:
        f16.unlink(missing_ok=True)
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/phi3"), help="folder (default runs/phi3)")
    parser.add_argument("--quantize", nargs="+", choices=KINDS, default=["Q4_K_M"], help="default Q4_K_M")
    parser.add_argument(
        "--keep-f16", action="store_true", help="keep the 7.6 GB from which the others are made"
    )
    args = parser.parse_args()
    make(args.out, Shape(), args.quantize, args.keep_f16)


if __name__ == "__main__":
    main()
