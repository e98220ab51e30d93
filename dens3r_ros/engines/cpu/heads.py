# SPDX-License-Identifier: Apache-2.0
"""Dense heads for inference on a CPU: convolutions of oneDNN that add and rectify while their
results are still in cache, and in bfloat16 where the engine works in it.

The last layers stay float32, as their rounding would be noise from pixel to pixel.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dens3r_ros.network.parts.dense_head import DenseHead
from dens3r_ros.network.parts.dpt import ResidualUnit

_AT_EACH = ([1, 1], [1, 1], [1, 1], 1)
"""Padding, stride, dilation and groups of a 3x3 convolution that keeps the size of maps."""


class OneDnnUnit(nn.Module):
    """What a `ResidualUnit` computes, from its layers."""

    def __init__(self, unit: ResidualUnit) -> None:
        super().__init__()
        self.conv1, self.conv2 = unit.conv1, unit.conv2
        self.rectifies = unit.rectifies

    def forward(self, x: Tensor) -> Tensor:
        convolve = torch.ops.mkldnn._convolution_pointwise
        one, two = self.conv1, self.conv2
        rectified = F.relu(x)
        hidden = convolve(rectified, one.weight, one.bias, *_AT_EACH, "relu", [], "")
        to = rectified if self.rectifies else x
        return convolve.binary(
            hidden, to, two.weight, two.bias, *_AT_EACH, "add", 1.0, None, [], None
        )


def use_onednn_heads(network: nn.Module, dtype: torch.dtype) -> None:
    """Let a network's dense heads bring maps together in `dtype`, by such units; in place, for
    inference only."""
    for head in [part for part in network.modules() if isinstance(part, DenseHead)]:
        for part in (head.resample, head.fusion):
            for layer in part.modules():
                if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                    layer.to(dtype)
        _replace_units(head)


def _replace_units(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, ResidualUnit):
            setattr(module, name, OneDnnUnit(child))
        else:
            _replace_units(child)
