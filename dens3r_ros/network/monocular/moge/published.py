# SPDX-License-Identifier: Apache-2.0
"""How MoGe is published; `model_config` beside the tensors tells what they do not."""

from __future__ import annotations

from dens3r_ros.network.checkpoints.layout import Arguments, Layout, Shapes
from dens3r_ros.network.monocular.moge.description import describe_moge1, describe_moge2
from dens3r_ros.network.monocular.moge.first import Moge1
from dens3r_ros.network.monocular.moge.second import Moge2

# ImageNet's mean and deviation, which are the same in every file, and a token of pre-training.
_UNUSED = ("image_mean", "image_std", "mask_token")


def _is_unused(key: str) -> bool:
    return key.rpartition(".")[2] in _UNUSED


def _first(arguments: Arguments, shapes: Shapes) -> Moge1:
    return Moge1(describe_moge1(arguments, shapes))


def _second(arguments: Arguments, shapes: Shapes) -> Moge2:
    return Moge2(describe_moge2(arguments, shapes))


MOGE1 = Layout(
    "MoGe-1", ("backbone.cls_token", "head.output_block.0.0.weight"), _first, is_unused=_is_unused
)
MOGE2 = Layout(
    "MoGe-2",
    ("encoder.backbone.cls_token", "neck.input_blocks.0.weight"),
    _second,
    is_unused=_is_unused,
)
