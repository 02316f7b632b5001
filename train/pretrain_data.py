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
"""One document in fifty, chosen by the hash of its path, is held out for evaluation and never trained on. Of an output
of `prepare`, the validation and test documents are."""
EVALUATED_CHARACTERS, EVALUATED_DOCUMENTS = 60_000, 20
"""What is evaluated on, at most, of each source: equal pieces from the middle of documents."""
_TOKENIZER_CHARS = 20_000_000


@dataclass(frozen=True)
class Source:
    """A folder of .txt or .md files, or an output of `prepare`, and the most characters to take from it (None: all)."""

    folder: Path
    limit: int | None = None

    @classmethod
    def parse(cls, text: str) -> Source:
        """`FOLDER` or `FOLDER=MILLIONS`, the second taking that many million characters, spread over the files."""
        folder, _, millions = text.partition("=")
        return cls(Path(folder), int(float(millions) * 1e6) if millions else None)


@dataclass(frozen=True)
class Prepared:
    """Token ids (uint16) of the training stream, held-out texts by source and name, and what was counted on the way."""

    tokens: np.ndarray
    heldout: dict[str, dict[str, str]]
    counts: dict[str, Any]

    @property
    def heldout_names(self) -> set[str]:
        return {name for texts in self.heldout.values() for name in texts}

    def evaluated(self) -> dict[str, list[str]]:
        """By source, the texts that bits per character are measured on: the middle of some documents, not their greetings."""
        pieces = {}
        for source, texts in self.heldout.items():
            chosen = [texts[name] for name in sorted(texts, key=_digest)[:EVALUATED_DOCUMENTS]]
            half = EVALUATED_CHARACTERS // len(chosen) // 2
            pieces[source] = [t[max(0, len(t) // 2 - half) : len(t) // 2 + half] for t in chosen]
        return pieces


def prepare(sources: list[Source], vocabulary: int, out: Path) -> Prepared:
    """The data of `out`, made when it is not there yet; `out` receives tokens.npy, heldout.json and the tokenizer.

    Raises NoCorpus when a source holds no readable text, or none of them a document to hold out.
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
    counts |= {"tokens": len(tokens), "characters": sum(map(len, texts))}
    (out / "heldout.json").write_text(json.dumps(heldout, ensure_ascii=False), "utf-8")
    (out / "counts.json").write_text(json.dumps(counts, ensure_ascii=False, indent=1), "utf-8")
    return Prepared(tokens, heldout, counts)


def _read(sources: list[Source]) -> tuple[list[str], dict[str, dict[str, str]], dict[str, Any]]:
    """Training texts (shuffled), held-out texts by source, counts. A paragraph seen before is left out of both."""
    texts: list[str] = []
    heldout: dict[str, dict[str, str]] = {}
    report: dict[str, Any] = {}
    seen: set[bytes] = set()
    for source in sources:
        audit, taken, held = Audit(), 0, {}
        for name, is_held_out, text in _documents(source, seen, audit):
            if is_held_out:
                held[name] = text
            elif source.limit is None or taken < source.limit:
                texts.append(text)
                taken += len(text)
        if not taken:
            raise NoCorpus(path=source.folder, found="no readable text")
        heldout |= {source.folder.name: held} if held else {}
        report[source.folder.name] = {
            "characters": taken,
            "held_out": sum(map(len, held.values())),
            "held_out_documents": len(held),
            "dropped": audit.summary("dropped"),
        }
    if not heldout:
        raise NoCorpus(path=sources[0].folder, found="no document to hold out; give more")
    random.Random(0).shuffle(texts)
    return texts, heldout, {"sources": report}


def _documents(source: Source, seen: set[bytes], audit: Audit) -> Iterator[tuple[str, bool, str]]:
    """Name, whether it is held out, and text, in the order of the names' hashes."""
    prepared = source.folder / "documents.jsonl"
    found = _prepared(prepared) if prepared.is_file() else _files(source.folder, audit)
    for name, is_held_out, text in found:
        kept = [p for p in paragraphs(text, audit, name) if _is_new(p, seen, audit)]
        if kept:
            yield name, is_held_out, "\n\n".join(kept)


def _prepared(path: Path) -> Iterator[tuple[str, bool, str]]:
    with path.open(encoding="utf-8") as lines:
        documents = sorted(map(json.loads, lines), key=lambda d: _digest(d["id"]))
    for document in documents:
        yield document["id"], document["split"] != "train", document["text"]


def _files(folder: Path, audit: Audit) -> Iterator[tuple[str, bool, str]]:
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.suffix in {".txt", ".md"}}
    for number, name in enumerate(sorted(files, key=_digest)):
        try:
            text = plain_text(decode(files[name].read_bytes()).text, audit, name)
        except NotText as error:
            audit.skipped_file(name, str(error))
            continue
        yield name, number % HOLDOUT_EVERY == 0, text


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
