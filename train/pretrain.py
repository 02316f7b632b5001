"""Pre-trains a small Spanish base model of Phi-3's architecture from folders of texts, on a GPU or on CPU cores.

    python -m train pretrain FOLDER[=MILLIONS] ... --out runs/mini --minutes 60 [--resume]

A folder holds .txt or .md files or is an output of `prepare`; MILLIONS is the most millions of characters to take.

Random crops of one token stream; Muon for the matrices of the layers, AdamW for embeddings and norms; warm-up,
plateau, linear decay over the time (or tokens) given. From `--examples-from` of it on, `--examples-share` of a step's
rows are training conversations (`--examples`, the JSONL files that `prepare` and `ground` write, each with its shares of
the draws) in the chat format that the model will serve, none of a held-out document. For the first `--induction` share,
each step also trains on repeated random tokens and repeated pieces of the texts (train/induction.py), so that the model
learns to use its context. Every few minutes it evaluates bits per character on held-out documents and writes a
checkpoint. `OUT/model` is a transformers folder that `train sft` and `train export` take as `--base`.
"""

from __future__ import annotations

import argparse
import csv
import json
import lzma
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from train.card_figures import pretrained_card
from train.errors import NoCorpus
from train.induction import ATTENTION_WEIGHT, Drills, losses
from train.ngram import KneserNey
from train.precision import autocast
from train.pretrain_data import Prepared, Source, describe, prepare
from train.tokenizer import END_OF_TEXT, copy_tokenizer

if TYPE_CHECKING:
    import torch

WARM_UP, DECAY_FROM = 0.02, 0.4
"""Shares of the training: the learning rate rises until the first and falls linearly to a twentieth from the second."""
MATRIX_LR, EMBEDDING_LR = 0.02, 0.003
HEAD_ROWS = {"cpu": 256, "cuda": 2**14}
"""Tokens whose logits are computed at once: on two cores three times as quick as torch's linear_cross_entropy; a GPU wants large products."""
DRILL_ROWS, DRILL_LENGTH = 1, 800
"""Rows of repeated sequences in a step, and their tokens."""
HELD_OUT = 2**31
"""Seed of the repeated sequences that copying is measured on: no step has that number."""
H100_BF16_FLOPS = 989e12
"""Dense bf16 peak by the vendor's datasheet (H100 and H200 SXM), what the utilisation on a GPU is a share of."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sources", nargs="+", type=Source.parse, metavar="FOLDER[=MILLIONS]")
    parser.add_argument("--out", type=Path, required=True)
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, default=60, help="training time in all, resumes included")
    length.add_argument(
        "--tokens", type=float, metavar="MILLIONS", help="tokens to read in all, instead of a time"
    )
    parser.add_argument(
        "--examples",
        type=Examples.parse,
        nargs="*",
        default=[],
        metavar="JSONL[=SHARES]",
        help="conversations for the last part; how often each file is drawn from (1)",
    )
    parser.add_argument(
        "--examples-from", type=float, default=0.6, help="share of the training before they come in"
    )
    parser.add_argument(
        "--examples-share", type=float, default=0.5, help="share of a step's rows that are conversations then"
    )
    parser.add_argument(
        "--induction",
        type=float,
        default=0,
        metavar="SHARE",
        help="share of the training, from its beginning, with copying of repeated sequences beside the texts (0)",
    )
    parser.add_argument(
        "--vocabulary", type=int, default=8192, help="pieces, Phi-3's 11 added tokens included"
    )
    parser.add_argument("--hidden", type=int, default=256, help="a multiple of 256, so that K-quants apply")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--context", type=int, default=2048, help="positions the saved model declares")
    parser.add_argument("--sequence", type=int, default=512, help="tokens a training row has")
    parser.add_argument("--batch", type=int, default=16, help="rows a step has")
    parser.add_argument("--checkpoint-minutes", type=float, default=5)
    parser.add_argument("--resume", action="store_true", help="go on from OUT/checkpoint.pt")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> None:
    """Train and save. Raises NoCorpus where a folder holds no text or a file no conversation."""
    data = prepare(args.sources, args.vocabulary, args.out / "data")
    print(json.dumps(data.counts, ensure_ascii=False, indent=1))
    trainer = Trainer(args, data)
    if args.resume:
        trainer.load()
    trainer.train()
    trainer.save_model()


@dataclass(frozen=True)
class Examples:
    """A JSONL file of conversations and how often to draw from it, relative to the others."""

    path: Path
    shares: float = 1

    @property
    def name(self) -> str:
        """The file with its folder: no path of the maker's machine is published."""
        return f"{self.path.parent.name}/{self.path.name}"

    @classmethod
    def parse(cls, text: str) -> Examples:
        path, _, shares = text.partition("=")
        return cls(Path(path), float(shares or 1))


