"""Small real embedders for the tests: a static one of random vectors, and a tiny random BERT as sentence-transformers model."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from index.embed import Embedder, EmbedderInfo
from index.encode import write_static
from index.train_embedder import train_wordpiece

TALKS = Path(__file__).parents[1] / "train" / "texts" / "talks"
VOCABULARY = 2000


def talk_texts(count: int = 30) -> list[str]:
    """The first talks of the project."""
    return [path.read_text(encoding="utf-8") for path in sorted(TALKS.glob("*.md"))[:count]]


def static_embedder(folder: Path, seed: int = 0, dimension: int = 64) -> Embedder:
    """Random token vectors, rarer tokens (later in the vocabulary) longer: a random projection of a bag of words."""
    tokenizer = train_wordpiece(talk_texts(), VOCABULARY)
    rows = np.random.default_rng(seed).normal(size=(tokenizer.get_vocab_size(), dimension))
    rows *= np.linspace(0.1, 1, len(rows))[:, None]
    folder.mkdir(parents=True, exist_ok=True)
    return write_static(
        tokenizer, rows.astype(np.float32), folder, EmbedderInfo("static", f"random-{seed}", dimension)
    )


def bert_folder(folder: Path, seed: int = 0) -> Path:
    """A sentence-transformers folder: random BERT (2 layers, hidden 64, 128 positions), mean pooling, query prompt."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    source = folder / "bert"
    source.mkdir(parents=True)
    pieces = BertWordPieceTokenizer(lowercase=True)
    pieces.train_from_iterator(talk_texts(), vocab_size=VOCABULARY, show_progress=False)
    pieces.save_model(str(source))
    BertTokenizerFast(str(source / "vocab.txt"), model_max_length=128).save_pretrained(source)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=pieces.get_vocab_size(),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=128,
    )
    BertModel(config).save_pretrained(source)
    transformer = Transformer(str(source), max_seq_length=128)
    pooling = Pooling(64, "mean")
    model = SentenceTransformer(
        modules=[transformer, pooling, Normalize()],
        prompts={"query": "query: ", "passage": "passage: "},
        device="cpu",
    )
    model.save(str(folder / "model"), create_model_card=False)
    return folder / "model"
