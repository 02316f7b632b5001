"""Lists of texts in a third of their memory: what `python -m train prepare` holds of a corpus between its steps."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar, overload

Item = TypeVar("Item")


class Packed(Sequence[Item]):
    """A sequence that cannot change, pickled and compressed; each use of its items unpacks all of them."""

    __slots__ = ("_data", "_length")

    def __init__(self, items: Iterable[Item] = ()) -> None:
        listed = list(items)
        self._length = len(listed)
        self._data = zlib.compress(pickle.dumps(listed, protocol=5), 1)

    def unpacked(self) -> list[Item]:
        """The items."""
        items: list[Item] = pickle.loads(zlib.decompress(self._data))
        return items

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Any:
        return iter(self.unpacked())

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        return self.unpacked()[index]
