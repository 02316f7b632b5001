"""Embedders at build time: any sentence-transformers model, and its copy for a run time without torch.

Used by `python -m index build SOURCE --embedder MODEL --out DIR` and `python -m index evaluate QA.json --embedder MODEL`.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from index.embed import (
    DESCRIPTION,
    Embedder,
    EmbedderInfo,
    GGUFEmbedder,
    Vectors,
    encode_passages,
    load_runtime,
    unit,
    write_info,
)
from index.errors import BadEmbedder, EmbeddersDisagree

AGREEMENT = 0.99
_SAMPLE = 32
_HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w.-]+)?")


class TransformerEmbedder:
    """A sentence-transformers model; `name` is a Hub id, of which `revision` may be asked for, or a folder."""

    def __init__(
        self,
        name: str,
        query_prompt: str | None = None,
        passage_prompt: str | None = None,
        revision: str | None = None,
    ) -> None:
        from sentence_transformers import SentenceTransformer

        try:
            self.model = SentenceTransformer(name, revision=revision)
        except (OSError, ValueError) as error:
            raise BadEmbedder(path=name, reason=str(error).split("\n")[0]) from error
        prompts = self.model.prompts
        length = self.model.max_seq_length
        self.info = EmbedderInfo(
            kind="sentence-transformers",
            name=name,
            dimension=int(self.model.get_embedding_dimension() or 0),
            max_tokens=None if length is None or length == float("inf") else int(length),
            query_prompt=_prompt(prompts, query_prompt, "query"),
            passage_prompt=_prompt(prompts, passage_prompt, "passage", "document", "corpus"),
            revision=_hub_revision(name, revision),
        )
        self.truncated = 0

    def encode(self, texts: list[str]) -> Vectors:
        self.truncated += self._too_long(texts)
        vectors = self.model.encode(texts, prompt="", convert_to_numpy=True, show_progress_bar=False)
        return unit(np.asarray(vectors, dtype=np.float32))

    def _too_long(self, texts: list[str]) -> int:
        tokenizer = getattr(self.model, "tokenizer", None)
        if self.info.max_tokens is None or not callable(tokenizer):
            return 0
        lengths = map(len, tokenizer(texts, truncation=False, verbose=False)["input_ids"])
        return sum(length > self.info.max_tokens for length in lengths)

    def static_table(self) -> tuple[Any, Vectors] | None:
        """The tokenizer and the rows of a model that is one StaticEmbedding (and perhaps a Normalize), else None."""
        from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding

        modules = list(self.model)
        if not isinstance(modules[0], StaticEmbedding) or not all(
            isinstance(m, Normalize) for m in modules[1:]
        ):
            return None
        return modules[0].tokenizer, modules[0].embedding.weight.detach().float().cpu().numpy()


def load_embedder(
    name: str,
    query_prompt: str | None = None,
    passage_prompt: str | None = None,
    revision: str | None = None,
) -> Embedder:
    """An embedder folder of this project, a sentence-transformers folder or a Hub id (at `revision`, or its newest).

    Prompts None: those of the model's own configuration (`query`; `passage`, `document` or `corpus`). Raises BadEmbedder,
    and ModuleNotFoundError where sentence-transformers is needed and absent.
    """
    if (Path(name) / DESCRIPTION).is_file():
        embedder = load_runtime(Path(name))
        info = embedder.info
        query = info.query_prompt if query_prompt is None else query_prompt
        passage = info.passage_prompt if passage_prompt is None else passage_prompt
        embedder.info = replace(info, query_prompt=query, passage_prompt=passage)
        return embedder
    if not Path(name).exists() and not _HUB_ID.fullmatch(name):
        raise BadEmbedder(path=name, reason="no such folder")
    return TransformerEmbedder(name, query_prompt, passage_prompt, revision)


def write_runtime(
    embedder: Embedder, folder: Path, gguf: Path | None = None, sample: list[str] | None = None
) -> Embedder:
    """Writes the embedder folder of an index and returns the embedder to encode its passages with.

    A static model becomes int8 rows. Any other needs `gguf`, its conversion, which is copied when its vectors agree with
    the model's on `sample` (cosine at least 0.99, else EmbeddersDisagree); without it the folder only names the model.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not isinstance(embedder, TransformerEmbedder):
        return _copy_runtime(embedder, folder)
    table = embedder.static_table()
    if table:
        return write_static(*table, folder, embedder.info)
    if gguf is None:
        write_info(folder, embedder.info)
        return embedder
    info = replace(embedder.info, kind="gguf", max_tokens=min(embedder.info.max_tokens or 512, 512))
    verify_agreement(embedder, GGUFEmbedder(gguf, info), (sample or [])[:_SAMPLE])
    shutil.copyfile(gguf, folder / "embedder.gguf")
    write_info(folder, info)
    return embedder


def write_static(tokenizer: Any, table: Vectors, folder: Path, info: EmbedderInfo) -> Embedder:
    """Quantizes the rows to int8 (symmetric, by row) and writes a static embedder folder; returns its embedder."""
    scales = np.abs(table).max(axis=1) / 127
    rows = np.round(table / np.where(scales > 0, scales, 1)[:, None]).astype(np.int8)
    np.save(folder / "embeddings.npy", rows)
    np.save(folder / "scales.npy", scales.astype(np.float32))
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    write_info(folder, replace(info, kind="static", max_tokens=None, dimension=int(table.shape[1])))
    return load_runtime(folder)


def verify_agreement(model: Embedder, runtime: Embedder, sample: list[str]) -> float:
    """The lowest cosine between both embedders' vectors of `sample`. Raises EmbeddersDisagree below 0.99."""
    cosines = (encode_passages(model, sample) * encode_passages(runtime, sample)).sum(axis=1)
    lowest = float(cosines.min(initial=1.0))
    if lowest < AGREEMENT:
        raise EmbeddersDisagree(cosine=f"{lowest:.3f}", needed=AGREEMENT)
    return lowest


def languages(name: str) -> list[str]:
    """The languages that the README.md of a model folder names in its front matter; empty when it names none."""
    card = Path(name) / "README.md"
    if not card.is_file():
        return []
    found = re.match(r"---\n(.*?)\n---", card.read_text(encoding="utf-8"), re.S)
    listed = re.search(r"^language:\s*(.*(?:\n\s*-\s*\w+)*)", found[1] if found else "", re.M)
    return re.findall(r"\b[a-z]{2,3}\b|\bmultilingual\b", listed[1]) if listed else []


def _copy_runtime(embedder: Embedder, folder: Path) -> Embedder:
    source = getattr(embedder, "folder", None)
    if source is None:
        raise BadEmbedder(
            path=embedder.info.name, reason="neither an embedder folder nor a sentence-transformers model"
        )
    for path in sorted(p for p in Path(source).iterdir() if p.is_file()):
        shutil.copyfile(path, folder / path.name)
    write_info(folder, embedder.info)
    return embedder


def _hub_revision(name: str, revision: str | None) -> str | None:
    """The commit of a model that was just loaded from the Hub, by the client's cache; None for a folder."""
    if Path(name).exists():
        return None
    from huggingface_hub import try_to_load_from_cache

    for file in ("modules.json", "config.json"):
        if isinstance(found := try_to_load_from_cache(name, file, revision=revision), str):
            return Path(found).parent.name
    return None


def _prompt(prompts: dict[str, str], given: str | None, *names: str) -> str:
    if given is not None:
        return given
    return next((prompts[name] for name in names if prompts.get(name)), "")
