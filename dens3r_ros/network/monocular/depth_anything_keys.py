# SPDX-License-Identifier: Apache-2.0
"""Published Depth Anything 3 checkpoints for one image: what they hold, by its names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dens3r_ros.network.monocular.depth_anything import DepthAnythingDescription
from dens3r_ros.network.parts.dense_size import DenseSize, Hooks
from dens3r_ros.network.parts.dinov2_keys import describe_dino
from dens3r_ros.network.parts.dpt_keys import dense_sizes, own_dense_name
from dens3r_ros.network.parts.settings import four_integers

Shapes = Mapping[str, tuple[int, ...]]

MARKS = ("backbone.pretrained.cls_token", "head.scratch.sky_output_conv2.0.weight")
"""Tensors by which such a checkpoint is known."""
LICENCE = "Apache-2.0"
_VIT = "backbone.pretrained."
_SKY = "head.scratch.sky_output_conv2."
_NORM_EPSILON = 1e-5


def own_name(key: str) -> str | None:
    """Our name for the tensor that published networks call `key`; None if it is unknown."""
    if key.startswith(_VIT):
        return "backbone." + key[len(_VIT) :]
    if key.startswith(_SKY):
        return "sky_out." + key[len(_SKY) :]
    inner = own_dense_name(key.removeprefix("head.")) if key.startswith("head.") else None
    return None if inner is None else f"head.{inner}"


def is_unused(key: str) -> bool:
    """Whether checkpoints carry this tensor though nothing here reads it."""
    return re.fullmatch(r"backbone\.pretrained\.mask_token", key) is not None


def describe(shapes: Shapes, config: Mapping[str, Any]) -> DepthAnythingDescription:
    """The description of a checkpoint.

    The number of heads, the hooks and whether depth is metric are taken from `config` where it
    has them: "num_heads", "out_layers", and "model_name" with "metric" in it.
    """
    encoder = describe_dino(_VIT, shapes, heads=config.get("num_heads"), norm_epsilon=_NORM_EPSILON)
    return DepthAnythingDescription(
        encoder=encoder,
        head=DenseSize(*dense_sizes("head.", shapes)),
        hooks=four_integers(config, "out_layers", usual_hooks(encoder.depth)),
        metric="metric" in str(config.get("model_name", "")).lower(),
        licence=LICENCE,
    )


def usual_hooks(depth: int) -> Hooks:
    """The blocks that the head of a published network of this depth reads."""
    return (4, 11, 17, 23) if depth == 24 else _quarters(depth)


def _quarters(depth: int) -> Hooks:
    first, second, third, last = (depth * part // 4 - 1 for part in (1, 2, 3, 4))
    return max(first, 0), second, third, last
