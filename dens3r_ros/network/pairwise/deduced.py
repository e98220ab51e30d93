# SPDX-License-Identifier: Apache-2.0
"""The constructor's arguments of a published pairwise network, as far as its tensors tell them."""

from __future__ import annotations

import math
from typing import Any

from dens3r_ros.network.pairwise.published import Shapes

_HEAD_WIDTH = 64
_EXP = ("exp", 1.0, math.inf)


def deduced_arguments(shapes: Shapes) -> dict[str, Any]:
    """Arguments with which `describe_published` reads tensors that came without any.

    Heads of attention are taken to be 64 channels wide, as in every published network. Raises
    ValueError where the tensors are of another family.
    """
    if "enc_norm.weight" not in shapes or "dec_norm.weight" not in shapes:
        raise ValueError("neither encoder nor decoder of the pairwise family")
    found: dict[str, Any] = {
        "pos_embed": "RoPE100",
        "enc_num_heads": shapes["enc_norm.weight"][0] // _HEAD_WIDTH,
        "dec_num_heads": shapes["dec_norm.weight"][0] // _HEAD_WIDTH,
        "conf_mode": _EXP,
        "img_size": 512,
    }
    if "normal_local_head.dpt.head.4.weight" in shapes:
        unify = "ptsmatch_local_head.dpt.head.4.weight" in shapes
        return found | {"output_mode": "unify" if unify else "normal"} | _confidences(shapes)
    descriptors = shapes.get("downstream_head1.head_local_features.fc2.weight")
    if descriptors is None:
        return found | {"output_mode": "pts3d"}
    patch = shapes["patch_embed.proj.weight"][-1]
    # An odd number of maps: descriptors of even length, and a confidence of their own.
    channels = descriptors[0] // patch**2
    return found | {"output_mode": f"pts3d+desc{channels - channels % 2}"} | _confidences(shapes)


def _confidences(shapes: Shapes) -> dict[str, Any]:
    patch = shapes["patch_embed.proj.weight"][-1]
    rows = next((s[0] for key, s in shapes.items() if key.endswith("local_features.fc2.weight")), 0)
    own = bool(rows // patch**2 % 2)
    return {"two_confs": own, "desc_conf_mode": ("exp", 0.0, math.inf) if own else None}
