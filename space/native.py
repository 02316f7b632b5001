"""llama.cpp through llama-cpp-python's low-level interface: a model with its adapters, a context, a sampler chain.

Used by `space/engine.py`. Every object that C keeps a pointer to is kept referenced here; `close()` frees in the
order that llama.cpp wants. Nothing here is safe for two threads at once: the engine gives turns.
"""

from __future__ import annotations

import ctypes
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llama_cpp

from space.errors import DecodeFailed, ModelUnreadable
from space.vocabulary import Vocabulary

ERROR_LEVEL = 4  # ggml_log_level: 1 debug, 2 info, 3 warning, 4 error, 5 continuation
PENALTY_WINDOW = 64
CALIBRATION_ROUNDS = 4
SLOW_TOKEN = 0.1
CLEAR_GAIN = 1.25
_log: list[str] = []


@llama_cpp.llama_log_callback
def _keep_errors(level: int, text: bytes, _: Any) -> None:
    """Keeps the last error messages for ModelUnreadable; the rest of llama.cpp's log is noise to a maker."""
    if level == ERROR_LEVEL:
        _log.append(text.decode("utf-8", errors="replace").strip())
        del _log[:-20]


def _start_backend() -> None:
    llama_cpp.llama_log_set(_keep_errors, ctypes.c_void_p(0))
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
    """A GGUF and its adapters' GGUFs. Raises ModelUnreadable with llama.cpp's own reason."""

    def __init__(self, path: Path, adapters: dict[str, Path]) -> None:
        _start_backend()
        _log.clear()
        parameters = llama_cpp.llama_model_default_params()
        parameters.n_gpu_layers = 0
        self.pointer = llama_cpp.llama_model_load_from_file(str(path).encode(), parameters)
        if not self.pointer:
            raise ModelUnreadable(file=path.name, reason=_reason())
        self.adapters: dict[str, Any] = {}
        for name, file in adapters.items():
            _log.clear()
            adapter = llama_cpp.llama_adapter_lora_init(self.pointer, str(file).encode())
            if not adapter:
                self.close()
                raise ModelUnreadable(file=file.name, reason=_reason())
            self.adapters[name] = adapter
        self.vocabulary = Vocabulary(self.pointer)

    def close(self) -> None:
        """Frees the weights; llama.cpp frees a model's adapters with it."""
        if self.pointer:
            llama_cpp.llama_model_free(self.pointer)
            self.pointer = None


def _reason() -> str:
    return next((line for line in _log if line), "it gives no reason")


