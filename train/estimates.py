"""What each step of `python -m train all` takes: seconds, memory and disk by formulas, from counts and the machine's speed.

Used by `--dry-run` (train/pipeline_plan.py). The constants were measured on two cores of an AMD EPYC with AVX-512, as docs/train.md
says; what varies most between machines, matrix products and the reading of memory, is measured anew on each.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from space.chatting import REPLY_TOKENS
from space.questions import ITEM_TOKENS, ROUNDS
from train.evaluate import LISTS
from train.export import BITS
from train.generated import MINUTES
from train.likelihood import PASSAGES
from train.parity_examples import BUDGET
from train.parity_rows import GREEDY_PROMPTS, GREEDY_TOKENS
from train.plan import EFFICIENCY
from train.plan_facts import SMALL, Estimate, Known

LIBRARIES, LOADING = 0.9e9, 8.0
"""Bytes and seconds of torch, transformers and trl once imported."""
ENCODING = 0.3
"""Share of the rate of matrix products that an encoder reaches, one passage after the other."""
CONVERTED, COPIED = 0.07e9, 0.25e9
"""Parameters and bytes a second: a model to GGUF by a core; files copied, hashed and read back."""
QUANTIZED = {"Q4_K_M": 15e6, "Q5_K_M": 15e6, "Q6_K": 15e6, "Q8_0": 120e6, "Q4_0": 120e6, "F16": 1e9}
"""Parameters a second by one core."""
INDEXED, HASHED = 600.0, 0.5e6
"""Passages of a static embedder, with the calibration; words of `originals`; a second."""
UPLOAD = 20e6 / 8
"""Bytes a second to the Hub: assumed, not measured."""
CHECKPOINTS = 2
SPEECH_PROMPT = 100
"""Tokens of topics, field and what stands around them."""


def estimate(step: str, args: argparse.Namespace, known: Known) -> Estimate:
    """The estimate of a step with its options."""
    return known.measured.get(step) or STEPS[step](args, known)


def _sft(_: argparse.Namespace, known: Known) -> Estimate:
    plan, options = known.plan, known.options
    every = options.eval_steps or max(1, plan.examples / (options.batch * options.accumulation))
    validations = plan.steps / every + 2  # before and after the training too
    tokens = plan.validation * known.corpus.text_tokens
    forward = validations * tokens * 2 * known.base.parameters / (known.machine.training[0] * EFFICIENCY)
    saved = plan.adapter_parameters * (4 + options.optimizer_bytes())
    kept = 4 * plan.adapter_parameters + CHECKPOINTS * saved + (1 + CHECKPOINTS) * known.base.tokenizer
    return Estimate(
        LOADING + plan.seconds + forward,
        LIBRARIES + plan.memory_bytes,
        kept + SMALL,
        download=known.base.download,
        note="all but 0.9 GB of the memory is the GPU's" if known.machine.gpu else "",
    )


def _export(args: argparse.Namespace, known: Known) -> Estimate:
    parameters, machine = known.base.parameters, known.machine
    kinds = [kind.strip().upper() for kind in args.quantize.split(",")]
    models = 2 if args.merge else 1
    wide = 4 if args.outtype == "f32" else 2
    seconds = LOADING + models * parameters / CONVERTED
    seconds += models * sum(parameters / QUANTIZED[kind] for kind in kinds) / machine.cores
    if not args.without_parity:
        seconds += _parity(known, models * (len(kinds) + 2))
    results = models * sum(parameters * BITS[kind] / 8 + known.base.tokenizer for kind in kinds)
    reference = 4 if parameters * 4.5 < machine.memory else 2
    return Estimate(
        seconds,
        LIBRARIES + parameters * reference,
        results + 2 * known.plan.adapter_parameters + SMALL,
        models * parameters * wide,
        note="with the parity check" if not args.without_parity else "",
    )


def _parity(known: Known, files: int) -> float:
    """Seconds of the parity gate: by transformers base and adapted model, by llama.cpp each of `files` GGUFs."""
    parameters, machine = known.base.parameters, known.machine
    tokens = min(BUDGET, known.plan.validation * known.corpus.text_tokens)
    greedy = GREEDY_PROMPTS * GREEDY_TOKENS
    reference = 2 * tokens * 2 * parameters / (machine.training[0] * EFFICIENCY)
    if not machine.gpu:
        reference += 2 * greedy * 4 * parameters / machine.bandwidth
    return reference + known.read(files * (tokens + greedy))


def _export_embedder(_: argparse.Namespace, known: Known) -> Estimate:
    assert known.embedder is not None
    size = known.embedder.size
    return Estimate(LOADING + size / COPIED, LIBRARIES + 2 * size, size, download=known.embedder.download)


def _index(_: argparse.Namespace, known: Known) -> Estimate:
    embedder = known.embedder
    assert embedder is not None
    each = 1 / INDEXED
    if embedder.parameters:
        tokens = known.words * known.corpus.tokens_per_word
        each += tokens * 2 * embedder.parameters / (ENCODING * known.machine.flops)
    memory = (
        LIBRARIES + 2 * embedder.size + known.passages * 3 * (4 * embedder.dimension) + 2 * known.corpus.size
    )
    return Estimate(
        2 + known.passages * each, memory, known.index, note=f"about {known.passages:,.0f} passages"
    )


def _originals(_: argparse.Namespace, known: Known) -> Estimate:
    return Estimate(known.corpus.words / HASHED, LIBRARIES + 100 * known.corpus.words, known.originals)


def _bundle(_: argparse.Namespace, known: Known) -> Estimate:
    return Estimate(known.bundle / COPIED, LIBRARIES, known.bundle, note="copies its parts")


def _evaluate(args: argparse.Namespace, known: Known) -> Estimate:
    held = known.corpus.held[: args.limit]
    share = len(held) / max(1, len(known.corpus.held))
    conditions = 4 if known.embedder else 2  # base and adapter, each with passages too
    context = PASSAGES * known.words * known.corpus.tokens_per_word if known.embedder else 0.0
    read = conditions * sum(held) + conditions / 2 * context * share * known.corpus.answers
    if known.kind == "questions":
        more, write, written = _questions(min(args.samples, LISTS, len(held)), known)
    else:
        texts = conditions * args.samples
        length = REPLY_TOKENS / 2 if known.kind == "chat" else 130 * MINUTES * known.corpus.tokens_per_word
        prompt = known.corpus.text_tokens if known.kind == "chat" else SPEECH_PROMPT
        more, write = texts * (prompt + context / 2), texts * length
        written = f"{texts} texts"
    slots = known.base.context * known.base.kv
    seconds = LOADING + known.read(read + more) + known.written(write)
    note = f"{read + more:,.0f} tokens to read, {written} to write; `samples` and `limit` bound it"
    return Estimate(seconds, LIBRARIES + known.gguf + 2 * slots + 2 * known.index, SMALL, note=note)


def _questions(texts: int, known: Known) -> tuple[float, float, str]:
    """Tokens to read and to write for the four techniques on `texts` texts, free and served."""
    lists = 4 * texts
    requests = 2 * (1 + 1 + ROUNDS)  # each of two types once freely, and served as often as is allowed
    return lists * requests * known.corpus.text_tokens, lists * 2 * 4 * ITEM_TOKENS, f"{2 * lists} lists"


def _publish(_: argparse.Namespace, known: Known) -> Estimate:
    sent = known.bundle + 4 * known.plan.adapter_parameters + known.base.tokenizer
    note = f"{sent / 1e6:,.0f} MB to send, at {UPLOAD * 8 / 1e6:.0f} Mbit/s (assumed)"
    return Estimate(2 + sent / UPLOAD + sent / COPIED, LIBRARIES, note=note)


STEPS: dict[str, Callable[[Any, Known], Estimate]] = {
    "sft": _sft,
    "export": _export,
    "export-embedder": _export_embedder,
    "index": _index,
    "originals": _originals,
    "bundle": _bundle,
    "evaluate": _evaluate,
    "publish": _publish,
}
