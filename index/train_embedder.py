"""Trains a small static embedder from scratch: `python -m index embedder SOURCE... --out DIR`.

SOURCE: folders of .txt/.md, documents.jsonl, SQuAD-format .json files. The result is a sentence-transformers folder: one
StaticEmbedding module (mean of token vectors) over its own WordPiece tokenizer (lower case, accents folded), trained with
MultipleNegativesRankingLoss in both directions on the pairs of index/pairs.py.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from index.errors import NoDocuments, OutputExists
from index.pairs import PairSampler, read_texts

_SCALE = 20.0


@dataclass(frozen=True)
class EmbedderConfig:
    """The training's settings; `max_minutes` ends it early with the schedule finished by time."""

    dimension: int = 256
    vocabulary: int = 24_000
    epochs: int = 4
    batch: int = 1024
    learning_rate: float = 0.1
    max_minutes: float = 60.0
    seed: int = 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    default = EmbedderConfig()
    parser.add_argument(
        "sources",
        nargs="+",
        type=Path,
        metavar="SOURCE",
        help="folders of texts, documents.jsonl, SQuAD-format .json",
    )
    parser.add_argument("--out", required=True, type=Path, help="the sentence-transformers folder to write")
    parser.add_argument("--dimension", type=int, default=default.dimension)
    parser.add_argument("--vocabulary", type=int, default=default.vocabulary, help="pieces of the tokenizer")
    parser.add_argument("--epochs", type=int, default=default.epochs)
    parser.add_argument(
        "--batch",
        type=int,
        default=default.batch,
        help="pairs a step; the others of a batch are the negatives",
    )
    parser.add_argument("--learning-rate", type=float, default=default.learning_rate)
    parser.add_argument(
        "--max-minutes",
        type=float,
        default=default.max_minutes,
        help="the schedule ends by then at the latest",
    )
    parser.add_argument("--seed", type=int, default=default.seed)


def run(args: argparse.Namespace) -> None:
    values = {name: getattr(args, name) for name in EmbedderConfig.__dataclass_fields__}
    train_embedder(args.sources, args.out, EmbedderConfig(**values))


def train_embedder(sources: list[Path], out: Path, config: EmbedderConfig) -> Path:
    """Trains and saves the embedder; returns `out`. Raises OutputExists, NoDocuments and the readers' errors."""
    if out.exists() and any(out.iterdir()):
        raise OutputExists(path=out)
    texts = read_texts(sources)
    passages = sum(map(len, texts.documents))
    questions = len(texts.questions)
    if passages + questions < 2:
        raise NoDocuments(path=", ".join(map(str, sources)))
    print(f"{passages} passages, {questions} question pairs", flush=True)
    tokenizer = train_wordpiece(texts.all_text(), config.vocabulary)
    print(f"tokenizer: {tokenizer.get_vocab_size()} pieces", flush=True)
    random = np.random.default_rng(config.seed)
    sampler = PairSampler(texts, lambda batch: _encode(tokenizer, batch), random)
    model, losses = _train(tokenizer, sampler, config)
    model.save(str(out), create_model_card=False)
    (out / "README.md").write_text(_card(passages, questions, config, losses), encoding="utf-8")
    print(f"loss {losses[0]:.3f} → {losses[-1]:.3f}; written to {out}")
    return out


def train_wordpiece(texts: Iterable[str], vocabulary: int) -> Any:
    """A tokenizers.Tokenizer: NFKD, no accents, lower case, words and single punctuation marks, WordPiece."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.BertPreTokenizer(), pre_tokenizers.Digits()]
    )
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=["[UNK]"],
        limit_alphabet=200,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _encode(tokenizer: Any, texts: list[str]) -> list[np.ndarray[Any, np.dtype[np.int32]]]:
    step = 20_000
    return [
        np.array(encoding.ids, dtype=np.int32)
        for start in range(0, len(texts), step)
        for encoding in tokenizer.encode_batch_fast(texts[start : start + step], add_special_tokens=False)
    ]


def _train(tokenizer: Any, sampler: PairSampler, config: EmbedderConfig) -> tuple[Any, list[float]]:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tqdm import tqdm

    torch.manual_seed(config.seed)
    module = StaticEmbedding(tokenizer, embedding_dim=config.dimension)
    model = SentenceTransformer(modules=[module], device="cpu")
    loss_of = MultipleNegativesRankingLoss(model, scale=_SCALE, directions=("query_to_doc", "doc_to_query"))
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    steps = -(-len(sampler) // config.batch) * config.epochs
    losses: list[float] = []
    started = time.monotonic()
    with tqdm(total=steps, desc="embedder", unit="step", mininterval=2.0) as progress:
        for _ in range(config.epochs):
            for queries, passages in sampler.epoch(config.batch):
                elapsed = (time.monotonic() - started) / (60 * config.max_minutes)
                done = max(progress.n / steps, elapsed)
                for group in optimizer.param_groups:
                    group["lr"] = (
                        config.learning_rate
                        * min(1.0, (progress.n + 1) / (0.05 * steps))
                        * max(0.0, 1 - done)
                    )
                loss = loss_of([_features(queries), _features(passages)], torch.empty(0))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
                progress.update()
                progress.set_postfix(loss=f"{np.mean(losses[-50:]):.3f}")
                if elapsed >= 1:
                    return model, losses
    return model, losses


def _features(batch: list[np.ndarray[Any, np.dtype[np.int32]]]) -> dict[str, Any]:
    import torch

    offsets = np.cumsum([0] + [len(ids) for ids in batch[:-1]])
    return {
        "input_ids": torch.from_numpy(np.concatenate(batch)),
        "offsets": torch.from_numpy(offsets.astype(np.int32)),
    }


def _card(passages: int, questions: int, config: EmbedderConfig, losses: list[float]) -> str:
    return (
        "---\nlanguage: [es]\nlibrary_name: sentence-transformers\npipeline_tag: sentence-similarity\n"
        "tags: [static-embedding]\n---\n"
        f"# Spanish static embedder, {config.dimension} dimensions\n\n"
        f"Mean of token vectors, trained from scratch by `python -m index embedder` on {passages} passages "
        f"and {questions} question pairs, {len(losses)} steps, loss {losses[0]:.3f} → {losses[-1]:.3f}.\n\n"
        f"Settings: `{json.dumps(asdict(config))}`\n"
    )
