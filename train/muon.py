"""Muon: momentum whose update is orthogonalised by Newton–Schulz, for the weight matrices of hidden layers.

Method and coefficients: Keller Jordan, "Muon: An optimizer for hidden layers in neural networks" (2024). torch.optim.Muon
always orthogonalises in bfloat16, which a CPU without such instructions does 40 times slower than float32; here the
products are in autocast's precision where `step` is called inside one, else in float32. Used by `python -m train pretrain` and `sft --optimizer muon`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch

_A, _B, _C = 3.4445, -4.7750, 2.0315


def orthogonalize(gradient: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """The nearest semi-orthogonal matrix to a 2-d `gradient`, roughly: singular values end in about 0.7 to 1.2."""
    x = gradient.float()
    tall = x.size(0) > x.size(1)
    if tall:
        x = x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = _A * x + (_B * gram + _C * gram @ gram) @ x
    return (x.T if tall else x).to(gradient.dtype)


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised; the step is `lr * sqrt(max(1, rows / columns))`."""

    def __init__(self, params: Iterable[torch.Tensor], lr: float = 0.02, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step; `closure` is not supported and must be None."""
        assert closure is None
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(parameter)
                buffer = state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
                update = orthogonalize(parameter.grad.lerp(buffer, group["momentum"]))
                scale = max(1.0, parameter.size(0) / parameter.size(1)) ** 0.5
                parameter.add_(update, alpha=-group["lr"] * scale)
