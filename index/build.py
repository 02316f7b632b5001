"""Builds an index: `python -m index build SOURCE --embedder MODEL --out DIR`.

SOURCE is a documents.jsonl or a folder of .txt and .md files; MODEL an embedder folder of this project, a
sentence-transformers folder or a Hub id. A model that is not static needs its GGUF (`--embedder-gguf F.gguf`, from
`python -m train export-embedder MODEL --out F.gguf`) to be searched without torch.
"""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from index.calibrate import HIGH, THRESHOLD, calibrate, scorer
from index.documents import Document, documents_sha256, read_documents
from index.embed import Embedder, Vectors, encode_passages, public_name
from index.encode import languages, load_embedder, write_runtime
from index.errors import BadWords, NoVector
from index.fusion import Ranker
from index.lexical import Lexical
from index.passages import WORDS, Passage, make_passages
from index.store import (
    BM25,
    EMBEDDER,
    VECTORS,
    Manifest,
    atomic_folder,
    write_manifest,
    write_passages,
)

_BATCH = 256
_MIN_WORDS = 20


@dataclass(frozen=True)
class BuildOptions:
    """`embedder`: a name or folder; prompts None: the model's own; `gguf`: its conversion; `words` a passage."""

    embedder: str
    gguf: Path | None = None
    query_prompt: str | None = None
    passage_prompt: str | None = None
    words: int = WORDS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", type=Path, metavar="SOURCE", help="documents.jsonl, or a folder of .txt and .md files"
    )
    parser.add_argument(
        "--embedder",
        required=True,
        metavar="MODEL",
        help="an embedder folder, a sentence-transformers folder or a Hub id",
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="the index folder; an index already there is replaced"
    )
    parser.add_argument("--embedder-gguf", type=Path, help="the model's GGUF, for a run time without torch")
    parser.add_argument(
        "--query-prompt", help='put before every query, as "query: " for e5 (default: the model\'s own)'
    )
    parser.add_argument(
        "--passage-prompt", help='put before every passage, as "passage: " for e5 (default: the model\'s own)'
    )
    parser.add_argument("--words", type=int, default=WORDS, help=f"words a passage (default {WORDS})")


def run(args: argparse.Namespace) -> None:
    options = BuildOptions(
        args.embedder, args.embedder_gguf, args.query_prompt, args.passage_prompt, args.words
    )
    manifest = build_index(read_documents(args.source), args.out, options)
    print(summary(manifest, args.out))


def build_index(documents: list[Document], out: Path, options: BuildOptions) -> Manifest:
    """Writes the index folder `out`, complete or not at all, and returns its manifest.

    Raises BadWords, OutputExists, BadEmbedder, EmbeddersDisagree, NoVector (a passage without any known token).
    """
    import faiss

    if options.words < _MIN_WORDS:
        raise BadWords(words=options.words, least=_MIN_WORDS)
    embedder = load_embedder(options.embedder, options.query_prompt, options.passage_prompt)
    _warn_language(options.embedder)
    passages, cut = make_passages(documents, options.words)
    texts = [passage.text for passage in passages]
    with atomic_folder(out) as folder:
        runtime = write_runtime(embedder, folder / EMBEDDER, options.gguf, texts)
        vectors = _encode(runtime, passages)
        truncated = runtime.truncated
        flat = faiss.IndexFlatIP(runtime.info.dimension)
        flat.add(vectors)
        faiss.write_index(flat, str(folder / VECTORS))
        headings = {document.id: document.heading for document in documents}
        lexical = Lexical.build(f"{p.text}\n{headings[p.document]}" for p in passages)
        lexical.save(folder / BM25)
        write_passages(folder, passages)
        manifest = Manifest(
            documents=len(documents),
            passages=len(passages),
            words=options.words,
            cut_sentences=cut,
            truncated_passages=truncated,
            embedder=_describe(folder / EMBEDDER, runtime),
            threshold=THRESHOLD,
            high=HIGH,
            calibration=calibrate(Ranker(flat, lexical), runtime, passages),
            documents_sha256=documents_sha256(documents),
        )
        write_manifest(folder, manifest)
    return manifest


def summary(manifest: Manifest, out: Path) -> str:
    """What was built, and what was cut, in lines for a person."""
    score = scorer(manifest.calibration)
    passed = {
        name: float(np.mean(score(np.array(values)) >= manifest.threshold)) if values else 0.0
        for name, values in (
            ("unrelated", manifest.calibration.unrelated),
            ("related", manifest.calibration.related),
        )
    }
    recall = (
        ", ".join(f"{name} {value:.2f}" for name, value in manifest.calibration.recall.items())
        or "not measured"
    )
    return (
        f"{out}: {manifest.documents} documents, {manifest.passages} passages of about {manifest.words} words\n"
        f"embedder {manifest.embedder['name']} ({manifest.embedder['kind']}, {manifest.embedder['dimension']} dimensions)\n"
        f"sentences cut because they are longer than a passage: {manifest.cut_sentences}; "
        f"passages read only in part by the embedder: {manifest.truncated_passages}\n"
        f"inverse cloze recall@5: {recall}; weight of the dense score {manifest.calibration.dense_weight}\n"
        f"above the threshold: {passed['unrelated']:.0%} of unrelated queries, {passed['related']:.0%} of the corpus's own sentences"
    )


def _encode(embedder: Embedder, passages: list[Passage]) -> Vectors:
    from tqdm import tqdm

    parts = []
    with tqdm(total=len(passages), desc="embedding", unit="passage", disable=None) as progress:
        for start in range(0, len(passages), _BATCH):
            batch = passages[start : start + _BATCH]
            vectors = encode_passages(embedder, [passage.text for passage in batch])
            for passage, length in zip(batch, np.linalg.norm(vectors, axis=1), strict=True):
                if not length > 0.5:
                    raise NoVector(
                        document=passage.document, position=passage.position, text=passage.text[:60]
                    )
            parts.append(vectors)
            progress.update(len(batch))
    return np.concatenate(parts)


def _describe(folder: Path, embedder: Embedder) -> dict[str, Any]:
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    info = embedder.info
    kind = "gguf" if (folder / "embedder.gguf").is_file() else info.kind
    name = public_name(info.name, kind)
    described = {"name": name, "kind": kind, "dimension": info.dimension, "sha256": digest.hexdigest()}
    return described | {"revision": info.revision}


def _warn_language(name: str) -> None:
    named = languages(name)
    if named and not {"es", "spa", "multilingual"} & set(named) and len(named) < 10:
        print(
            f"warning: the model card of {name} names the languages {', '.join(named)}, not Spanish; compare it first: python -m index evaluate"
        )
