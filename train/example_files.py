"""The examples of `python -m train prepare`, written one by one, and what its report says of them."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any

from train.recipes import Example
from train.split import SPLITS


class ExampleFiles:
    """train.jsonl, validation.jsonl and test.jsonl in `folder`; only a few numbers of each example stay in memory.

    Of each example, in order: `splits` (index in SPLITS) and `words` (that the model is to learn); `topics` counts the
    values of that name, `derived` the values that no metadata gave.
    """

    def __init__(self, folder: Path) -> None:
        self._paths = [folder / f"{split}.jsonl" for split in SPLITS]
        self._files = [path.open("wb") for path in self._paths]
        self._offsets = array("q")
        self.splits, self.words = array("b"), array("i")
        self.derived: Counter[str] = Counter()
        self.topics: Counter[str] = Counter()

    def __enter__(self) -> ExampleFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files:
            file.close()

    def add(self, example: Example) -> None:
        """Writes the example to the file of its document's split."""
        split = SPLITS.index(example.document.split)
        self.splits.append(split)
        self._offsets.append(self._files[split].tell())
        self.words.append(len(example.learnt.split()))
        self.derived.update(example.derived)
        self.topics.update(example.topics)
        self._files[split].write((json.dumps(example.to_json(), ensure_ascii=False) + "\n").encode())

    def read(self, number: int) -> dict[str, Any]:
        """The example with this number, from 0, as it was written."""
        with self._paths[self.splits[number]].open("rb") as file:
            file.seek(self._offsets[number])
            row: dict[str, Any] = json.loads(file.readline())
        return row
