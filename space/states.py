"""Key/value states that were read once, kept in memory and on disk: beginnings of prompts, and passages.

    states = States(key="…", folder=Path("~/.cache/orador/states").expanduser(), memory=2**30, disk=4 * 2**30)
    states.put("charlas", tokens, start, cells)    # what `tokens[start:]` left in a slot, read after `tokens[:start]`
    cells = states.get("charlas", tokens, start)   # None where it is not kept, or not any more

Least recently used ones go first, in memory and on disk. A file that was cut or changed is not used and is deleted. Only what the
maker's bundle says is kept here (templates, passages), never what a visitor wrote.
"""

from __future__ import annotations

import hashlib
import os
import threading
import zlib
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np

from space.cells import Cells, pack, unpack
from space.errors import StateUnknown

SUM = 4
"""Bytes at the end of a file: the CRC-32 of the others."""


class States:
    """`key` names the model, its adapters and the kernels: another key finds nothing. `memory` and `disk` in bytes; safe for threads."""

    def __init__(self, key: str, folder: Path, memory: int, disk: int) -> None:
        self._key = key
        self._folder = folder
        self._memory = memory
        self._disk = disk
        self._cells: OrderedDict[str, Cells] = OrderedDict()
        self._changing = threading.Lock()
        self._writer = ThreadPoolExecutor(1, "orador-states")

    def close(self) -> None:
        """Waits until what was put is on disk."""
        self._writer.shutdown()

    def has(self, adapter: str | None, tokens: Sequence[int], start: int = 0) -> bool:
        """Whether `get` would find something, as far as a look at the names tells."""
        name = self._name(adapter, tokens, start)
        return name in self._cells or (self._folder / name).exists()

    def get(self, adapter: str | None, tokens: Sequence[int], start: int = 0) -> Cells | None:
        """The state of `tokens[start:]`, None where it is not kept."""
        name = self._name(adapter, tokens, start)
        with self._changing:
            cells = self._cells.get(name)
        if cells is None:
            cells = self._load(self._folder / name)
        if cells is not None:
            self._remember(name, cells)
            with suppress(OSError):
                os.utime(self._folder / name)
        return cells

    def put(self, adapter: str | None, tokens: Sequence[int], start: int, cells: Cells) -> None:
        """Keeps `cells`; the disk is written in the background."""
        name = self._name(adapter, tokens, start)
        self._remember(name, cells)
        self._writer.submit(self._save, name, cells)

    def _name(self, adapter: str | None, tokens: Sequence[int], start: int) -> str:
        head = f"{self._key} {adapter} {start} "
        return hashlib.sha256(head.encode() + array("i", tokens).tobytes()).hexdigest() + ".kv"

    def _remember(self, name: str, cells: Cells) -> None:
        if cells.nbytes > self._memory:
            return
        with self._changing:
            self._cells[name] = cells
            self._cells.move_to_end(name)
            total = sum(kept.nbytes for kept in self._cells.values())
            while total > self._memory:
                total -= self._cells.popitem(last=False)[1].nbytes

    def _load(self, file: Path) -> Cells | None:
        try:
            data = file.read_bytes()
        except OSError:
            return None
        try:
            if zlib.crc32(memoryview(data)[:-SUM]) != int.from_bytes(data[-SUM:], "little"):
                raise StateUnknown()
            cells = unpack(np.frombuffer(data, np.uint8)[:-SUM])
        except StateUnknown:
            with suppress(OSError):
                file.unlink()
            return None
        return cells

    def _save(self, name: str, cells: Cells) -> None:
        """A full disk, or one that cannot be written, costs the next start some reading and nothing else."""
        data = pack([cells], 1)
        if len(data) + SUM > self._disk:
            return
        part = self._folder / f"{name}.{os.getpid()}"
        try:
            self._make_room(len(data) + SUM)
            with part.open("wb") as out:
                out.write(data.data)
                out.write(zlib.crc32(data.data).to_bytes(SUM, "little"))
            part.replace(self._folder / name)
        except OSError:
            with suppress(OSError):
                part.unlink()

    def _make_room(self, size: int) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        files = sorted(self._folder.glob("*.kv"), key=lambda file: file.stat().st_mtime_ns)
        total = sum(file.stat().st_size for file in files) + size
        for file in files:
            if total <= self._disk:
                return
            total -= file.stat().st_size
            file.unlink()