@dataclass
class Progress:
    """What a checkpoint keeps besides weights and optimizers."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    rows: list[dict[str, float]] = field(default_factory=list)


class Trainer:
    """Model, optimizers, data and the loop over them."""

    def __init__(self, args: argparse.Namespace, data: Prepared) -> None:
        import torch
        from transformers import AutoTokenizer

        self.args, self.data = args, data
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.tokenizer = AutoTokenizer.from_pretrained(args.out / "data")
        self.end = self.tokenizer.convert_tokens_to_ids(END_OF_TEXT)
        self.examples = self._load_examples()
        shares = np.array([source.shares for source in args.examples])
        self.shares = shares / shares.sum()
        torch.manual_seed(args.seed)
        self.model = build_model(args, self.end).to(self.device)
        on_gpu = self.device == "cuda"
        self.body = torch.compile(self.model.model) if on_gpu else self.model.model
        self.optimizers = make_optimizers(self.model)
        self.drills = Drills.of(data.tokens, self.tokenizer) if args.induction else None
        self.progress = Progress()
        self.parameters = sum(p.numel() for p in self.model.parameters())
        print(f"{self.parameters / 1e6:.1f} M parameters on {self.device}")

    def _load_examples(self) -> list[list[np.ndarray]]:
        """The conversations of each file as token ids, without those made from held-out documents."""
        heldout, files = self.data.heldout_names, []
        for source in self.args.examples:
            examples = map(json.loads, source.path.read_text("utf-8").splitlines())
            kept = [e["messages"] for e in examples if e.get("document") not in heldout]
            if not kept:
                raise NoCorpus(path=source.path, found="no conversation of a document that is not held out")
            chats = self.tokenizer.apply_chat_template(kept, tokenize=False)
            ids = self.tokenizer(chats, add_special_tokens=False)["input_ids"]
            files.append([np.array(chat, dtype=np.int64) for chat in ids])
            print(f"{len(kept)} conversations of {source.name}, {sum(map(len, ids)) / 1e6:.2f} M tokens")
        return files

    @property
    def done(self) -> float:
        """Share of the training that has passed, by tokens when they were given, else by time."""
        if self.args.tokens:
            return self.progress.tokens / (self.args.tokens * 1e6)
        return self.progress.seconds / (self.args.minutes * 60)

    def batch(self) -> torch.Tensor:
        """`[batch, sequence + 1]` token ids; a function of the seed and the step alone."""
        import torch

        rng = np.random.default_rng((self.args.seed, self.progress.step))
        length, rows = self.args.sequence + 1, []
        with_examples = bool(self.examples) and self.done >= self.args.examples_from
        conversations = round(self.args.batch * self.args.examples_share) if with_examples else 0
        for row in range(self.args.batch):
            if row < conversations:
                rows.append(self._packed_examples(rng, length))
            else:
                start = int(rng.integers(0, len(self.data.tokens) - length))
                rows.append(np.asarray(self.data.tokens[start : start + length], dtype=np.int64))
        return torch.from_numpy(np.stack(rows)).to(self.device)

    def _packed_examples(self, rng: np.random.Generator, length: int) -> np.ndarray:
        """Random conversations one after the other, the last one cut where the row ends."""
        parts: list[np.ndarray] = []
        while sum(map(len, parts)) < length:
            file = self.examples[rng.choice(len(self.examples), p=self.shares)]
            parts.append(file[int(rng.integers(len(file)))])
        return np.concatenate(parts)[:length]

    def loss(self, rows: torch.Tensor) -> torch.Tensor:
        """Mean negative log-likelihood in nats of each row's tokens after the first."""
        import torch

        with autocast(self.device):
            hidden = self.body(input_ids=rows[:, :-1], use_cache=False).last_hidden_state.flatten(0, 1)
            targets = rows[:, 1:].flatten()
            rows_at_once = HEAD_ROWS[self.device]
            parts = zip(hidden.split(rows_at_once), targets.split(rows_at_once), strict=True)
            nats = [
                torch.nn.functional.cross_entropy(self.model.lm_head(h).float(), t, reduction="sum")
                for h, t in parts
            ]
            return torch.stack(nats).sum() / len(targets)

    def train(self) -> None:
        last_checkpoint, started = self.progress.seconds, time.monotonic()
        offset = self.progress.seconds
        while self.done < 1:
            loss = self._step()
            self.progress.seconds = offset + time.monotonic() - started
            if self.progress.step % 20 == 0:
                self._report(float(loss))
            if self.progress.seconds - last_checkpoint > self.args.checkpoint_minutes * 60 or self.done >= 1:
                self._evaluate(float(loss))
                self.save()
                last_checkpoint = self.progress.seconds

    def _step(self) -> torch.Tensor:
        import torch

        rate = learning_rate(self.done)
        loss = self.loss(self.batch())
        loss.backward()
        if self.drills and self.done < self.args.induction:
            copying, looking = self._drilled(self.drills, self.progress.step, DRILL_ROWS)
            (copying + ATTENTION_WEIGHT * looking).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * rate
            with autocast(self.device):
                optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.progress.step += 1
        self.progress.tokens += self.args.batch * self.args.sequence
        return loss.detach()

    def _drilled(self, drills: Drills, seed: int, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        rng = np.random.default_rng((self.args.seed, seed, 1))
        ids, told = (torch.from_numpy(a).to(self.device) for a in drills.rows(rng, rows, DRILL_LENGTH))
        with autocast(self.device):
            return losses(self.model, ids, told)

    def _report(self, loss: float) -> None:
        p, speed = self.progress, self.progress.tokens / self.progress.seconds
        flops = 6 * self.parameters + 6 * self.args.layers * self.args.hidden * self.args.sequence
        utilisation = f" {speed * flops / H100_BF16_FLOPS:.1%} MFU" if self.device == "cuda" else ""
        print(
            f"{self.done:6.1%} step {p.step} loss {loss:.3f} {p.tokens / 1e6:.2f} M {speed:.0f} tok/s{utilisation}",
            flush=True,
        )

    def _evaluate(self, loss: float) -> None:
        import torch

        by_source = {
            source: bits_per_character(self.model, self.tokenizer, texts, self.args.sequence)
            for source, texts in self.data.evaluated().items()
        }
        bits = sum(by_source.values()) / len(by_source)
        copying = {}
        if self.drills:
            with torch.inference_mode():
                copying["copying_nats"] = float(self._drilled(self.drills, HELD_OUT, 4 * DRILL_ROWS)[0])
        p = self.progress
        p.rows.append(
            {
                "step": p.step,
                "tokens": p.tokens,
                "minutes": p.seconds / 60,
                "loss": loss,
                "bits_per_character": bits,
                **by_source,
                **copying,
            }
        )
        print(f"       held out: {bits:.3f} bits per character {by_source} {copying}", flush=True)

    def save(self) -> None:
        """Write OUT/checkpoint.pt, whole or not at all, and the loss curve so far."""
        import torch

        state = {
            "model": self.model.state_dict(),
            "optimizers": [o.state_dict() for o in self.optimizers],
            "progress": vars(self.progress),
        }
        torch.save(state, self.args.out / "checkpoint.tmp")
        (self.args.out / "checkpoint.tmp").replace(self.args.out / "checkpoint.pt")
        write_curve(self.progress.rows, self.args.out)

    def load(self) -> None:
        import torch

        state = torch.load(self.args.out / "checkpoint.pt", map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.progress = Progress(**state["progress"])

    def save_model(self) -> None:
        """Write OUT/model (transformers folder, float16, model card) and OUT/pretrain.json (what it read, how well)."""
        import torch
        import transformers

        out = self.args.out / "model"
        self.model.to(torch.float16).save_pretrained(out)
        copy_tokenizer(self.args.out / "data", out)
        settings = {k: v for k, v in vars(self.args).items() if isinstance(v, int | float)}
        card = {
            "parameters": self.parameters,
            "sources": describe(self.args.sources),
            "examples": {source.name: source.shares for source in self.args.examples},
            "data": self.data.counts,
            "settings": settings,
            "tokens_trained": self.progress.tokens,
            "curve": self.progress.rows,
            "bits_per_character": self.progress.rows[-1]["bits_per_character"],
            "held_out": self._held_out(),
            "libraries": {"torch": torch.__version__, "transformers": transformers.__version__},
        }
        (self.args.out / "pretrain.json").write_text(json.dumps(card, ensure_ascii=False, indent=1), "utf-8")
        (out / "README.md").write_text(pretrained_card(card), "utf-8")

    def _held_out(self) -> dict[str, dict[str, float]]:
        """By source: characters evaluated, and their bits per character by the model, a 5-gram model and xz -9."""
        baseline, result = KneserNey(self.data.tokens, self.args.vocabulary), {}
        for source, texts in self.data.evaluated().items():
            together = "\n\n".join(texts)
            ids = self.tokenizer(texts, add_special_tokens=False)["input_ids"]
            bits = sum(-np.log2(baseline.probabilities(np.array([self.end, *text]))).sum() for text in ids)
            result[source] = {
                "characters": sum(map(len, texts)),
                "model": self.progress.rows[-1][source],
                "5-gram": float(bits / sum(map(len, texts))),
                "xz -9": 8 * len(lzma.compress(together.encode(), preset=9)) / len(together),
            }
        return result


def build_model(args: argparse.Namespace, end: int) -> Any:
    """A Phi-3 with random weights: heads of 64, tied embeddings, feed-forward three times as wide."""
    from transformers import Phi3Config, Phi3ForCausalLM

    heads = args.hidden // 64
    config = Phi3Config(
        vocab_size=args.vocabulary,
        hidden_size=args.hidden,
        intermediate_size=3 * args.hidden,
        num_hidden_layers=args.layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=args.context,
        original_max_position_embeddings=args.context,
        sliding_window=None,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=end,
        pad_token_id=end,
    )
    return Phi3ForCausalLM(config)


def make_optimizers(model: torch.nn.Module) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for embeddings and norms; each group knows its peak rate."""
    import torch

    from train.muon import Muon

    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and ".layers." in name]
    others = [p for name, p in model.named_parameters() if p.ndim != 2 or ".layers." not in name]
    adam = torch.optim.AdamW(others, lr=EMBEDDING_LR, betas=(0.9, 0.95), weight_decay=0.0)
    optimizers = [Muon(matrices, lr=MATRIX_LR), adam]
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    return optimizers


def learning_rate(done: float) -> float:
    """Factor of the peak learning rate when a share `done` of the training has passed."""
    if done < WARM_UP:
        return max(done / WARM_UP, 0.02)
    return max(0.05, min(1.0, (1 - done) / (1 - DECAY_FROM)))


def bits_per_character(model: Any, tokenizer: Any, texts: list[str], window: int) -> float:
    """Mean bits per character of `texts`, read in windows of `window` tokens."""
    import torch

    bits, read = 0.0, 0
    end = tokenizer.convert_tokens_to_ids(END_OF_TEXT)
    device = next(model.parameters()).device
    with torch.inference_mode():
        for ids, length in _windows(tokenizer, texts, window, end):
            rows = torch.tensor([ids], device=device)
            logits = model(input_ids=rows[:, :-1], use_cache=False).logits[0].float()
            bits += float(torch.nn.functional.cross_entropy(logits, rows[0, 1:], reduction="sum")) / math.log(
                2
            )
            read += length
    return bits / read


def _windows(tokenizer: Any, texts: list[str], window: int, end: int) -> Iterator[tuple[list[int], int]]:
    """Each text as windows of ids after an end token; the text's characters are counted with its first window."""
    for text in texts:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        for start in range(0, len(ids), window):
            yield (
                [ids[start - 1] if start else end, *ids[start : start + window]],
                len(text) if start == 0 else 0,
            )


def write_curve(rows: list[dict[str, float]], out: Path) -> None:
    """OUT/curve.csv and OUT/curve.png: bits per character on held-out documents against tokens read."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with (out / "curve.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[-1].keys(), extrasaction="ignore")  # a resume may add a figure
        writer.writeheader()
        writer.writerows(rows)
    figure, axes = pyplot.subplots(figsize=(7, 4))
    axes.plot([r["tokens"] / 1e6 for r in rows], [r["bits_per_character"] for r in rows], marker="o")
    axes.set(xlabel="million tokens read", ylabel="bits per character, held out")
    axes.grid(alpha=0.3)
    figure.savefig(out / "curve.png", dpi=120, bbox_inches="tight")
    pyplot.close(figure)
