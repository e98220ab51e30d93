# SPDX-License-Identifier: Apache-2.0
"""Linear layers in eight-bit integers, for CPUs that multiply those faster than anything else."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dens3r_ros.engines.cpu.blocks import FusedBlock
from dens3r_ros.network.parts.blocks import Mlp

_MOST = 127
_LEAST = 1e-12


class Int8Linear(nn.Module):
    """`nn.Linear` for inference: weights with a scale for each channel, what comes in with one that
    is found anew every time. `after` is "none" or "gelu"."""

    def __init__(self, linear: nn.Linear, after: str = "none") -> None:
        super().__init__()
        weight = linear.weight.detach().float()
        scales = weight.abs().amax(1).clamp(min=_LEAST) / _MOST
        whole = (weight / scales[:, None]).round().to(torch.int8)
        zeros = torch.zeros(len(scales), dtype=torch.int64)
        bias = None if linear.bias is None else linear.bias.detach().float()
        self._weight = torch.ops.onednn.qlinear_prepack(whole, None)
        self._scales, self._zeros, self._bias = scales, zeros, bias
        self._after: tuple[str, list[float], str] = (after, [], "none" if after == "gelu" else "")

    def forward(self, x: Tensor) -> Tensor:
        scale = max(float(x.abs().amax()), _LEAST) / _MOST
        whole = (x * (1 / scale)).round_().to(torch.int8)
        weight = self._weight, self._scales, self._zeros, self._bias
        as_float = 1.0, 0, torch.float32
        return torch.ops.onednn.qlinear_pointwise(whole, scale, 0, *weight, *as_float, *self._after)


def use_int8(backbone: nn.Module) -> None:
    """Let the linear layers of fused blocks work in int8; in place, for inference only."""
    for block in [part for part in backbone.modules() if isinstance(part, FusedBlock)]:
        if isinstance(block.mlp, Mlp):
            block.mlp = nn.Sequential(Int8Linear(block.mlp.fc1, "gelu"), Int8Linear(block.mlp.fc2))
        for part in list(block.modules()):
            for name, child in part.named_children():
                if isinstance(child, nn.Linear):
                    setattr(part, name, Int8Linear(child))


def int8_works() -> bool:
    """Not a public operator, so a PyTorch that lacks or changed it must be noticed."""
    linear = nn.Linear(32, 8)
    x = torch.ones(1, 2, 32)
    try:
        found = Int8Linear(linear, "gelu")(x)
    except (AttributeError, RuntimeError, TypeError):
        return False
    return torch.allclose(found, F.gelu(linear(x)), atol=0.05)
