"""Personal data in the texts of a bundle that imitates a person: `python -m train publish` refuses to push it.

What is found is what `python -m train prepare chat` masks (train/privacy.py); names of people are not looked for.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from space.bundle import Bundle, Generator
from train.privacy import Masker


def personal_data(bundle: Bundle, generator: Generator) -> Counter[str]:
    """How often each kind (email, phone, document…) is in the titles, examples and passages of `generator`."""
    masker = Masker({})
    for text in _texts(bundle, generator):
        masker.mask(text)
    return masker.counts


def _texts(bundle: Bundle, generator: Generator) -> Iterator[str]:
    yield from generator.title.values()
    for example in generator.examples:
        yield from example.values()
    if generator.index is None:
        return
    with (bundle.indexes[generator.index] / "passages.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            passage = json.loads(line)
            yield from (str(passage.get(key) or "") for key in ("text", "title", "source"))
