"""llama.cpp through llama-cpp-python's low-level interface: a model with its adapters, a context, a sampler chain.

Used by `space/engine.py`. Every object that C keeps a pointer to is kept referenced here; `close()` frees in the
order that llama.cpp wants. Nothing here is safe for two threads at once: the engine gives turns.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np

from index.backend import load_backend
from space.cells import Cells, pack, unpack
from space.errors import DecodeFailed, ModelUnreadable, StateUnknown
from space.kernels import DEFAULT, Kernels
from space.vocabulary import Vocabulary

ERROR_LEVEL = 4  # ggml_log_level: 1 debug, 2 info, 3 warning, 4 error, 5 continuation
CALIBRATION_ROUNDS, CALIBRATION_TOKENS = 4, 64
SLOW_TOKEN, QUICK_TOKEN = 0.1, 0.003
CLEAR_GAIN = 1.25
_log: list[str] = []


@llama_cpp.llama_log_callback
def _keep_errors(level: int, text: bytes, _: Any) -> None:
    """Keeps the last error messages for ModelUnreadable; the rest of llama.cpp's log is noise to a maker."""
    if level == ERROR_LEVEL:
        _log.append(text.decode("utf-8", errors="replace").strip())
        del _log[:-20]


def begin_log() -> None:
    """Forgets the messages kept until now."""
    _log.clear()


def reason() -> str:
    """The first error message since `begin_log`."""
    return next((line for line in _log if line), "it gives no reason")


def configure(parameters: ctypes.Structure, **values: Any) -> None:
    """Sets fields of a C structure, which must have them: ctypes takes a name that is gone for a new attribute of Python's."""
    if unknown := values.keys() - {name for name, *_ in parameters._fields_}:
        raise AttributeError(f"llama.cpp's {type(parameters).__name__} has no {', '.join(sorted(unknown))}")
    for name, value in values.items():
        setattr(parameters, name, value)


def _start_backend() -> None:
    llama_cpp.llama_log_set(_keep_errors, ctypes.c_void_p(0))
    load_backend()
    llama_cpp.llama_backend_init()


@dataclass(frozen=True)
class Sampling:
    """How a token is chosen. `temperature` 0 takes the most probable; 0 <= `seed` < 2**32 - 1."""

    temperature: float = 0.8
    top_p: float = 0.95
    top_k: int = 40
    min_p: float = 0.05
    repeat_penalty: float = 1.1
    seed: int = 0


class Model:
    """A GGUF and its adapters' GGUFs, loaded for `kernels`. Raises ModelUnreadable with llama.cpp's own reason."""

    def __init__(self, path: Path, adapters: dict[str, Path], kernels: Kernels = DEFAULT) -> None:
        _start_backend()
        begin_log()
        parameters = llama_cpp.llama_model_default_params()
        # Repacked weights are a copy: with the mapped file they would be held twice.
        mode = llama_cpp.LLAMA_LOAD_MODE_NONE if kernels.repack else llama_cpp.LLAMA_LOAD_MODE_MMAP
        configure(parameters, n_gpu_layers=0, use_extra_bufts=kernels.repack, load_mode=mode)
        self.kernels = kernels
        self.pointer = llama_cpp.llama_model_load_from_file(str(path).encode(), parameters)
        if not self.pointer:
            raise ModelUnreadable(file=path.name, reason=reason())
        self.adapters: dict[str, Any] = {}
        for name, file in adapters.items():
            begin_log()
            adapter = llama_cpp.llama_adapter_lora_init(self.pointer, str(file).encode())
            if not adapter:
                self.close()
                raise ModelUnreadable(file=file.name, reason=reason())
            self.adapters[name] = adapter
        self.vocabulary = Vocabulary(self.pointer)

    def close(self) -> None:
        """Frees the weights; llama.cpp frees a model's adapters with it."""
        if self.pointer:
            llama_cpp.llama_model_free(self.pointer)
            self.pointer = None


