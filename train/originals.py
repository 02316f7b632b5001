"""Writes the 8-grams of training texts as hashes: what the page compares each text with (space/originals.py).

    python -m train originals runs/data --out runs/originals.bin
    python -m train originals runs/data runs/conferences novels/ --out runs/originals.bin

Each DIR is an output of `prepare`, of which the training split counts, or a folder of texts that a base was pre-trained on. Of chats,
which are private, and with --private, only hashes are kept; otherwise the title and source of each document too, to be shown.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from index.documents import read_documents
from space.originals import WORDS, Originals, Source
from train.chat_examples import read_prepared
from train.errors import NoOriginals


@dataclass
class Texts:
    """What was read of all folders. `texts` are (number of the source, text); `corpora` says where from."""

    texts: list[tuple[int, str]] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    corpora: list[dict[str, Any]] = field(default_factory=list)
    private: bool = False

    def add(self, source: Source, *texts: str) -> None:
        self.texts += [(len(self.sources), text) for text in texts]
        self.sources.append(source)


def read(folders: list[Path]) -> Texts:
    """The training texts in `folders`. Raises NotPrepared, BadExample, BadSource, UnreadableText, NoDocuments, EmptyDocuments."""
    found = Texts()
    for folder in folders:
        if (folder / "prepared.json").is_file():
            manifest = read_prepared(folder).manifest
            found.corpora.append({"name": folder.name, "corpus_sha256": manifest["corpus_sha256"]})
            if manifest["recipe"] == "chat":
                found.private = True
                _add_chat(found, folder)
            else:
                _add_documents(found, folder)
        else:
            found.corpora.append({"name": folder.name, "corpus_sha256": None})
            for document in read_documents(folder):
                found.add(Source(document.title, document.source), document.text)
    return found


def _add_documents(found: Texts, folder: Path) -> None:
    with (folder / "documents.jsonl").open(encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            if row["split"] == "train":
                found.add(Source(row["title"], row["source"]), row["text"])


def _add_chat(found: Texts, folder: Path) -> None:
    """What the persona says in a conversation is one text, so that two answers in a row count; so is each message of others."""
    for row in read_prepared(folder).train:
        said = {
            role: [m["content"] for m in row["messages"] if m["role"] == role]
            for role in ("assistant", "user")
        }
        found.add(Source(""), "\n".join(said["assistant"]), *said["user"])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folders", type=Path, nargs="+", metavar="DIR", help="outputs of `prepare`, or folders of texts"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="file to write")
    parser.add_argument(
        "--private", action="store_true", help="keep no titles and sources (chats never have them)"
    )


def run(args: argparse.Namespace) -> None:
    """Read, hash and write. Raises NoOriginals where no text has 8 words, and the errors of `read`."""
    found = read(args.folders)
    private = args.private or found.private
    originals = Originals.of(found.texts, found.sources, found.corpora, private)
    if not len(originals.numbers):
        raise NoOriginals(paths=", ".join(map(str, args.folders)), words=WORDS)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    originals.save(args.out)
    corpus = sum(len(text.encode()) for _, text in found.texts)
    size = args.out.stat().st_size
    print(
        f"{args.out}: {len(originals.numbers):,} different 8-grams of {len(found.sources):,} documents; {size:,} bytes, "
        f"{size / corpus:.2f} MB per MB of text."
    )
    print(
        f"Of 8-grams that are not in them, {originals.false_positives:.2g} are taken for theirs; a span counts from "
        f"{originals.least_words} words on. {'Hashes only.' if private else 'With titles and sources.'}"
    )
