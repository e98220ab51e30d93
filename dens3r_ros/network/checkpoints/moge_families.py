# SPDX-License-Identifier: Apache-2.0
"""Published MoGe checkpoints; `model_config` beside the tensors tells what they do not."""

from __future__ import annotations

from dens3r_ros.network.checkpoints.family import NetworkFamily
from dens3r_ros.network.monocular.moge.description import (
    Moge1Description,
    Moge2Description,
    describe_moge1,
    describe_moge2,
)
from dens3r_ros.network.monocular.moge.first import Moge1
from dens3r_ros.network.monocular.moge.second import Moge2

Moge = Moge1 | Moge2

# ImageNet's mean and deviation, which are the same in every file, and a token of pre-training.
_UNUSED = ("image_mean", "image_std", "mask_token")


def _own_name(key: str) -> str | None:
    return key


def _is_unused(key: str) -> bool:
    return key.rpartition(".")[2] in _UNUSED


MOGE_FAMILIES = (
    NetworkFamily(
        kind="moge1",
        title="MoGe-1",
        description=Moge1Description,
        network=Moge1,
        marks=("backbone.cls_token", "head.output_block.0.0.weight"),
        describe=lambda shapes, config: describe_moge1(config, shapes),
        own_name=_own_name,
        is_unused=_is_unused,
    ),
    NetworkFamily(
        kind="moge2",
        title="MoGe-2",
        description=Moge2Description,
        network=Moge2,
        marks=("encoder.backbone.cls_token", "neck.input_blocks.0.weight"),
        describe=lambda shapes, config: describe_moge2(config, shapes),
        own_name=_own_name,
        is_unused=_is_unused,
    ),
)