class Context:
    """The key/value memory of `slots` sequences of at most `size` tokens each, fed at most `batch` tokens at a time.

    Each slot has memory of its own. With `exact` kernels the numbers of a sequence do not depend on what the other slots
    hold or do, as long as its prompt is read at least two tokens at a time and `calibrate` was called (tests/test_native.py;
    with repacked Q4_K weights, four or more sequences written at once differ in the last bits).
    """

    def __init__(self, model: Model, slots: int, size: int, batch: int, threads: int) -> None:
        parameters = llama_cpp.llama_context_default_params()
        kernels = model.kernels
        flash, plain = llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED, llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        configure(
            parameters,
            n_ctx=slots * size,
            n_batch=batch,
            n_ubatch=batch,
            n_seq_max=slots,
            kv_unified=False,
            flash_attn_type=flash if kernels.halved else plain,
            type_k=kernels.cell_type,
            type_v=kernels.cell_type,
            n_threads=threads,
            n_threads_batch=threads,
            no_perf=True,
        )
        self.pointer = llama_cpp.llama_init_from_model(model.pointer, parameters)
        if not self.pointer:
            raise ModelUnreadable(file="the context", reason=reason())
        self.model = model
        self.size = size
        self.batch = batch
        self.lengths = [0] * slots
        self._memory = llama_cpp.llama_get_memory(self.pointer)
        self._adapter: str | None = None
        self._never_alone = False
        self._rows = llama_cpp.llama_batch_init(batch, 0, 1)
        for row in range(batch):
            self._rows.n_seq_id[row] = 1

    def close(self) -> None:
        if self.pointer:
            llama_cpp.llama_batch_free(self._rows)
            llama_cpp.llama_free(self.pointer)
            self.pointer = None

    def use_adapter(self, name: str | None) -> None:
        """Switches to the adapter `name` (None: none). What the slots hold stays, made by whichever adapter was used then."""
        if name == self._adapter:
            return
        one = [] if name is None else [self.model.adapters[name]]
        pointers = (llama_cpp.llama_adapter_lora_p_ctypes * len(one))(*one)
        scales = (ctypes.c_float * len(one))(*[1.0] * len(one))
        code = llama_cpp.llama_set_adapters_lora(self.pointer, pointers, len(one), scales)
        if code:
            raise DecodeFailed(code=code)
        self._adapter = name

    def truncate(self, slot: int, length: int) -> None:
        """Forgets all after the first `length` tokens of `slot`."""
        llama_cpp.llama_memory_seq_rm(self._memory, slot, length, -1)
        self.lengths[slot] = length

    def cells(self, slot: int) -> Cells:
        """A copy of all that `slot` holds. Raises StateUnknown."""
        size = llama_cpp.llama_state_seq_get_size(self.pointer, slot)
        data = np.empty(size, np.uint8)
        pointer = data.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        return unpack(data[: llama_cpp.llama_state_seq_get_data(self.pointer, pointer, size, slot)])

    def restore(self, slot: int, parts: Sequence[Cells]) -> None:
        """Makes `slot` hold the cells of `parts`, made by a context of the same model, adapter and settings, and nothing else.

        What is read next gets the position after their last one. Raises StateUnknown.
        """
        data = pack(parts, len(self.lengths))
        pointer = data.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        if llama_cpp.llama_state_seq_set_data(self.pointer, pointer, len(data), slot) != len(data):
            self.truncate(slot, 0)
            raise StateUnknown()
        self.lengths[slot] = max(int(part.positions.max()) for part in parts) + 1

    def read(self, slot: int, tokens: Sequence[int], wanted: range | None = None) -> int:
        """Appends up to `batch` tokens to `slot`; returns the row of the last one. Raises DecodeFailed.

        There are logits of the last row, or of the rows `wanted` if given.
        """
        start, last = self.lengths[slot], len(tokens) - 1
        wanted = range(last, last + 1) if wanted is None else wanted
        for row, token in enumerate(tokens):
            self._set(row, token, start + row, slot, row in wanted)
        self._decode(len(tokens))
        self.lengths[slot] += len(tokens)
        return last

    def write(self, tokens: Sequence[tuple[int, int]]) -> list[int]:
        """Appends one token to each of several slots, `(slot, token)` by rising slot; returns the rows of their logits.

        llama.cpp computes only neighbouring slots in one go, so a slot between two gets a token that is taken back.
        Raises DecodeFailed.
        """
        wanted = dict(tokens)
        slots = range(tokens[0][0], tokens[-1][0] + 1)
        if self._accompanied and len(slots) == 1:
            slots = range(slots.start - 1, slots.stop) if slots.start else range(2)
        fillers = [slot for slot in slots if slot not in wanted]
        for slot in fillers:
            if self.lengths[slot] == self.size:
                self.truncate(slot, self.size - 1)
        for row, slot in enumerate(slots):
            self._set(row, wanted.get(slot, 0), self.lengths[slot], slot, slot in wanted or self._accompanied)
        self._decode(len(slots))
        for slot in fillers:
            self.truncate(slot, self.lengths[slot])
        for slot, _ in tokens:
            self.lengths[slot] += 1
        return [slot - slots.start for slot, _ in tokens]

    @property
    def _accompanied(self) -> bool:
        """Whether a token is never written alone: adapters have float weights, as the model itself may (`_company_matters`)."""
        return self._never_alone or (
            self._adapter is not None and len(self.lengths) > 1 and self.model.kernels.exact
        )

    def _set(self, row: int, token: int, position: int, slot: int, wanted: bool) -> None:
        rows = self._rows
        rows.token[row], rows.pos[row], rows.seq_id[row][0], rows.logits[row] = token, position, slot, wanted

    def _decode(self, count: int) -> None:
        self._rows.n_tokens = count
        if code := llama_cpp.llama_decode(self.pointer, self._rows):
            raise DecodeFailed(code=code)

    def logits(self, row: int) -> Any:
        """A view of the last decoding's logits of `row`, float32 [vocabulary]; valid until the next one."""
        pointer = llama_cpp.llama_get_logits_ith(self.pointer, row)
        return np.ctypeslib.as_array(pointer, (self.model.vocabulary.size,))

    def calibrate(self, threads: int) -> tuple[int, int]:
        """Reads and writes with 1 thread or with `threads`, whichever is faster here and now; returns both numbers.

        A small model has so little work between two waits that threads on a busy machine spin on each other: two were
        2 to 20 times slower than one for a 36 M model at load 7. So more threads must win clearly. A model that one
        thread needs SLOW_TOKEN seconds a token for uses all of them, unmeasured; one that needs less than QUICK_TOKEN
        writes with one, because whoever takes the tokens needs a core as often (5.5 M: 1,900 tokens/s against 500 to 850).
        """
        reading = writing = threads
        if threads > 1 and (alone := self._seconds([0], 1)) < SLOW_TOKEN:
            gain = self._gain([0], threads) if alone > QUICK_TOKEN else 1.0
            writing = threads if gain > CLEAR_GAIN else 1
            if gain > 0.5:  # below, the machine is so busy that a longer trial would only cost seconds
                gain = self._gain([0] * CALIBRATION_TOKENS, threads)
            reading = threads if gain > CLEAR_GAIN else 1
        llama_cpp.llama_set_n_threads(self.pointer, writing, reading)
        exact = self.model.kernels.exact
        self._never_alone = exact and len(self.lengths) > 1 and self._company_matters()
        self.truncate(0, 0)
        return reading, writing

    def _company_matters(self) -> bool:
        """Whether a token's logits depend on another slot's being there: so with float weights, for which llama.cpp has
        one way to multiply a single row and another for several. Then a token is never written alone.
        """
        found = []
        for rows in ([(0, 1)], [(0, 1), (1, 1)]):
            self.truncate(0, 0)
            self.truncate(1, 0)
            self.read(0, [0, 1])
            found.append(self.logits(self.write(rows)[0]).copy())
        self.truncate(1, 0)
        return not np.array_equal(*found)

    def _gain(self, tokens: list[int], threads: int) -> float:
        """How many times faster `threads` decode `tokens` than one does."""
        one = many = 0.0
        for _ in range(CALIBRATION_ROUNDS):
            one += self._seconds(tokens, 1)
            many += self._seconds(tokens, threads)
            if many > 2 * one:
                break
        return one / many

    def _seconds(self, tokens: list[int], threads: int) -> float:
        llama_cpp.llama_set_n_threads(self.pointer, threads, threads)
        self.truncate(0, 0)
        begun = time.perf_counter()
        self.read(0, tokens)
        return time.perf_counter() - begun
