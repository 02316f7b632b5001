"""Texts to token files for pre-training: read, clean, drop repeated paragraphs, hold documents out, tokenise.

Used by `python -m train pretrain`, which writes the result once into `OUT/data` and reads it again on resume.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from train.audit import Audit
from train.clean import paragraphs, plain_text
from train.decoding import NotText, decode
from train.errors import NoCorpus
from train.tokenizer import END_OF_TEXT, train_tokenizer

HOLDOUT_EVERY = 50
"""One document in fifty, chosen by the hash of its path, is held out for evaluation and never trained on."""
_TOKENIZER_CHARS = 20_000_000


@dataclass(frozen=True)
class Source:
    """A folder of .txt or .md files and the most characters to take from it (None: all)."""

    folder: Path
    limit: int | None = None

    @classmethod
    def parse(cls, text: str) -> Source:
        """`FOLDER` or `FOLDER=MILLIONS`, the second taking that many million characters, spread over the files."""
        folder, _, millions = text.partition("=")
        return cls(Path(folder), int(float(millions) * 1e6) if millions else None)


@dataclass(frozen=True)
class Prepared:
    """Token ids (uint16) of the training stream, held-out texts by file name, and what was counted on the way."""

    tokens: np.ndarray
    heldout: dict[str, str]
    counts: dict[str, Any]


def prepare(sources: list[Source], vocabulary: int, out: Path) -> Prepared:
    """The data of `out`, made when it is not there yet; `out` receives tokens.npy, heldout.json and the tokenizer.

    Raises NoCorpus when a source holds no readable text.
    """
    if (out / "counts.json").is_file():
        counts = json.loads((out / "counts.json").read_text("utf-8"))
        heldout = json.loads((out / "heldout.json").read_text("utf-8"))
        return Prepared(np.load(out / "tokens.npy", mmap_mode="r"), heldout, counts)
    out.mkdir(parents=True, exist_ok=True)
    texts, heldout, counts = _read(sources)
    train_tokenizer(_sample(texts, _TOKENIZER_CHARS), vocabulary, out)
    tokens = _tokenize(texts, out)
    np.save(out / "tokens.npy", tokens)
    counts |= {"tokens": len(tokens), "characters": sum(map(len, texts)), "heldout_documents": len(heldout)}
    (out / "heldout.json").write_text(json.dumps(heldout, ensure_ascii=False), "utf-8")
    (out / "counts.json").write_text(json.dumps(counts, ensure_ascii=False, indent=1), "utf-8")
    return Prepared(tokens, heldout, counts)


def _read(sources: list[Source]) -> tuple[list[str], dict[str, str], dict[str, Any]]:
    """Training texts (shuffled), held-out texts, counts. A paragraph seen before is left out of both."""
    texts: list[str] = []
    heldout: dict[str, str] = {}
    report: dict[str, Any] = {}
    seen: set[bytes] = set()
    for source in sources:
        audit, taken, held = Audit(), 0, 0
        for number, (name, text) in enumerate(_documents(source, seen, audit)):
            if number % HOLDOUT_EVERY == 0:
                heldout[name] = text
                held += len(text)
            elif source.limit is None or taken < source.limit:
                texts.append(text)
                taken += len(text)
        if not taken:
            raise NoCorpus(path=source.folder, found="no readable text")
        report[source.folder.name] = {
            "characters": taken,
            "held_out": held,
            "dropped": audit.summary("dropped"),
        }
    random.Random(0).shuffle(texts)
    return texts, heldout, {"sources": report}


def _documents(source: Source, seen: set[bytes], audit: Audit) -> Iterator[tuple[str, str]]:
    """Name below the folder and text, in the order of the names' hashes."""
    files = sorted(p for p in source.folder.rglob("*") if p.suffix in {".txt", ".md"})
    ranked = sorted(files, key=lambda p: _digest(p.relative_to(source.folder).as_posix()))
    for path in ranked:
        try:
            text = plain_text(decode(path.read_bytes()).text, audit, path.name)
        except NotText as error:
            audit.skipped_file(path.name, str(error))
            continue
        kept = [p for p in paragraphs(text, audit, path.name) if _is_new(p, seen, audit)]
        if kept:
            yield path.relative_to(source.folder).as_posix(), "\n\n".join(kept)


def _is_new(paragraph: str, seen: set[bytes], audit: Audit) -> bool:
    """Whether to keep it: no speaker label or heading in capitals, and, when longer than 60 characters, not seen."""
    if paragraph.isupper():
        audit.dropped("labels and headings in capitals")
        return False
    if len(paragraph) > 60:
        digest = _digest(paragraph)
        if digest in seen:
            audit.dropped("repeated paragraphs")
            return False
        seen.add(digest)
    return True


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=8).digest()


def _sample(texts: list[str], characters: int) -> Iterator[str]:
    taken = 0
    for text in texts:
        if taken > characters:
            return
        taken += len(text)
        yield from (p[:10_000] for p in text.split("\n\n"))


def _tokenize(texts: list[str], folder: Path) -> np.ndarray:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    end = tokenizer.convert_tokens_to_ids(END_OF_TEXT)
    parts = []
    for start in range(0, len(texts), 256):
        for ids in tokenizer(texts[start : start + 256], add_special_tokens=False)["input_ids"]:
            parts.append(np.array([*ids, end], dtype=np.uint16))
    return np.concatenate(parts)


def describe(sources: list[Source]) -> list[dict[str, Any]]:
    """The sources by name only, for the lineage: no path of the maker's machine."""
    return [asdict(source) | {"folder": source.folder.name} for source in sources]
