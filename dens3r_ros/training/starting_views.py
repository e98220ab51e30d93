# SPDX-License-Identifier: Apache-2.0
"""The network of many views that a run starts from: random, or with what a checkpoint has of it."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from dens3r_ros.network.checkpoints.read import read_weights
from dens3r_ros.network.multiview.any_view import AnyViewNetwork
from dens3r_ros.network.multiview.description import AnyViewDescription
from dens3r_ros.training.config import TrainingConfig
from dens3r_ros.training.starting import check_sizes, take

_SPREAD = 0.02
"""Of first values of tokens and of the table of positions."""
_CALM = 0.1
"""Of their usual size, the first weights of the layers that give depth and cameras."""
_FIELD = 1.0
"""Radians that every camera sees at first."""


def starting_views_network(config: TrainingConfig) -> AnyViewNetwork:
    """Build it, in float32, ready to learn."""
    assert config.views is not None
    network = _initialised(config) if config.init else _random(config.views.network)
    check_sizes(config.phases, network.patch)
    return network.train()


def _random(description: AnyViewDescription | None) -> AnyViewNetwork:
    assert description is not None
    network = AnyViewNetwork(description)
    backbone = network.backbone
    for token in (backbone.cls_token, backbone.pos_embed, backbone.camera_token):
        nn.init.normal_(token, std=_SPREAD)
    _look_ahead(network)
    return network


@torch.no_grad()
def _look_ahead(network: AnyViewNetwork) -> None:
    """Let all cameras start near one place with one field of view, and all depths near 1."""
    cameras = network.camera_decoder
    for layer in (cameras.translation, cameras.quaternion, cameras.fields):
        layer.weight.mul_(_CALM)
        layer.bias.zero_()
    cameras.quaternion.bias[3] = 1.0
    # The fields of view are rectified: from below zero they would never learn.
    cameras.fields.bias.fill_(_FIELD)
    *_, last = (m for m in network.depth_head.out.modules() if isinstance(m, nn.Conv2d))
    last.weight.mul_(_CALM)
    assert last.bias is not None
    last.bias.zero_()


def _initialised(config: TrainingConfig) -> AnyViewNetwork:
    weights = read_weights(Path(str(config.init)).expanduser())
    if not isinstance(weights.description, AnyViewDescription):
        raise ValueError(f"init: {config.init} is no Depth Anything 3 network for any views")
    assert config.views is not None
    network = _random(config.views.network or weights.description)
    take(weights, network, config.init)
    return network
