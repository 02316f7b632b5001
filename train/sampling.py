"""A share of a corpus, drawn by document: the option --share that every recipe has."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from typing import TypeVar

from train.audit import Audit
from train.corpus import Document
from train.errors import BadOption

AnyDocument = TypeVar("AnyDocument", bound=Document)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The option; the seed is the split's."""
    parser.add_argument(
        "--share", type=float, default=1.0, help="share of the documents to take, 0 to 1, drawn with --seed"
    )


def check(args: argparse.Namespace) -> None:
    """Raises BadOption for what is no share."""
    if not 0 < args.share <= 1:
        raise BadOption(option="--share", value=args.share, reason="give more than 0 and at most 1")


def sample(documents: Sequence[AnyDocument], share: float, seed: int, audit: Audit) -> list[AnyDocument]:
    """That share of the documents, one at least, in their order; which ones depends on their names and the seed alone, and a
    larger share holds a smaller one."""

    def lot(document: Document) -> bytes:
        return hashlib.sha256(f"{seed}\0{document.id}".encode()).digest()

    if share == 1 or not documents:
        return list(documents)
    drawn = {document.id for document in sorted(documents, key=lot)[: max(1, round(share * len(documents)))]}
    kept = [document for document in documents if document.id in drawn]
    audit.kept(f"documents drawn (--share {share:g})", "", len(kept))
    audit.dropped(f"documents not drawn (--share {share:g})", "", len(documents) - len(kept))
    return kept
