# SPDX-License-Identifier: Apache-2.0
"""Descriptions of published networks, from their constructor's arguments and tensor shapes.

Whatever the shapes tell is read from them; the arguments give only what shapes cannot.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from dens3r_ros.network.pairwise.description import (
    BackboneSize,
    ConfidenceRange,
    DescriptorSize,
    DptSize,
    Family,
    NetworkDescription,
    PointsMode,
    TransformerSize,
    published_hooks,
)

Arguments = Mapping[str, Any]
Shapes = Mapping[str, tuple[int, ...]]

CLASSES = ("AsymmetricCroCo3DStereo", "AsymmetricMASt3R")
_HEADS = ("downstream_head1", "ptsmatch_local_head", "normal_local_head")
_DENS3R_GRID = 32
_LICENCE = (
    "CC BY-NC-SA 4.0: non-commercial use only (the published weights and what is made of them)"
)


def describe_backbone(arguments: Arguments, shapes: Shapes) -> BackboneSize:
    """Encoder and decoder of a checkpoint; raises ValueError where they are of another kind."""
    _check_supported(arguments)
    return BackboneSize(
        encoder=_transformer("enc_blocks", _heads(arguments, "enc"), shapes),
        decoder=_transformer("dec_blocks", _heads(arguments, "dec"), shapes),
        patch=_shape(shapes, "patch_embed.proj.weight")[-1],
        rope_base=_rope_base(arguments),
        shared_decoder=_is_shared(arguments, shapes),
    )


def describe_published(arguments: Arguments, shapes: Shapes) -> NetworkDescription:
    """The description of a checkpoint; raises ValueError where this family has no such network."""
    family = _family(str(arguments.get("output_mode", "pts3d")))
    normals_only = arguments.get("output_mode") == "normal"
    backbone = describe_backbone(arguments, shapes)
    head = _head_prefix(shapes)
    return NetworkDescription(
        family=family,
        encoder=backbone.encoder,
        decoder=backbone.decoder,
        patch=backbone.patch,
        rope_base=backbone.rope_base,
        rope_grid=_DENS3R_GRID if family == "dens3r" else None,
        shared_decoder=backbone.shared_decoder,
        head="dpt" if f"{head}.dpt.head.0.weight" in shapes else "linear",
        dpt=dpt_size(f"{head}.dpt", shapes),
        hooks=published_hooks(backbone.decoder.depth),
        points=None if normals_only else _points_mode(arguments),
        confidence=None if normals_only else _confidence(arguments.get("conf_mode")),
        descriptors=None if normals_only else _descriptors(head, arguments, shapes),
        normals=family == "dens3r",
        metric=family == "mast3r" and _is_metric(arguments),
        training_size=_training_size(arguments),
        turn_portraits=family == "dens3r",
        licence=_LICENCE,
    )


def _check_supported(arguments: Arguments) -> None:
    patch_embed = arguments.get("patch_embed_cls", "PatchEmbedDust3R")
    if patch_embed not in ("PatchEmbedDust3R", "ManyAR_PatchEmbed"):
        raise ValueError(f"patch embedding {patch_embed!r}")
    if arguments.get("norm_im2_in_dec", True) is not True:
        raise ValueError("a decoder that does not normalise the other view")
    if arguments.get("head_type", "dpt") not in ("linear", "dpt", "catmlp+dpt"):
        raise ValueError(f"head type {arguments['head_type']!r}")


def _family(output_mode: str) -> Family:
    if output_mode in ("unify", "normal"):
        return "dens3r"
    if output_mode == "pts3d":
        return "dust3r"
    if re.fullmatch(r"pts3d\+desc\d+", output_mode):
        return "mast3r"
    raise ValueError(f"output mode {output_mode!r}")


def _heads(arguments: Arguments, side: str) -> int:
    try:
        return int(arguments[f"{side}_num_heads"])
    except KeyError:
        raise ValueError(f"no {side}_num_heads, which tensor shapes do not tell") from None


def _transformer(prefix: str, heads: int, shapes: Shapes) -> TransformerSize:
    mlp_width, width = _shape(shapes, f"{prefix}.0.mlp.fc1.weight")
    blocks = {key.split(".")[1] for key in shapes if key.startswith(f"{prefix}.")}
    return TransformerSize(width, len(blocks), heads, mlp_width)


def _shape(shapes: Shapes, key: str) -> tuple[int, ...]:
    if key not in shapes:
        raise ValueError(f"no tensor {key}")
    return shapes[key]


def _rope_base(arguments: Arguments) -> float:
    match = re.fullmatch(r"RoPE(\d+(?:\.\d+)?)", str(arguments.get("pos_embed")))
    if match is None:
        raise ValueError(f"position embedding {arguments.get('pos_embed')!r} instead of RoPE")
    return float(match[1])


def _is_shared(arguments: Arguments, shapes: Shapes) -> bool:
    """One decoder, by will, or because the second is a copy that was never stored."""
    has_second = any(key.startswith("dec_blocks2.") for key in shapes)
    return bool(arguments.get("symmetrize_dec", False)) or not has_second


def _head_prefix(shapes: Shapes) -> str:
    for head in _HEADS:
        if any(key.startswith(f"{head}.") for key in shapes):
            return head
    raise ValueError("no heads, as in a CroCo pre-training checkpoint")


def dpt_size(prefix: str, shapes: Shapes) -> DptSize:
    """Channels of the dense head whose tensors begin so; the usual ones where there is none."""
    if f"{prefix}.head.0.weight" not in shapes:
        return DptSize()
    reduced_dim, feature_dim = _shape(shapes, f"{prefix}.head.0.weight")[:2]
    last_dim = _shape(shapes, f"{prefix}.head.2.weight")[0]
    first, second, third, fourth = (
        _shape(shapes, f"{prefix}.act_postprocess.{level}.0.weight")[0] for level in range(4)
    )
    widths = (first, second, third, fourth)
    return DptSize(feature_dim, last_dim, widths, None if reduced_dim == last_dim else reduced_dim)


def _points_mode(arguments: Arguments) -> PointsMode:
    mode, low, high = arguments.get("depth_mode", ("exp", -math.inf, math.inf))
    if mode not in ("exp", "linear", "square") or (low, high) != (-math.inf, math.inf):
        raise ValueError(f"depth mode {(mode, low, high)}")
    return mode


def _confidence(mode: Any) -> ConfidenceRange | None:
    if mode is None:
        return None
    kind, low, high = mode
    if kind != "exp":
        raise ValueError(f"confidence mode {kind!r}")
    return ConfidenceRange(float(low), None if high == math.inf else float(high))


def _descriptors(head: str, arguments: Arguments, shapes: Shapes) -> DescriptorSize | None:
    key = f"{head}.head_local_features.fc2.weight"
    if key not in shapes:
        return None
    rows, mlp_width = shapes[key]
    own = bool(arguments.get("two_confs", False) or arguments.get("desc_conf", False))
    mode = arguments.get("desc_conf_mode") or arguments.get("conf_mode")
    patch = _shape(shapes, "patch_embed.proj.weight")[-1]
    return DescriptorSize(rows // patch**2 - own, mlp_width, _confidence(mode) if own else None)


def _is_metric(arguments: Arguments) -> bool:
    """The metric MASt3R is the published one whose descriptor confidence starts at 0."""
    mode = arguments.get("desc_conf_mode")
    return mode is not None and mode[1] == 0


def _training_size(arguments: Arguments) -> tuple[int, int]:
    """Networks for 224 pixels were trained on squares, the others on 4:3 and flatter."""
    size = arguments.get("img_size", 224)
    long_side = int(size if isinstance(size, int) else max(size))
    return (long_side, long_side if long_side <= 224 else long_side * 3 // 4)