class Context:
    """The key/value memory of one sequence of at most `size` tokens, read at most `chunk` at a time."""

    def __init__(self, model: Model, size: int, chunk: int, threads: int) -> None:
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = size
        parameters.n_batch = parameters.n_ubatch = chunk
        parameters.n_seq_max = 1
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.no_perf = True
        self.pointer = llama_cpp.llama_init_from_model(model.pointer, parameters)
        if not self.pointer:
            raise ModelUnreadable(file="the context", reason=_reason())
        self.model = model
        self.size = size
        self.length = 0
        self._memory = llama_cpp.llama_get_memory(self.pointer)
        self._adapter: str | None = None
        self._tokens = (llama_cpp.llama_token * chunk)()
        self._one = llama_cpp.llama_batch_get_one(self._tokens, 1)

    @property
    def room(self) -> int:
        """The tokens that still fit."""
        return self.size - self.length

    def close(self) -> None:
        if self.pointer:
            llama_cpp.llama_free(self.pointer)
            self.pointer = None

    def use_adapter(self, name: str | None) -> bool:
        """Switches to the adapter `name` (None: none) and says whether that changed anything; a change empties the memory."""
        if name == self._adapter:
            return False
        one = [] if name is None else [self.model.adapters[name]]
        pointers = (llama_cpp.llama_adapter_lora_p_ctypes * len(one))(*one)
        scales = (ctypes.c_float * len(one))(*[1.0] * len(one))
        code = llama_cpp.llama_set_adapters_lora(self.pointer, pointers, len(one), scales)
        if code:
            raise DecodeFailed(code=code)
        self._adapter = name
        self.truncate(0)
        return True

    def truncate(self, length: int) -> None:
        """Forgets all after the first `length` tokens."""
        llama_cpp.llama_memory_seq_rm(self._memory, 0, length, -1)
        self.length = length

    def decode(self, tokens: Sequence[int]) -> None:
        """Gives up to `chunk` tokens to the model; the last one's logits are then ready. Raises DecodeFailed."""
        self._tokens[: len(tokens)] = tokens
        self._decode(llama_cpp.llama_batch_get_one(self._tokens, len(tokens)), len(tokens))

    def decode_one(self, token: int) -> None:
        """As `decode`, for one token, without making a batch."""
        self._tokens[0] = token
        self._decode(self._one, 1)

    def _decode(self, batch: Any, count: int) -> None:
        if code := llama_cpp.llama_decode(self.pointer, batch):
            self.truncate(0)
            raise DecodeFailed(code=code)
        self.length += count

    def calibrate(self, threads: int) -> tuple[int, int]:
        """Reads and writes with 1 thread or with `threads`, whichever is faster here and now; returns both numbers.

        A small model has so little work between two waits that threads on a busy machine spin on each other: two were
        2 to 20 times slower than one for a 36 M model at load 7. So more threads must win clearly. A model that one
        thread needs SLOW_TOKEN seconds a token for uses all of them, unmeasured.
        """
        reading = writing = threads
        if threads > 1 and self._seconds([0], 1) < SLOW_TOKEN:
            gain = self._gain([0], threads)
            writing = threads if gain > CLEAR_GAIN else 1
            if gain > 0.5:  # below, the machine is so busy that a longer trial would only cost seconds
                gain = self._gain([0] * len(self._tokens), threads)
            reading = threads if gain > CLEAR_GAIN else 1
        llama_cpp.llama_set_n_threads(self.pointer, writing, reading)
        self.truncate(0)
        return reading, writing

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
        self.truncate(0)
        begun = time.perf_counter()
        self.decode(tokens)
        return time.perf_counter() - begun

    def forbid(self, tokens: Iterable[int]) -> None:
        """Makes `tokens` impossible for the next choice."""
        logits = llama_cpp.llama_get_logits_ith(self.pointer, -1)
        for token in tokens:
            logits[token] = -math.inf

    def sampler(self, sampling: Sampling) -> Sampler:
        return Sampler(self, sampling)


class Sampler:
    """A chain of llama.cpp's samplers: forbidden tokens, top-k, penalties, top-p, min-p, temperature, seeded choice."""

    def __init__(self, context: Context, sampling: Sampling) -> None:
        self._context = context.pointer
        vocabulary = context.model.vocabulary
        never = (llama_cpp.llama_logit_bias * len(vocabulary.never))()
        for n, token in enumerate(vocabulary.never):
            never[n].token, never[n].bias = token, -math.inf
        # Penalties after top-k look up some 40 candidates instead of the whole vocabulary (0.2 ms a token at 8k).
        links = [
            llama_cpp.llama_sampler_init_logit_bias(vocabulary.size, len(never), never),
            llama_cpp.llama_sampler_init_top_k(sampling.top_k),
            llama_cpp.llama_sampler_init_penalties(
                vocabulary.size, PENALTY_WINDOW, sampling.repeat_penalty, 0.0, 0.0
            ),
        ]
        if sampling.temperature > 0:
            links += [
                llama_cpp.llama_sampler_init_top_p(sampling.top_p, 1),
                llama_cpp.llama_sampler_init_min_p(sampling.min_p, 1),
                llama_cpp.llama_sampler_init_temp(sampling.temperature),
                llama_cpp.llama_sampler_init_dist(sampling.seed),
            ]
        else:
            links.append(llama_cpp.llama_sampler_init_greedy())
        parameters = llama_cpp.llama_sampler_chain_default_params()
        parameters.no_perf = True
        self._chain = llama_cpp.llama_sampler_chain_init(parameters)
        for link in links:
            llama_cpp.llama_sampler_chain_add(self._chain, link)

    def sample(self) -> int:
        """Chooses the token that follows what the context holds."""
        return llama_cpp.llama_sampler_sample(self._chain, self._context, -1)

    def close(self) -> None:
        """Frees the chain and its links."""
        if self._chain:
            llama_cpp.llama_sampler_free(self._chain)
            self._chain = None
