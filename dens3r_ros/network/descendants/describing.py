# SPDX-License-Identifier: Apache-2.0
"""Descriptions of what descendants have of the pairwise family, where files tell only a part."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from dens3r_ros.network.pairwise.description import BackboneSize, NetworkDescription
from dens3r_ros.network.pairwise.keys import canonical
from dens3r_ros.network.pairwise.keys import is_unused as unused_in_pairwise
from dens3r_ros.network.pairwise.keys import own_name as own_pairwise_name
from dens3r_ros.network.pairwise.published import describe_backbone, describe_published

# What of a file's settings is believed; which heads there are is told by the tensors.
_TOLD = (
    "pos_embed",
    "enc_num_heads",
    "dec_num_heads",
    "img_size",
    "conf_mode",
    "depth_mode",
    "symmetrize_dec",
)

Config = Mapping[str, Any]
Shapes = Mapping[str, tuple[int, ...]]

HEAD_WIDTH = 64
"""Channels of a head of attention in every published network of the family."""
EXP_CONFIDENCE = ("exp", 1.0, math.inf)


def within(shapes: Shapes, prefix: str = "") -> dict[str, tuple[int, ...]]:
    """Shapes of the tensors whose names begin so, by what follows, under one name each."""
    return {
        canonical(key[len(prefix) :]): shape
        for key, shape in shapes.items()
        if key.startswith(prefix)
    }


def backbone_size(config: Config, shapes: Shapes) -> BackboneSize:
    """Encoder and decoder; heads are 64 channels wide unless the file tells their number."""
    return describe_backbone(_completed(config, shapes), shapes)


def pairwise_description(config: Config, shapes: Shapes, **defaults: Any) -> NetworkDescription:
    """The pairwise network inside a descendant; `defaults` hold where the file tells nothing."""
    return describe_published(defaults | _completed(config, shapes), shapes)


def own_name_in(key: str, prefix: str = "") -> str | None:
    """Our name for a tensor of the pairwise network that a descendant holds under `prefix`."""
    own = own_pairwise_name(canonical(key))
    return None if own is None else prefix + own


def renamed(key: str, names: Mapping[str, str]) -> str | None:
    """The key with its beginning replaced by what `names` have for it; None where nothing fits."""
    for theirs, ours in names.items():
        if key.startswith(theirs):
            return ours + key[len(theirs) :]
    return None


def is_unused(key: str) -> bool:
    """Whether files of the family carry this tensor without its being read."""
    return unused_in_pairwise(key) or key.endswith("num_batches_tracked")


def _completed(config: Config, shapes: Shapes) -> dict[str, Any]:
    told = {key: config[key] for key in _TOLD if config.get(key) is not None}
    encoder = shapes["enc_norm.weight"][0]
    decoder = shapes["dec_norm.weight"][0]
    usual = {
        "pos_embed": "RoPE100",
        "enc_num_heads": max(1, encoder // HEAD_WIDTH),
        "dec_num_heads": max(1, decoder // HEAD_WIDTH),
    }
    return usual | told
