"""Splits documents into train, validation and test with nothing shared: used by `python -m train prepare`.

Exact duplicates are dropped (the first stays). Near-duplicates (MinHash over word 5-shingles, datasketch's LSH, xxhash)
are kept, since either version may be the better one, but always in the same split. A paragraph of 20 words or more that
is also in a split further on (train < validation < test) is dropped from the earlier one.
"""

from __future__ import annotations

import dataclasses
import random
import re
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Any

from train.audit import Audit
from train.corpus import Document
from train.packed import Packed
from train.processes import AUTOMATIC, Processes

SPLITS = ("train", "validation", "test")
FRACTIONS = {"validation": 0.05, "test": 0.05}
LATEST = {"validation": 0.05, "test": 0.1}
"""Of documents in the order of time, which are short: what is measured needs more of them."""
SHINGLE = 5  # words
PERMUTATIONS = 128
THRESHOLD = 0.5  # Jaccard similarity of shingles
SHARED_WORDS = 20  # a shorter paragraph is a courtesy, not content
REPEATED_WORDS = 8  # a shorter one may be a greeting
REPEATED_SHARE = 0.2

_WORD = re.compile(r"\w+")


@dataclasses.dataclass(frozen=True)
class Groups:
    """Documents that must stay together, by index, each group in order; singletons included."""

    members: list[list[int]]

    @property
    def near_duplicates(self) -> list[list[int]]:
        return [group for group in self.members if len(group) > 1]


def drop_exact_duplicates(
    documents: Sequence[Document], audit: Audit, processes: Processes = AUTOMATIC
) -> list[Document]:
    """The documents whose words no earlier one has."""
    first: dict[int, str] = {}
    kept = []
    for document, key in zip(documents, processes.map(_words_key, documents, audit), strict=True):
        if key in first:
            audit.dropped("documents: the same text as another", f"{document.id} = {first[key]}")
        else:
            first[key] = document.id
            kept.append(document)
    return kept


def drop_repeated_paragraphs(
    documents: Sequence[Document], audit: Audit, processes: Processes = AUTOMATIC
) -> list[Document]:
    """Documents without the paragraphs of REPEATED_WORDS or more that a fifth of all documents (and five at least) hold."""
    import numpy as np

    keys = list(processes.map(_long_paragraphs, documents, audit))
    distinct, times = np.unique(np.concatenate([*keys, np.zeros(0, np.uint64)]), return_counts=True)
    furniture = distinct[times >= max(5, len(documents) * REPEATED_SHARE)]
    result = []
    for document, own in zip(documents, keys, strict=True):
        found = set(np.intersect1d(own, furniture).tolist())
        result.extend(_without(document, found, audit) if found else [document])
    return result


