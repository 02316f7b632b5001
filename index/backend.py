"""llama.cpp for the processor at hand, where llama-cpp-python holds it compiled for several kinds, as on a Space (requirements.txt).

A Space is built on another machine than it runs on, so its llama.cpp cannot be compiled for the processor; one for the oldest that may
come reads a prompt of Phi-3's size half as fast (docs/decisions.md). llama.cpp's own loader tries each and takes the best. It must run
before any model is loaded; `make` compiles for the one machine, and then there is nothing to do.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path


@cache
def load_backend() -> None:
    """Loads the best build of those that the package holds, once in a process."""
    import llama_cpp.llama_cpp as binding

    folder = Path(binding.__file__).parent / "lib"
    if not any(folder.glob("*ggml-cpu-*")):
        return
    # As libllama sees it: a wheel holds copies of libggml instead of links, and each would have a list of backends of its own.
    load = binding._lib.ggml_backend_load_all_from_path
    load.argtypes, load.restype = [ctypes.c_char_p], None
    load(os.fsencode(folder))
