"""Embedders at run time, without torch: what the Space uses, read from the `embedder/` folder of an index.

An embedder folder holds embedder.json and, by its kind:
- `static`: tokenizer.json, embeddings.npy (int8 rows) and scales.npy (float32, one a row); a text's vector is the mean of
  its tokens' rows, as sentence-transformers' StaticEmbedding computes it;
- `gguf`: embedder.gguf, run by llama.cpp with the pooling that the file names;
- `sentence-transformers`: nothing more; the library itself must be installed.

`python -m index search DIR QUERY` shows one at work.
"""

from __future__ import annotations

import json
import threading
import weakref
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from index.backend import load_backend
from index.errors import BadEmbedder, NeedsSentenceTransformers, TextTooLong

Vectors = np.ndarray[Any, np.dtype[np.float32]]
DESCRIPTION = "embedder.json"


@dataclass(frozen=True)
class EmbedderInfo:
    """embedder.json. `max_tokens` None: a text of any length is read whole; prompts are put before every text of their kind;
    `revision` is the Hub's, None for a folder."""

    kind: str
    name: str
    dimension: int
    max_tokens: int | None = None
    query_prompt: str = ""
    passage_prompt: str = ""
    revision: str | None = None


class Embedder(Protocol):
    """Texts to unit vectors; `truncated` counts the texts of which only the first `max_tokens` tokens were read."""

    info: EmbedderInfo
    truncated: int

    def encode(self, texts: list[str]) -> Vectors:
        """float32 [len(texts), dimension], rows of length 1; the zero row for a text without any token."""
        ...


def encode_passages(embedder: Embedder, texts: list[str]) -> Vectors:
    """The vectors of passages, with the embedder's passage prompt."""
    return embedder.encode([embedder.info.passage_prompt + text for text in texts])


def encode_query(embedder: Embedder, text: str) -> Vectors:
    """The vector of a query [dimension], with the query prompt. Raises TextTooLong where it would be cut."""
    before = embedder.truncated
    vector = embedder.encode([embedder.info.query_prompt + text])[0]
    if embedder.truncated > before:
        raise TextTooLong(limit=embedder.info.max_tokens)
    return vector


def load_runtime(folder: Path) -> Embedder:
    """The embedder of an embedder folder. Raises BadEmbedder, NeedsSentenceTransformers."""
    try:
        info = EmbedderInfo(**json.loads((folder / DESCRIPTION).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise BadEmbedder(path=folder, reason=f"{DESCRIPTION}: {error}") from error
    if info.kind == "static":
        return StaticEmbedder(folder, info)
    if info.kind == "gguf":
        return GGUFEmbedder(folder / "embedder.gguf", info)
    if info.kind == "sentence-transformers":
        try:
            from index.encode import load_embedder

            return load_embedder(info.name, info.query_prompt, info.passage_prompt, info.revision)
        except ModuleNotFoundError as error:
            raise NeedsSentenceTransformers(name=info.name) from error
    raise BadEmbedder(path=folder, reason=f"kind {info.kind!r}")


def public_name(name: str, kind: str) -> str:
    """`name` without the folders of the maker's machine, for an index that carries its embedder and may be published."""
    path = Path(name)
    return path.name if path.is_absolute() and kind != "sentence-transformers" else name


def write_info(folder: Path, info: EmbedderInfo) -> None:
    """Writes embedder.json."""
    text = json.dumps(
        {**asdict(info), "name": public_name(info.name, info.kind)}, ensure_ascii=False, indent=2
    )
    (folder / DESCRIPTION).write_text(text + "\n", encoding="utf-8")


def unit(vectors: Vectors) -> Vectors:
    """Rows scaled to length 1; zero rows stay zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)


class StaticEmbedder:
    """Mean of token vectors. About 1 ms for a passage; the table stays int8 in memory."""

    def __init__(self, folder: Path, info: EmbedderInfo) -> None:
        from tokenizers import Tokenizer

        self.info = info
        self.folder = folder
        self.truncated = 0
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            self._rows = np.load(folder / "embeddings.npy")
            self._scales = np.load(folder / "scales.npy")
        except Exception as error:  # tokenizers raises plain Exception
            raise BadEmbedder(path=folder, reason=error) from error
        vocabulary = self._tokenizer.get_vocab_size()
        if self._rows.shape != (len(self._scales), info.dimension) or len(self._rows) < vocabulary:
            raise BadEmbedder(path=folder, reason=f"rows {self._rows.shape}, vocabulary {vocabulary}")
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def encode(self, texts: list[str]) -> Vectors:
        vectors = np.zeros((len(texts), self.info.dimension), dtype=np.float32)
        for row, encoding in enumerate(self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)):
            if encoding.ids:
                vectors[row] = self._scales[encoding.ids] @ self._rows[encoding.ids].astype(np.float32)
        return unit(vectors)


class GGUFEmbedder:
    """A BERT-like encoder run by llama.cpp; one text at a time, under a lock (a llama context serves one caller)."""

    def __init__(self, path: Path, info: EmbedderInfo, threads: int = 2) -> None:
        from llama_cpp import Llama, llama_batch_free, llama_batch_init

        if not path.is_file():
            raise BadEmbedder(path=path, reason="missing")
        load_backend()
        self.info = info
        self.folder = path.parent
        self.truncated = 0
        self._limit = info.max_tokens or 512
        self._lock = threading.Lock()
        size = {"n_ctx": self._limit, "n_batch": self._limit, "n_ubatch": self._limit}
        try:
            self._llama = Llama(
                str(path), embedding=True, n_threads=threads, n_threads_batch=threads, verbose=False, **size
            )
        except ValueError as error:
            raise BadEmbedder(path=path, reason=error) from error
        self._batch = llama_batch_init(self._limit, 0, 1)
        weakref.finalize(self, llama_batch_free, self._batch)
        weakref.finalize(self, self._llama.close)  # before the interpreter takes llama_cpp apart
        if self._llama.n_embd() != info.dimension or not self._llama.pooling_type():
            found = f"dimension {self._llama.n_embd()}, pooling {self._llama.pooling_type()}"
            raise BadEmbedder(path=path, reason=f"{found}; expected dimension {info.dimension} and a pooling")

    def encode(self, texts: list[str]) -> Vectors:
        vectors = np.zeros((len(texts), self.info.dimension), dtype=np.float32)
        with self._lock:
            for row, text in enumerate(texts):
                vectors[row] = self._encode(self._tokens(text))
        return unit(vectors)

    def _tokens(self, text: str) -> list[int]:
        """The text's tokens, cut as sentence-transformers cuts them: the end token stays."""
        tokens = self._llama.tokenize(text.encode("utf-8", "replace"))
        if len(tokens) <= self._limit:
            return tokens
        self.truncated += 1
        return [*tokens[: self._limit - 1], tokens[-1]]

    def _encode(self, tokens: list[int]) -> Vectors:
        import llama_cpp

        context = self._llama.ctx
        memory = llama_cpp.llama_get_memory(context)
        if memory:  # a decoder keeps the text before; an encoder has no memory
            llama_cpp.llama_memory_clear(memory, True)
        self._batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            self._batch.token[i], self._batch.pos[i], self._batch.logits[i] = token, i, True
            self._batch.n_seq_id[i], self._batch.seq_id[i][0] = 1, 0
        if llama_cpp.llama_decode(context, self._batch):
            raise BadEmbedder(path=self.folder, reason="llama.cpp could not compute a vector")
        return np.array(
            llama_cpp.llama_get_embeddings_seq(context, 0)[: self.info.dimension], dtype=np.float32
        )
