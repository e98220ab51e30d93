# SPDX-License-Identifier: Apache-2.0
"""Published VGGT checkpoints: what they hold, by its names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dens3r_ros.network.multiview.description import CameraHeadSize, VggtDescription
from dens3r_ros.network.parts.blocks import BlockSize
from dens3r_ros.network.parts.dense_size import DenseSize, Hooks
from dens3r_ros.network.parts.dinov2_keys import count_blocks, describe_dino
from dens3r_ros.network.parts.dpt_keys import dense_sizes, own_dense_name
from dens3r_ros.network.parts.settings import four_integers

Shapes = Mapping[str, tuple[int, ...]]

MARKS = ("aggregator.camera_token", "camera_head.empty_pose_tokens")
"""Tensors by which such a checkpoint is known."""
LICENCES = {
    True: "VGGT License: commercial use allowed, military use and others not",
    False: "CC BY-NC 4.0: non-commercial use only",
}
"""Of the checkpoint whose name says that it is for commercial use, and of the other."""
_EPSILON = 1e-5
_PREFIXES = {
    "aggregator.patch_embed.": "backbone.encoder.",
    "aggregator.frame_blocks.": "backbone.view_blocks.",
    "aggregator.global_blocks.": "backbone.scene_blocks.",
    "aggregator.": "backbone.",
    "camera_head.empty_pose_tokens": "camera_head.no_guess",
    "camera_head.embed_pose.": "camera_head.embed_guess.",
    "camera_head.poseLN_modulation.1.": "camera_head.modulation.",
    "camera_head.pose_branch.": "camera_head.correction.",
    "camera_head.": "camera_head.",
}
_DENSE = {"depth_head.": "depth_head.", "point_head.": "points_head."}
_UNUSED = re.compile(
    r"aggregator\.patch_embed\.mask_token$"
    r"|track_head\."  # tracks of points, which nothing here asks for
)


def own_name(key: str) -> str | None:
    """Our name for the tensor that published networks call `key`; None if it is unknown."""
    for theirs, ours in _DENSE.items():
        if key.startswith(theirs):
            inner = own_dense_name(key[len(theirs) :])
            return None if inner is None else ours + inner
    for theirs, ours in _PREFIXES.items():
        if key.startswith(theirs):
            return ours + key[len(theirs) :]
    return None


def is_unused(key: str) -> bool:
    """Whether checkpoints carry this tensor though nothing here reads it."""
    return _UNUSED.match(key) is not None


def describe(shapes: Shapes, config: Mapping[str, Any]) -> VggtDescription:
    """The description of a checkpoint; `config` gives hooks as "dpt_idx", where it has them."""
    first = "aggregator.frame_blocks.0."
    hidden, width = shapes[f"{first}mlp.fc1.weight"]
    heads = width // shapes[f"{first}attn.q_norm.weight"][0]
    depth = count_blocks("aggregator.frame_blocks.", shapes)
    if count_blocks("aggregator.global_blocks.", shapes) != depth:
        raise ValueError("as many blocks for one view as for all are needed")
    return VggtDescription(
        encoder=describe_dino("aggregator.patch_embed.", shapes, heads=heads, resampling="size"),
        block=BlockSize(width, heads, hidden, _EPSILON, qk_norm=True),
        depth=depth,
        registers=shapes["aggregator.register_token"][2],
        head=DenseSize(*dense_sizes("depth_head.", shapes)),
        hooks=four_integers(config, "dpt_idx", usual_hooks(depth)),
        camera_head=CameraHeadSize(depth=count_blocks("camera_head.trunk.", shapes)),
        licence=LICENCES["1b-commercial" in str(config.get("model_name", "")).lower()],
    )


def usual_hooks(depth: int) -> Hooks:
    """The pairs of blocks that heads of a published network of this depth read."""
    if depth == 24:
        return (4, 11, 17, 23)
    first, second, third, last = (depth * part // 4 - 1 for part in (1, 2, 3, 4))
    return max(first, 0), second, third, last
