"""What the estimates of `python -m train all --dry-run` rest on, counted in the prepared corpus or measured on this machine.

Used by train/pipeline_plan.py, which learns it, and train/estimates.py, which computes with it.
"""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.embed import DESCRIPTION
from space.settings import available_cores
from train.base_model import Base as Found
from train.base_model import describe, has_weights
from train.export import BITS
from train.held_out import SPLITS
from train.plan import Plan, Rate, matrix_rate, training_rate
from train.sft_options import Options

READING, WRITING = 1.0, 0.3
"""Shares that llama.cpp reaches: reading, of the rate of matrix products; writing one text, of the memory's rate."""
SMALL = 1e6
"""Bytes of logs, plots, tables and metadata of a step."""


@dataclass(frozen=True)
class Estimate:
    """Of one step: seconds and bytes; `disk` is what stays in the folder, `scratch` what is there besides while it
    runs, `download` what it brings into the Hub's cache unless it is there."""

    seconds: float = 0.0
    memory: float = 0.0
    disk: float = 0.0
    scratch: float = 0.0
    download: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class Machine:
    """`flops` a second of matrix products and `bandwidth`, bytes read a second, of the processor; `training` is the rate of
    the device that trains."""

    flops: float
    bandwidth: float
    training: Rate
    cores: int
    memory: float
    gpu: bool = False


@dataclass(frozen=True)
class Embedder:
    """Bytes of its files as the index holds them; `parameters` that a token goes through, 0 of a static one."""

    size: float
    parameters: float
    dimension: int
    download: float = 0.0


@dataclass(frozen=True)
class Base:
    """The base model: `kv` bytes of memory a token of context, `tokenizer` bytes of its files, `download` bytes not here yet."""

    parameters: float
    kv: float
    context: int
    tokenizer: float
    download: float = 0.0


@dataclass(frozen=True)
class Corpus:
    """What was prepared: bytes and words of its documents; `held` are the tokens of each document held out, `answers` how many
    answers they have together; `text_tokens` and `words_per_token` are means."""

    size: float
    words: float
    held: list[float]
    answers: float
    text_tokens: float
    tokens_per_word: float


@dataclass(frozen=True)
class Known:
    """All that the estimates rest on; `measured` are the steps that the dry run has run itself."""

    measured: dict[str, Estimate]
    corpus: Corpus
    base: Base
    plan: Plan
    options: Options
    machine: Machine
    kind: str
    embedder: Embedder | None = None
    words: int = 200
    quantization: str = "Q4_K_M"

    @property
    def gguf(self) -> float:
        """Bytes of the served base."""
        return self.base.parameters * BITS[self.quantization] / 8 + self.base.tokenizer

    @property
    def passages(self) -> float:
        return max(1.0, self.corpus.words / self.words)

    @property
    def index(self) -> float:
        """Bytes of the index: texts, vectors, words and embedder; 0 where there is none."""
        if self.embedder is None:
            return 0.0
        vectors = self.passages * self.embedder.dimension * 4
        return self.corpus.size + vectors + 8 * self.corpus.words + self.embedder.size + SMALL

    @property
    def originals(self) -> float:
        return 8 * self.corpus.words + SMALL  # two numbers of 4 bytes an 8-gram

    @property
    def bundle(self) -> float:
        return self.gguf + 2 * self.plan.adapter_parameters + self.index + self.originals + SMALL

    def read(self, tokens: float) -> float:
        """Seconds in which llama.cpp reads so many tokens."""
        return tokens * (2 * self.base.parameters / (READING * self.machine.flops) + 2e-5)

    def written(self, tokens: float) -> float:
        """Seconds in which llama.cpp writes so many tokens, one text after the other."""
        return tokens * (self.gguf / (WRITING * self.machine.bandwidth) + 5e-4)


def machine_of(options: Options, seconds: float = 0.1) -> Machine:
    """Measures this machine: matrix products of all cores, and a large array read by one."""
    import numpy as np
    import torch

    gpu = torch.cuda.is_available()
    plain = matrix_rate("float32", cuda=False)
    training = training_rate(options) if gpu or options.dtype_name() != "float32" else plain
    array = np.ones(2**23, np.int64)
    times: list[float] = []
    while len(times) < 3 or sum(times) < seconds:
        start = time.perf_counter()
        array.sum()
        times.append(time.perf_counter() - start)
    bandwidth = array.nbytes / min(times)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(plain[0], bandwidth, training, available_cores(os.environ), memory, gpu)


def base_of(found: Found, context: int) -> Base:
    """Of a base whose configuration is here, by that; `context` is the bundle's, in tokens."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(found.folder).get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    wide = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    files = [
        p
        for pattern in ("tokenizer*", "*.model", "vocab.*", "merges.txt")
        for p in found.folder.glob(pattern)
    ]
    parameters = describe(found)[0]
    longest = getattr(config, "max_position_embeddings", None) or context
    return Base(
        parameters=parameters,
        kv=2 * 2 * config.num_hidden_layers * heads * wide,
        context=min(context, longest),
        tokenizer=sum(path.stat().st_size for path in set(files)),
        download=0 if has_weights(found.folder) else 2 * parameters,
    )


def embedder_of(name: str) -> Embedder:
    """Of a folder by its files; any Hub id as multilingual-e5-small: 471 MB there, 21 M parameters besides the vocabulary."""
    folder = Path(name)
    if not folder.is_dir():
        return Embedder(236e6, 21.3e6, 384, 471e6)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if (folder / DESCRIPTION).is_file():
        info = _json(folder / DESCRIPTION)
        return Embedder(size, 0 if info["kind"] == "static" else size / 2, info["dimension"])
    modules = folder / "modules.json"
    if modules.is_file() and "StaticEmbedding" in modules.read_text(encoding="utf-8"):
        return Embedder(size / 2, 0, 384)  # 4 bytes a number become 1
    config = folder / "config.json"
    return Embedder(size / 2, size / 4, _json(config).get("hidden_size", 384) if config.is_file() else 384)


def corpus_of(data: Path, rows: Iterable[Mapping[str, Any]], plan: Plan) -> Corpus:
    """Of a prepared folder; `rows` are the conversations that `plan` counted the tokens of."""
    documents = (data / "documents.jsonl").read_text(encoding="utf-8")
    ratio = plan.tokens / max(1, sum(map(_words, rows)))
    held: dict[str, float] = defaultdict(float)
    answers = 0
    for split in SPLITS:
        for line in (data / f"{split}.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            held[row["document"]] += ratio * _words(row)
            answers += row.get("answers", 1)
    return Corpus(
        size=len(documents.encode()),
        words=len(documents.split()),
        held=[*held.values()],
        answers=answers,
        text_tokens=plan.tokens / plan.examples,
        tokens_per_word=ratio,
    )


def _words(row: Mapping[str, Any]) -> int:
    return sum(len(message["content"].split()) for message in row["messages"])


def _json(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
