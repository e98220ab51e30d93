# SPDX-License-Identifier: Apache-2.0
"""The published networks at full size without their weights, for measuring time and memory."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from dens3r_ros.network.checkpoints.families import AnyNetwork
from dens3r_ros.network.multiview.any_view import AnyViewNetwork
from dens3r_ros.network.multiview.description import (
    AnyViewDescription,
    DenseSize,
    Hooks,
    VggtDescription,
)
from dens3r_ros.network.multiview.vggt.network import VggtNetwork
from dens3r_ros.network.pairwise.description import (
    DescriptorSize,
    NetworkDescription,
    TransformerSize,
)
from dens3r_ros.network.pairwise.network import Network
from dens3r_ros.network.parts.blocks import BlockSize
from dens3r_ros.network.parts.dinov2 import DinoSize

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


def _any_view(
    encoder: DinoSize, start: int, hooks: Hooks, layer_dims: tuple[int, int, int, int], width: int
) -> AnyViewDescription:
    return AnyViewDescription(
        replace(encoder, norm_epsilon=1e-5),
        DenseSize(layer_dims, width),
        start,
        start,
        start,
        hooks,
    )


_HOOKS, _DIMS = (5, 7, 9, 11), (256, 512, 1024, 1024)
_LARGE = DinoSize(1024, 24, 16, 4096)
_GIANT = DinoSize(1536, 40, 24, 4096, gated=True)
OF_VIEWS: dict[str, AnyViewDescription | VggtDescription] = {
    "da3-small": _any_view(DinoSize(384, 12, 6, 1536), 4, _HOOKS, (48, 96, 192, 384), 64),
    "da3-base": _any_view(DinoSize(768, 12, 12, 3072), 4, _HOOKS, (96, 192, 384, 768), 128),
    "da3-large": _any_view(_LARGE, 8, (11, 15, 19, 23), _DIMS, 256),
    "da3-giant": _any_view(_GIANT, 13, (19, 27, 33, 39), _DIMS, 256),
    "vggt-1b": VggtDescription(
        encoder=replace(_LARGE, registers=4, resampling="size"),
        block=BlockSize(1024, 16, 4096, 1e-5, qk_norm=True),
        depth=24,
        registers=4,
        head=DenseSize(_DIMS, 256),
        hooks=(4, 11, 17, 23),
    ),
}


def random_network(name: str, seed: int = 0) -> AnyNetwork:
    """A published network's shape with random weights whose outputs stay of order one."""
    if name not in DESCRIPTIONS and name not in OF_VIEWS:
        known = ", ".join((*DESCRIPTIONS, *OF_VIEWS))
        raise ValueError(f"no network is named {name!r}; there are {known}")
    with torch.device("meta"):
        network = _network(name)
    generator = torch.Generator().manual_seed(seed)
    weights = {
        key: _random(key, tensor.shape, generator) for key, tensor in network.state_dict().items()
    }
    network.load_state_dict(weights, assign=True)
    return network.eval().requires_grad_(False)


def _network(name: str) -> AnyNetwork:
    if name in DESCRIPTIONS:
        return Network(DESCRIPTIONS[name])
    described = OF_VIEWS[name]
    if isinstance(described, VggtDescription):
        return VggtNetwork(described)
    return AnyViewNetwork(described)


def _random(key: str, shape: torch.Size, generator: torch.Generator) -> Tensor:
    numbers = torch.empty(shape).uniform_(-math.sqrt(3.0), math.sqrt(3.0), generator=generator)
    if key.endswith(".bias"):
        return numbers.mul_(0.05)
    if len(shape) == 1:
        return numbers.mul_(0.1).add_(1.0)
    gain = 0.1 if key.endswith("raw.out.weight") else 1.0
    return numbers.mul_(gain / math.sqrt(math.prod(shape[1:])))
