# SPDX-License-Identifier: Apache-2.0
"""Faster linear layers on x86 CPUs with AVX-512.

PyTorch computes float32 products with MKL, which on CPUs of other makers does not use their wide
vector units; oneDNN, which PyTorch also carries, does (docs/measured.md has the figures), and it
computes GELU while the product is still in cache. Weights of small networks are laid out once as
its kernels read them, which the fewer tokens there are the more it brings. Where there is only
AVX2, MKL is the faster one, and oneDNN has no bfloat16.
"""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable

import torch
from torch import Tensor, nn

from dens3r_ros.engines.cpu.heads import use_onednn_heads
from dens3r_ros.network.parts.blocks import Mlp

logger = logging.getLogger(__name__)
_MOST_PACKED = 1_000_000_000
"""Bytes of weights beyond which a second copy of them is not made, not even for a moment."""


class OneDnnLinear(nn.Module):
    """`nn.Linear` for inference, sharing its weights unless it `packs` them in oneDNN's layout."""

    weight: Tensor

    def __init__(self, linear: nn.Linear, packs: bool = False) -> None:
        super().__init__()
        self.bias = linear.bias
        if packs:
            self.register_buffer("weight", _packed(linear.weight))
        else:
            self.weight = linear.weight

    def forward(self, x: Tensor) -> Tensor:
        return _linear(x, self.weight, self.bias, "none", "")


class OneDnnMlp(nn.Module):
    """`Mlp` for inference, in the same way."""

    def __init__(self, mlp: Mlp, packs: bool = False) -> None:
        super().__init__()
        self.fc1, self.fc2 = OneDnnLinear(mlp.fc1, packs), OneDnnLinear(mlp.fc2, packs)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(_linear(x, self.fc1.weight, self.fc1.bias, "gelu", "none"))


def use_onednn(network: nn.Module, heads: torch.dtype = torch.float32, packs: bool = False) -> bool:
    """Let a network on the CPU compute its linear layers with oneDNN, where that works, and its
    dense heads, in bfloat16 where that is the type of `heads`.

    In place and for inference only; weights of linear layers are neither copied nor changed, unless
    it `packs` those of a small network.
    """
    if not _works():
        logger.info("oneDNN's linear layers are not to be had here; PyTorch's own are used")
        return False
    _replace(network, packs and _bytes(network) < _MOST_PACKED)
    use_onednn_heads(network, heads if heads == torch.bfloat16 else torch.float32)
    return True


def fastest_linear(device: torch.device) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The function that linear layers of an engine on this device run."""
    if device.type == "cpu" and _works():
        return lambda x, weight, bias: _linear(x, weight, bias, "none", "")
    return nn.functional.linear


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None, after: str, variant: str) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, after, [], variant)


def _bytes(network: nn.Module) -> int:
    return sum(values.numel() * values.element_size() for values in network.parameters())


def _packed(weight: Tensor) -> Tensor:
    return torch.ops.mkldnn._reorder_linear_weight(weight.detach())


def _works() -> bool:
    """Not a public operator, so a PyTorch that lacks or changed it must be noticed."""
    wide = platform.machine() == "x86_64" and torch.backends.cpu.get_cpu_capability() == "AVX512"
    if not wide or not torch.backends.mkldnn.is_available():
        return False
    x, weight, bias = torch.ones(1, 2, 32), torch.full((8, 32), 0.02), torch.ones(8)
    try:
        found = _linear(x, _packed(weight), bias, "gelu", "none")
    except (AttributeError, RuntimeError, TypeError):
        return False
    expected = nn.functional.gelu(nn.functional.linear(x, weight, bias))
    return torch.allclose(found, expected, atol=1e-5)


def _replace(module: nn.Module, packs: bool) -> None:
    for name, child in module.named_children():
        if isinstance(child, Mlp):
            setattr(module, name, OneDnnMlp(child, packs))
        elif isinstance(child, nn.Linear):
            setattr(module, name, OneDnnLinear(child, packs))
        else:
            _replace(child, packs)