def group_near_duplicates(documents: Sequence[Document], processes: Processes = AUTOMATIC) -> Groups:
    """Groups of documents connected by an estimated Jaccard similarity of at least THRESHOLD."""
    from datasketch import MinHashLSH

    lsh = MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS)
    parent = list(range(len(documents)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    signatures: list[Any] = []
    for index, signature in enumerate(processes.map(_signature, documents, Audit())):
        signatures.append(signature)
        for other in lsh.query(signature):
            if signatures[other].jaccard(signature) >= THRESHOLD:
                parent[root(index)] = root(other)
        lsh.insert(index, signature)
    members: dict[int, list[int]] = defaultdict(list)
    for index in range(len(documents)):
        members[root(index)].append(index)
    return Groups(sorted(members.values()))


def assign(documents: Sequence[Document], groups: Groups, seed: int) -> None:
    """Sets each document's split: 5 % validation and 5 % test of the documents (at least one each from three groups on),
    the rest train; groups whole, in an order drawn from `seed` and independent of the order of the documents."""
    ordered = sorted(groups.members, key=lambda group: documents[group[0]].id)
    random.Random(seed).shuffle(ordered)
    for document in documents:
        document.split = "train"
    if len(ordered) < len(SPLITS):
        return
    left = list(ordered)
    for split, fraction in reversed(FRACTIONS.items()):
        wanted = max(1, round(fraction * len(documents)))
        taken = 0
        for group in list(left):
            if taken + len(group) <= wanted:
                _put(documents, group, split)
                left.remove(group)
                taken += len(group)
        if not taken:  # every group is larger than the share: the smallest one
            group = min(left, key=len)
            _put(documents, group, split)
            left.remove(group)


def assign_latest(documents: Sequence[Document], groups: Groups, audit: Audit) -> list[Document]:
    """Sets the splits of documents that come in the order of time: the last 10 % are test, the 5 % before validation (at
    least one each from three on), the rest train. A near-duplicate of a later split's document is left out."""
    sizes = {split: max(1, round(part * len(documents))) for split, part in LATEST.items()}
    if len(documents) < len(SPLITS):
        sizes = dict.fromkeys(LATEST, 0)
    end = len(documents)
    for document in documents:
        document.split = "train"
    for split, size in reversed(sizes.items()):
        for document in documents[end - size : end]:
            document.split = split
        end -= size
    left_out: set[int] = set()
    for group in groups.near_duplicates:
        latest = max(SPLITS.index(documents[index].split) for index in group)
        early = [index for index in group if SPLITS.index(documents[index].split) < latest]
        ids = " ~ ".join(documents[index].id for index in group)
        audit.dropped(f"near-duplicates of a document of {SPLITS[latest]}", ids, len(early))
        left_out.update(early)
    return [document for index, document in enumerate(documents) if index not in left_out]


def drop_shared_paragraphs(
    documents: Sequence[Document], audit: Audit, processes: Processes = AUTOMATIC
) -> list[Document]:
    """Documents without the paragraphs that a split further on holds too; a document left without text is dropped."""
    keys = list(processes.map(_paragraph_keys, documents, audit))
    seen: set[int] = set()
    result: dict[int, Document] = {}
    for split in reversed(SPLITS):
        added: set[int] = set()
        for index, document in enumerate(documents):
            if document.split != split:
                continue
            own = keys[index].tolist()
            shared = [bool(key & 1) and key in seen for key in own]
            if split != SPLITS[0]:  # nothing comes before it
                added.update(key for key, again in zip(own, shared, strict=True) if not again)
            left = _without_shared(document, shared, audit) if any(shared) else document
            if left is not None:
                result[index] = left
        seen |= added
    return [result[index] for index in sorted(result)]


def words(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation."""
    return _WORD.findall(text.lower())


def _words_key(document: Document, _: Audit) -> int:
    """A hash of the document's words."""
    import xxhash

    return xxhash.xxh3_128_intdigest(" ".join(words(document.text)).encode())


def _long_paragraphs(document: Document, _: Audit) -> Any:
    """Hashes of the paragraphs of REPEATED_WORDS or more, each once; uint64."""
    import numpy as np

    return np.array(
        list({_key(p) for p in document.paragraphs if len(p.split()) >= REPEATED_WORDS}), dtype=np.uint64
    )


def _key(text: str) -> int:
    import xxhash

    return xxhash.xxh3_64_intdigest(text.encode("utf-8", "surrogatepass"))


def _without(document: Document, furniture: set[int], audit: Audit) -> list[Document]:
    """The document without the paragraphs with these hashes, if anything is left."""
    for paragraph in dict.fromkeys(document.paragraphs):
        if _key(paragraph) in furniture:
            audit.dropped("paragraphs that a fifth of the documents repeat", paragraph)
    sections = [[p for p in section if _key(p) not in furniture] for section in document.sections]
    left = [section for section in sections if section]
    if left:
        return [dataclasses.replace(document, sections=Packed(left))]
    audit.dropped("documents with nothing but repeated paragraphs", document.id)
    return []


def _paragraph_keys(document: Document, _: Audit) -> Any:
    """A hash of each paragraph's words, the last bit set where they are SHARED_WORDS or more; uint64."""
    import numpy as np
    import xxhash

    keys = []
    for paragraph in document.paragraphs:
        tokens = words(paragraph)
        key = xxhash.xxh3_64_intdigest(" ".join(tokens).encode())
        keys.append((key & ~1) | (len(tokens) >= SHARED_WORDS))
    return np.array(keys, dtype=np.uint64)


def _without_shared(document: Document, shared: list[bool], audit: Audit) -> Document | None:
    """The document without the paragraphs marked in `shared`; None when nothing is left."""
    marks = iter(shared)
    sections = []
    for section in document.sections:
        kept = []
        for paragraph in section:
            if next(marks):
                audit.dropped(f"paragraphs of {document.split} that a later split holds too", paragraph)
            else:
                kept.append(paragraph)
        sections.append(kept)
    left = [section for section in sections if section]
    if left:
        return dataclasses.replace(document, sections=Packed(left))
    audit.dropped(f"documents of {document.split} with nothing but shared paragraphs", document.id)
    return None


@cache
def _no_words() -> Any:
    """A signature to copy: its 128 permutations take longer to draw than those of a short text to use."""
    import xxhash
    from datasketch import MinHash

    return MinHash(num_perm=PERMUTATIONS, hashfunc=xxhash.xxh32_intdigest)


def _signature(document: Document, _: Audit) -> Any:
    """MinHash of the document's word shingles."""
    import numpy as np
    from datasketch import LeanMinHash

    text = " ".join(words(document.text)).encode()
    spaces = np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == ord(" "))
    starts, ends = [0, *(spaces + 1).tolist()], [*spaces.tolist(), len(text)]
    last = ends[SHINGLE - 1 :] or [len(text)]
    signature = _no_words().copy()
    signature.update_batch([text[start:end] for start, end in zip(starts, last, strict=False)])
    return LeanMinHash(signature)


def _put(documents: Sequence[Document], group: Sequence[int], split: str) -> None:
    for index in group:
        documents[index].split = split
