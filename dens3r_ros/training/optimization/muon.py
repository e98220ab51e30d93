# SPDX-License-Identifier: Apache-2.0
"""Muon: momentum whose matrices are brought near to orthogonal before each step.

After K. Jordan et al. (2024), with the update scaled to the size of AdamW's as by J. Liu et al.
(2025), so that one learning rate serves both. Matrices of equal shape are treated as one batch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

_QUINTIC = (3.4445, -4.7750, 2.0315)
_SIZE_OF_ADAMW = 0.2


def orthogonalized(matrices: Tensor, iterations: int = 5) -> Tensor:
    """(N, rows, columns) matrices with all singular values brought near 1 (Newton-Schulz)."""
    x = matrices.bfloat16() if matrices.is_cuda else matrices
    wide = x.shape[1] <= x.shape[2]
    x = x if wide else x.transpose(1, 2)
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    a, b, c = _QUINTIC
    for _ in range(iterations):
        square = x @ x.transpose(1, 2)
        x = a * x + (b * square + c * square @ square) @ x
    return (x if wide else x.transpose(1, 2)).to(matrices.dtype)


class Muon(torch.optim.Optimizer):
    """For two-dimensional weights only; a stacked one (such as qkv) is `stacks` matrices high."""

    def __init__(self, params: Iterable[Any], lr: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": 0.0, "stacks": 1})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step on the gradients at hand."""
        for group in self.param_groups:
            for members in _by_shape(group["params"]).values():
                self._step(members, group)

    def _step(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        momenta = [self._momentum(weight) for weight in weights]
        torch._foreach_lerp_(momenta, gradients, 1 - group["momentum"])
        ahead = torch._foreach_lerp(gradients, momenta, group["momentum"])
        rows, columns = weights[0].shape
        rows //= group["stacks"]
        updates = orthogonalized(torch.cat([u.view(-1, rows, columns) for u in ahead]))
        scale = _SIZE_OF_ADAMW * max(rows, columns) ** 0.5
        torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
        shaped = [u.reshape(weights[0].shape) for u in updates.split(group["stacks"])]
        torch._foreach_add_(weights, shaped, alpha=-group["lr"] * scale)

    def _momentum(self, weight: Tensor) -> Tensor:
        state = self.state[weight]
        if not state:
            state["momentum"] = torch.zeros_like(weight)
        return state["momentum"]


def _by_shape(weights: list[Tensor]) -> dict[torch.Size, list[Tensor]]:
    groups: dict[torch.Size, list[Tensor]] = defaultdict(list)
    for weight in weights:
        if weight.grad is not None:
            groups[weight.shape].append(weight)
    return groups
