"""What a slot of llama.cpp's key/value memory holds, as arrays: stretches of it can be cut out, kept, and put together.

`Context.cells` and `Context.restore` give and take them. The layout is that of llama_state_seq_get_data in llama.cpp's
src/llama-kv-cache.cpp (state_write_meta, state_write_data) of the pinned version; what does not look like it raises StateUnknown.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from space.errors import StateUnknown

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Layout:
    """What is equal for all cells of a context: a magic number, the layers, the ggml types, how values are kept."""

    magic: int
    layers: int
    key_type: int
    value_type: int
    transposed: bool


@dataclass(frozen=True)
class Cells:
    """`n` cells: `positions` int32 [n], `keys` uint8 [layers, n, bytes], `values` uint8 [layers, n, bytes].

    Values that llama.cpp keeps transposed are uint8 [layers, rows, n, bytes of an element] here.
    """

    layout: Layout
    positions: NDArray[np.int32]
    keys: Bytes
    values: Bytes

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def nbytes(self) -> int:
        """The memory that the cells take."""
        return self.keys.nbytes + self.values.nbytes

    def cut(self, start: int, stop: int) -> Cells:
        """A copy of the cells from `start` to `stop`, in the order in which they were read."""
        values = self.values[:, :, start:stop] if self.layout.transposed else self.values[:, start:stop]
        return Cells(
            self.layout,
            self.positions[start:stop].copy(),
            self.keys[:, start:stop].copy(),
            np.ascontiguousarray(values),
        )


def pack(parts: Sequence[Cells], streams: int) -> Bytes:
    """The cells of `parts`, one after another, each at the positions it was read at, as llama_state_seq_set_data reads them.

    `streams`: the slots of the context that is to read them.
    """
    layout, n = parts[0].layout, sum(len(part) for part in parts)
    meta = np.zeros((n, 3), np.int32)
    meta[:, 0], meta[:, 1] = np.concatenate([part.positions for part in parts]), 1
    head = struct.pack("=IiII", layout.magic, 0, streams, n) + meta.tobytes()
    head += struct.pack("=II", layout.transposed, layout.layers)
    tail = struct.pack("=I", 0) * (streams - 1)
    row = struct.pack("=iQ", layout.key_type, parts[0].keys.shape[2])
    if layout.transposed:
        shape = parts[0].values.shape
        column = struct.pack("=iII", layout.value_type, shape[3], shape[1])
    else:
        column = struct.pack("=iQ", layout.value_type, parts[0].values.shape[2])
    size = (
        sum(part.nbytes for part in parts) + layout.layers * (len(row) + len(column)) + len(head) + len(tail)
    )
    writer = _Writer(np.empty(size, np.uint8))
    writer.write(head)
    for layer in range(layout.layers):
        writer.write(row)
        writer.stack([part.keys[layer] for part in parts], 0)
    for layer in range(layout.layers):
        writer.write(column)
        writer.stack([part.values[layer] for part in parts], 1 if layout.transposed else 0)
    writer.write(tail)
    return writer.data


@dataclass
class _Writer:
    data: Bytes
    place: int = 0

    def write(self, piece: bytes) -> None:
        self.data[self.place : self.place + len(piece)] = np.frombuffer(piece, np.uint8)
        self.place += len(piece)

    def stack(self, arrays: Sequence[Bytes], axis: int) -> None:
        """Writes `arrays` joined along `axis`; each byte is copied once."""
        shape = list(arrays[0].shape)
        shape[axis] = sum(array.shape[axis] for array in arrays)
        size = int(np.prod(shape))
        np.concatenate(arrays, axis=axis, out=self.data[self.place : self.place + size].reshape(shape))
        self.place += size


class _Reader:
    def __init__(self, data: Bytes) -> None:
        self.data = data
        self.place = 0

    def numbers(self, form: str) -> tuple[int, ...]:
        size = struct.calcsize(form)
        return struct.unpack(form, self.take(size).tobytes())

    def take(self, size: int) -> Bytes:
        if size < 0 or self.place + size > len(self.data):
            raise StateUnknown()
        self.place += size
        return self.data[self.place - size : self.place]


def unpack(data: Bytes) -> Cells:
    """The cells in what llama_state_seq_get_data gave, uint8 [bytes], copied. Raises StateUnknown."""
    reader = _Reader(data)
    magic, _, streams = reader.numbers("=IiI")
    counts = []
    found: Cells | None = None
    for _ in range(streams):
        (count,) = reader.numbers("=I")
        counts.append(count)
        if count:
            found = _stream(reader, magic, count)
    if found is None or sum(counts) != len(found) or reader.place != len(data):
        raise StateUnknown()
    return found


def _stream(reader: _Reader, magic: int, n: int) -> Cells:
    meta = reader.take(12 * n).view(np.int32).reshape(n, 3)
    if (meta[:, 1] != 1).any():
        raise StateUnknown()
    transposed, layers = reader.numbers("=II")
    key_type, keys = _rows(reader, layers, n)
    value_type, values = _columns(reader, layers, n) if transposed else _rows(reader, layers, n)
    layout = Layout(magic, layers, key_type, value_type, bool(transposed))
    return Cells(layout, meta[:, 0].copy(), keys, values)  # a view would keep all of `data` in memory


def _rows(reader: _Reader, layers: int, n: int) -> tuple[int, Bytes]:
    found = []
    for _ in range(layers):
        kind, size = reader.numbers("=iQ")
        found.append((kind, reader.take(size * n).reshape(n, size)))
    return _stacked(found)


def _columns(reader: _Reader, layers: int, n: int) -> tuple[int, Bytes]:
    found = []
    for _ in range(layers):
        kind, size, rows = reader.numbers("=iII")
        found.append((kind, reader.take(size * rows * n).reshape(rows, n, size)))
    return _stacked(found)


def _stacked(found: list[tuple[int, Bytes]]) -> tuple[int, Bytes]:
    if not found or len({(kind, part.shape) for kind, part in found}) != 1:
        raise StateUnknown()
    return found[0][0], np.stack([part for _, part in found])
