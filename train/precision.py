"""Products in bfloat16 where the device is made for them: the weights stay as they are.

Used by `python -m train pretrain` and `python -m train sft`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

HALF_PRODUCTS = ("avx512_bf16", "amx_bf16")
"""What a CPU has that multiplies bfloat16 more quickly than float32: two to four times."""


def half_products(device: str) -> bool:
    """Whether `device` ("cpu" or "cuda") multiplies bfloat16 more quickly than float32."""
    import torch

    return device == "cuda" or any(map(torch.cpu.get_capabilities().get, HALF_PRODUCTS))


def autocast(device: str) -> torch.autocast:
    """A context whose products are in bfloat16 where that is quicker, else in the weights' own type."""
    import torch

    return torch.autocast(device, dtype=torch.bfloat16, enabled=half_products(device))
