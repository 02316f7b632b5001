"""The 8-grams of training texts as one compact file of hashes, so that what is written can be compared with them.

    python -m train originals PREPARED --out FILE      writes it
    found = Originals.load(FILE).find(hashes)

A word is hashed with a salt, without case, accents and punctuation; 8 words in a row become one number below `range`. The file:
a line `orador-originals 1`, the length of a header in 4 bytes, the header (JSON), and from the next multiple of 64 the numbers,
sorted, 4 bytes each, then the document where each was seen first; the last 32 bytes are the SHA-256 of all before. A text that was never seen is taken for seen at the rate of
`false_positives` an 8-gram. Texts that must stay private have no documents, and a range so small (PRIVATE_RANGE numbers an 8-gram) that a guessed
phrase may be in the file by chance.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from space.errors import OriginalsInvalid

WORDS = 8
WORD = re.compile(r"[^\W_]+")
PRIVATE_RANGE = 64
LARGEST_RANGE = 2**32
BY_CHANCE = 1e-5
"""So rarely may a run of 8-grams count as copied although it is chance."""
_MAGIC = b"orador-originals 1\n"
_ALIGN = 64
_DIGEST = 32
_ODD = np.random.default_rng(8).integers(0, 2**63, WORDS, dtype=np.uint64) * 2 + 1
_MIX = np.uint64(0x9E3779B97F4A7C15)
_CACHED_WORDS = 1 << 18


@dataclass(frozen=True)
class Source:
    """A document that was learned from: what a visitor may be shown of it."""

    title: str
    source: str = ""


@dataclass(frozen=True, eq=False)
class Originals:
    """`numbers` uint32 [n], sorted; `documents` [n], indexes of `sources`, None for private texts; `range` up to 2**32.

    `corpora` names what was read: `{"name", "corpus_sha256"}` each.
    """

    salt: bytes
    range: int
    numbers: np.ndarray
    documents: np.ndarray | None
    sources: tuple[Source, ...] = ()
    corpora: tuple[dict[str, Any], ...] = ()
    word: Callable[[str], int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "word", lru_cache(_CACHED_WORDS)(self._word))

    @classmethod
    def of(
        cls,
        texts: Sequence[tuple[int, str]],
        sources: Sequence[Source],
        corpora: Sequence[dict[str, Any]] = (),
        private: bool = False,
    ) -> Originals:
        """Of `texts` with the number of the source each belongs to; the same texts give the same bytes."""
        digest = hashlib.blake2b(digest_size=16)
        for _, text in texts:
            digest.update(text.encode("utf-8", "replace") + b"\0")
        empty = cls(digest.digest(), LARGEST_RANGE, np.empty(0, np.uint32), None)
        parts, owners = [np.empty(0, np.uint64)], [np.empty(0, np.uint32)]
        for number, text in texts:
            parts.append(empty.hashes([empty.word(word) for word in words(text)]))
            owners.append(np.full(len(parts[-1]), number, np.uint32))
        hashes, first = np.unique(np.concatenate(parts), return_index=True)
        size = min(LARGEST_RANGE, max(1, len(hashes)) * PRIVATE_RANGE) if private else LARGEST_RANGE
        numbers, kept = np.unique(_below(hashes, size), return_index=True)
        smallest = np.uint16 if len(sources) <= 2**16 else np.uint32
        documents = None if private else np.concatenate(owners)[first][kept].astype(smallest)
        return cls(empty.salt, size, numbers, documents, () if private else tuple(sources), tuple(corpora))

    @classmethod
    def load(cls, path: Path) -> Originals:
        """The file `path`, its numbers mapped into memory, not read into it. Raises OriginalsInvalid."""
        try:
            data: np.ndarray = np.memmap(path, np.uint8, "r")
            header, start = _header(data)
            count, width = header["ngrams"], header["document_bytes"]
            middle, end = start + 4 * count, start + count * (4 + width)
            if len(data) != end + _DIGEST:
                raise ValueError(f"it has {len(data):,} bytes, not {end + _DIGEST:,}")
            if hashlib.sha256(data.data[:end]).digest() != data[end:].tobytes():
                raise ValueError("its bytes are not those that were written")
            documents = data[middle:end].view({2: np.uint16, 4: np.uint32}[width]) if width else None
            return cls(
                bytes.fromhex(header["salt"]),
                header["range"],
                data[start:middle].view(np.uint32),
                documents,
                tuple(Source(*pair) for pair in header["sources"]),
                tuple(header["corpora"]),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OriginalsInvalid(file=path.name, reason=error) from error

    def save(self, path: Path) -> None:
        """Writes the file, whole or not at all."""
        payload = self.numbers.tobytes() + (b"" if self.documents is None else self.documents.tobytes())
        header = {
            "ngrams": len(self.numbers),
            "document_bytes": 0 if self.documents is None else self.documents.itemsize,
            "range": self.range,
            "salt": self.salt.hex(),
            "corpora": list(self.corpora),
            "sources": [[source.title, source.source] for source in self.sources],
        }
        text = json.dumps(header, ensure_ascii=False).encode()
        begin = _MAGIC + len(text).to_bytes(4, "little") + text
        whole = begin + b"\0" * (-len(begin) % _ALIGN) + payload
        part = path.with_name(path.name + ".part")
        part.write_bytes(whole + hashlib.sha256(whole).digest())
        part.replace(path)

    @property
    def private(self) -> bool:
        """Whether nothing is kept of the texts but numbers."""
        return self.documents is None

    @property
    def false_positives(self) -> float:
        """The share of unseen 8-grams that are taken for seen."""
        return len(self.numbers) / self.range

    @property
    def least(self) -> int:
        """So many 8-grams in a row are no chance."""
        if not len(self.numbers):
            return 1
        return max(1, math.ceil(math.log(BY_CHANCE) / math.log(min(0.5, self.false_positives))))

    @property
    def least_words(self) -> int:
        """The words of the shortest span that counts."""
        return self.least + WORDS - 1

    def _word(self, word: str) -> int:
        plain = unicodedata.normalize("NFKD", word.lower())
        plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
        return int.from_bytes(
            hashlib.blake2b(plain.encode("utf-8", "replace"), digest_size=8, key=self.salt).digest(), "little"
        )

    def hashes(self, words: Sequence[int]) -> np.ndarray:
        """The hash, uint64, of each 8 of `words` (what `word` gave) in a row."""
        count = max(0, len(words) - WORDS + 1)
        row = np.array(words, np.uint64)
        total = np.zeros(count, np.uint64)
        for place in range(WORDS if count else 0):
            total += row[place : place + count] * _ODD[place]
        total ^= total >> np.uint64(32)
        total *= _MIX
        return total ^ (total >> np.uint64(29))

    def find(self, hashes: np.ndarray) -> np.ndarray:
        """For each 8-gram the number of its document (0 for private texts), -1 where it was not seen; int64."""
        if not len(self.numbers):
            return np.full(len(hashes), -1, np.int64)
        wanted = _below(hashes, self.range)
        places = np.minimum(np.searchsorted(self.numbers, wanted), len(self.numbers) - 1)
        documents = np.zeros(1, np.uint16) if self.documents is None else self.documents
        owners = documents[places if self.documents is not None else np.zeros_like(places)]
        return np.where(self.numbers[places] == wanted, owners.astype(np.int64), -1)


def words(text: str) -> list[str]:
    """The words of a text as they stand."""
    return WORD.findall(unicodedata.normalize("NFC", text))


def _below(hashes: np.ndarray, size: int) -> np.ndarray:
    """64-bit hashes as numbers below `size`, in the same order (Lemire's reduction of their upper half); uint32."""
    return (((hashes >> np.uint64(32)) * np.uint64(size)) >> np.uint64(32)).astype(np.uint32)


def _header(data: np.ndarray) -> tuple[dict[str, Any], int]:
    """The header and where the numbers begin. Raises ValueError, TypeError."""
    begin = len(_MAGIC)
    if data[:begin].tobytes() != _MAGIC:
        raise ValueError(f"it does not begin with {_MAGIC.decode().strip()!r}")
    end = begin + 4 + int.from_bytes(data[begin : begin + 4].tobytes(), "little")
    header = json.loads(data[begin + 4 : end].tobytes().decode("utf-8"))
    numbers = (header["ngrams"], header["document_bytes"], header["range"])
    if not all(type(n) is int and n >= 0 for n in numbers) or not 1 <= header["range"] <= LARGEST_RANGE:
        raise ValueError("its header has no valid sizes")
    return header, end + -end % _ALIGN


def texts_of(passages: Iterable[tuple[Source, str]]) -> Originals:
    """The 8-grams of a few texts in memory, such as the passages of a prompt."""
    pairs = list(passages)
    return Originals.of([(n, text) for n, (_, text) in enumerate(pairs)], [source for source, _ in pairs])
