# SPDX-License-Identifier: Apache-2.0
"""The network that a run starts from: random, or with what a checkpoint has of it."""

from __future__ import annotations

import logging
import math
from pathlib import Path

import torch
from torch import nn

from dens3r_ros.network.checkpoints.read import Weights, read_weights
from dens3r_ros.network.pairwise.description import NetworkDescription
from dens3r_ros.network.pairwise.network import Network
from dens3r_ros.training.config import Phase, TrainingConfig

_LOG = logging.getLogger(__name__)
_CALM = 0.1
"""Of their usual size, the first weights of the layer that gives points."""


def starting_network(config: TrainingConfig) -> Network:
    """Build it, in float32, ready to learn."""
    network = _initialised(config) if config.init else _random(config)
    check_sizes(config.phases, network.description.patch)
    return network.train()


def check_sizes(phases: tuple[Phase, ...], patch: int) -> None:
    """Raise ValueError where an image size is no multiple of the patch size."""
    for number, phase in enumerate(phases):
        for width, height in phase.sizes:
            if width % patch or height % patch:
                raise ValueError(
                    f"phases[{number}].sizes: {width}x{height} is no multiple of the patch "
                    f"size {patch}"
                )


def _random(config: TrainingConfig) -> Network:
    if config.network is None:
        raise ValueError("network: needed where init names no checkpoint")
    network = Network(config.network)
    for head in network.points_heads.values():
        _look_ahead(head)
    return network


@torch.no_grad()
def _look_ahead(head: nn.Module) -> None:
    """Let all points start near (0, 0, 1), for random ones lie behind the camera as often."""
    *_, last = (module for module in head.modules() if isinstance(module, nn.Linear | nn.Conv2d))
    last.weight.mul_(_CALM)
    channels = 3 if head.confidence is None else 4
    bias = last.bias.unflatten(0, (channels, -1))  # type: ignore[union-attr]
    bias[2] = math.log(2) if head.mode == "exp" else 1.0


def _initialised(config: TrainingConfig) -> Network:
    weights = read_weights(Path(str(config.init)).expanduser())
    if not isinstance(weights.description, NetworkDescription):
        raise ValueError(f"init: {config.init} is a network for one image or many, not for pairs")
    network = Network(config.network or weights.description)
    take(weights, network, config.init)
    return network


def take(weights: Weights, network: nn.Module, source: str | None) -> None:
    """Give the network what weights agree with its own in name and shape."""
    own = network.state_dict()
    taken = {
        name: tensor.to(torch.float32, copy=True)
        for name, tensor in weights.tensors.items()
        if name in own and own[name].shape == tensor.shape
    }
    if not taken:
        raise ValueError(f"init: {source} shares no weight with the network described")
    network.load_state_dict(taken, strict=False)
    left = [name for name in own if name not in taken]
    if left:
        _LOG.warning(
            "%s gives %d of %d tensors; these start at random: %s",
            *(source, len(taken), len(own), ", ".join(left[:5])),
        )
