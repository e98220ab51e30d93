# SPDX-License-Identifier: Apache-2.0
"""Published Depth Anything 3 checkpoints for any number of views: what they hold, by its names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dens3r_ros.network.multiview.description import (
    AnyViewDescription,
    CameraEncoderSize,
)
from dens3r_ros.network.parts.dense_size import DenseSize, Hooks
from dens3r_ros.network.parts.dinov2_keys import count_blocks, describe_dino
from dens3r_ros.network.parts.dpt_keys import dense_sizes, own_dense_name
from dens3r_ros.network.parts.settings import four_integers, integer

Shapes = Mapping[str, tuple[int, ...]]

MARKS = ("backbone.pretrained.camera_token",)
"""Tensors by which such a checkpoint is known."""
FREE_LICENCE = "Apache-2.0"
_OTHER_LICENCE = "CC BY-NC 4.0: non-commercial use only"
_WIDEST_FREE = 768
"""Small and base were published under a free licence, wider networks were not."""
_VIT = "backbone.pretrained."
_NORM_EPSILON = 1e-5
_PREFIXES = {
    _VIT: "backbone.",
    "cam_dec.backbone.": "camera_decoder.backbone.",
    "cam_dec.fc_t.": "camera_decoder.translation.",
    "cam_dec.fc_qvec.": "camera_decoder.quaternion.",
    "cam_dec.fc_fov.0.": "camera_decoder.fields.",
    "cam_enc.pose_branch.": "camera_encoder.pose.",
    "cam_enc.": "camera_encoder.",
    "head.scratch.output_conv1_aux.3.": "rays_head.reduce.",
    "head.scratch.output_conv2_aux.3.0.": "rays_head.out.0.",
    # One norm for all levels, which files keep once.
    "head.scratch.output_conv2_aux.0.2.": "rays_head.out.1.",
    "head.scratch.output_conv2_aux.3.5.": "rays_head.out.3.",
}
_AUX = re.compile(r"head\.(scratch\.refinenet\d)_aux\.")
_UNUSED = re.compile(
    r"backbone\.pretrained\.mask_token$"
    r"|head\.scratch\.output_conv[12]_aux\.[0-2]\."  # of levels that no output comes from
    r"|head\.scratch\.output_conv2_aux\.3\.2\."  # the norm under another name
    r"|gs_head\."  # Gaussians for rendering
)


def own_name(key: str) -> str | None:
    """Our name for the tensor that published networks call `key`; None if it is unknown."""
    for theirs, ours in _PREFIXES.items():
        if key.startswith(theirs):
            return ours + key[len(theirs) :]
    if _AUX.match(key):
        inner = own_dense_name(_AUX.sub(r"\1.", key))
        return None if inner is None else "rays_head." + inner.removeprefix("fusion.")
    inner = own_dense_name(key.removeprefix("head.")) if key.startswith("head.") else None
    return None if inner is None else f"depth_head.{inner}"


def is_unused(key: str) -> bool:
    """Whether checkpoints carry this tensor though nothing here reads it."""
    return own_name(key) is None and _UNUSED.match(key) is not None


def describe(shapes: Shapes, config: Mapping[str, Any]) -> AnyViewDescription:
    """The description of a checkpoint; `config` gives what shapes do not tell, where it knows."""
    depth = count_blocks(f"{_VIT}blocks.", shapes)
    normed = [n for n in range(depth) if f"{_VIT}blocks.{n}.attn.q_norm.weight" in shapes]
    if not normed:
        raise ValueError("no block with normalised queries and keys")
    head_dim = shapes[f"{_VIT}blocks.{normed[0]}.attn.q_norm.weight"][0]
    width = shapes[f"{_VIT}cls_token"][-1]
    trunk = count_blocks("cam_enc.trunk.", shapes)
    return AnyViewDescription(
        encoder=describe_dino(_VIT, shapes, heads=width // head_dim, norm_epsilon=_NORM_EPSILON),
        head=DenseSize(*dense_sizes("head.", shapes)),
        cross_from=integer(config, "alt_start", normed[0]),
        qk_norm_from=normed[0],
        rotate_from=integer(config, "rope_start", normed[0]),
        hooks=four_integers(config, "out_layers", usual_hooks(depth)),
        camera_encoder=CameraEncoderSize(trunk) if trunk else None,
        licence=FREE_LICENCE if width <= _WIDEST_FREE else _OTHER_LICENCE,
    )


def usual_hooks(depth: int) -> Hooks:
    """The blocks that heads of a published network of this depth read: odd, in its second half."""
    first, second, third, last = (-(-depth * part // 12) * 2 - 1 for part in (3, 4, 5, 6))
    return first, second, third, min(last, depth - 1)
