# SPDX-License-Identifier: Apache-2.0
"""The published networks at full size without their weights, for measuring time and memory."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from dens3r_ros.network.pairwise.description import (
    DescriptorSize,
    NetworkDescription,
    TransformerSize,
)
from dens3r_ros.network.pairwise.network import Network

PREFIX = "random:"

_DUST3R = NetworkDescription(
    family="dust3r",
    encoder=TransformerSize(1024, 24, 16, 4096),
    decoder=TransformerSize(768, 12, 12, 3072),
    training_size=(512, 384),
    licence="none: random numbers",
)
_DENS3R = replace(
    _DUST3R, family="dens3r", rope_grid=32, shared_decoder=True, normals=True, turn_portraits=True
)
DESCRIPTIONS = {
    "dust3r-224-linear": replace(_DUST3R, head="linear", training_size=(224, 224)),
    "dust3r-512-linear": replace(_DUST3R, head="linear"),
    "dust3r-512-dpt": _DUST3R,
    "mast3r-512": replace(_DUST3R, family="mast3r", descriptors=DescriptorSize(), metric=True),
    "dens3r-unify": replace(_DENS3R, descriptors=DescriptorSize()),
    "dens3r-normal": replace(_DENS3R, points=None, confidence=None),
}


def random_network(name: str, seed: int = 0) -> Network:
    """A published network's shape with random weights whose outputs stay of order one."""
    if name not in DESCRIPTIONS:
        raise ValueError(f"no network is named {name!r}; there are {', '.join(DESCRIPTIONS)}")
    with torch.device("meta"):
        network = Network(DESCRIPTIONS[name])
    generator = torch.Generator().manual_seed(seed)
    weights = {
        key: _random(key, tensor.shape, generator) for key, tensor in network.state_dict().items()
    }
    network.load_state_dict(weights, assign=True)
    return network.eval().requires_grad_(False)


def _random(key: str, shape: torch.Size, generator: torch.Generator) -> Tensor:
    numbers = torch.empty(shape).uniform_(-math.sqrt(3.0), math.sqrt(3.0), generator=generator)
    if key.endswith(".bias"):
        return numbers.mul_(0.05)
    if len(shape) == 1:
        return numbers.mul_(0.1).add_(1.0)
    gain = 0.1 if key.endswith("raw.out.weight") else 1.0
    return numbers.mul_(gain / math.sqrt(math.prod(shape[1:])))
