"""Which of llama.cpp's ways to compute are used; `space/calibrate.py` chooses for a large model on the machine at hand."""

from __future__ import annotations

from dataclasses import dataclass

import llama_cpp


@dataclass(frozen=True)
class Kernels:
    """`repack`: weights rearranged at load for multiplying by rows. `halved`: keys and values in 8 bits instead of 16.

    `exact`: a token is written in such a way that its numbers do not depend on who else is writing, which costs a large model a third of its speed.

    `halved` needs flash attention, which reads long prompts slower here and whose last bits depend on who else is
    writing: for machines whose memory is short.
    """

    repack: bool = True
    halved: bool = False
    exact: bool = True

    @property
    def cell_type(self) -> int:
        """The ggml type of keys and values."""
        return llama_cpp.GGML_TYPE_Q8_0 if self.halved else llama_cpp.GGML_TYPE_F16


DEFAULT = Kernels()
"""llama.cpp's own choice."""
