"""Splits documents into train, validation and test with nothing shared: used by `python -m train prepare`.

Exact duplicates are dropped (the first stays). Near-duplicates (MinHash over word 5-shingles, datasketch's LSH, xxhash)
are kept, since either version may be the better one, but always in the same split. A paragraph of 20 words or more that
is also in a split further on (train < validation < test) is dropped from the earlier one.
"""

from __future__ import annotations

import dataclasses
import random
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from train.audit import Audit
from train.corpus import Document

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


def drop_exact_duplicates(documents: Sequence[Document], audit: Audit) -> list[Document]:
    """The documents whose words no earlier one has."""
    import xxhash

    first: dict[int, str] = {}
    kept = []
    for document in documents:
        key = xxhash.xxh3_128_intdigest(" ".join(words(document.text)).encode())
        if key in first:
            audit.dropped("documents: the same text as another", f"{document.id} = {first[key]}")
        else:
            first[key] = document.id
            kept.append(document)
    return kept


def drop_repeated_paragraphs(documents: Sequence[Document], audit: Audit) -> list[Document]:
    """Documents without the paragraphs of REPEATED_WORDS or more that a fifth of all documents (and five at least) hold."""
    seen: Counter[str] = Counter()
    for document in documents:
        seen.update({p for p in document.paragraphs if len(p.split()) >= REPEATED_WORDS})
    furniture = {p for p, number in seen.items() if number >= max(5, len(documents) * REPEATED_SHARE)}
    result = []
    for document in documents:
        for paragraph in furniture & set(document.paragraphs):
            audit.dropped("paragraphs that a fifth of the documents repeat", paragraph)
        sections = [[p for p in section if p not in furniture] for section in document.sections]
        left = [section for section in sections if section]
        if left:
            result.append(dataclasses.replace(document, sections=left))
        else:
            audit.dropped("documents with nothing but repeated paragraphs", document.id)
    return result


def group_near_duplicates(documents: Sequence[Document]) -> Groups:
    """Groups of documents connected by an estimated Jaccard similarity of at least THRESHOLD."""
    from datasketch import MinHashLSH

    lsh = MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS)
    parent = list(range(len(documents)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    signatures = []
    for index, document in enumerate(documents):
        signature = _signature(document)
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


def drop_shared_paragraphs(documents: Sequence[Document], audit: Audit) -> list[Document]:
    """Documents without the paragraphs that a split further on holds too; a document left without text is dropped."""
    import xxhash

    seen: set[int] = set()
    result: dict[str, Document] = {}
    for split in reversed(SPLITS):
        added: set[int] = set()
        for document in documents:
            if document.split != split:
                continue
            sections = []
            for section in document.sections:
                kept = []
                for paragraph in section:
                    tokens = words(paragraph)
                    key = xxhash.xxh3_64_intdigest(" ".join(tokens).encode())
                    if len(tokens) >= SHARED_WORDS and key in seen:
                        audit.dropped(f"paragraphs of {split} that a later split holds too", paragraph)
                        continue
                    added.add(key)
                    kept.append(paragraph)
                sections.append(kept)
            left = [section for section in sections if section]
            if left:
                result[document.id] = dataclasses.replace(document, sections=left)
            else:
                audit.dropped(f"documents of {split} with nothing but shared paragraphs", document.id)
        seen |= added
    return [result[document.id] for document in documents if document.id in result]


def words(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation."""
    return _WORD.findall(text.lower())


def _signature(document: Document) -> object:
    import xxhash
    from datasketch import MinHash

    tokens = words(document.text)
    count = max(1, len(tokens) - SHINGLE + 1)
    shingles = {" ".join(tokens[i : i + SHINGLE]).encode() for i in range(count)}
    signature = MinHash(num_perm=PERMUTATIONS, hashfunc=xxhash.xxh32_intdigest)
    signature.update_batch(sorted(shingles))
    return signature


def _put(documents: Sequence[Document], group: Sequence[int], split: str) -> None:
    for index in group:
        documents[index].split = split
