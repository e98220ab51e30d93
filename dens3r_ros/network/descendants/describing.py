# SPDX-License-Identifier: Apache-2.0
"""Descriptions of what descendants have of the pairwise family, where files tell only a part."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from dens3r_ros.network.checkpoints.layout import Arguments, Shapes
from dens3r_ros.network.pairwise.description import BackboneSize, NetworkDescription
from dens3r_ros.network.pairwise.keys import is_unused as unused_in_pairwise
from dens3r_ros.network.pairwise.keys import own_name as own_pairwise_name
from dens3r_ros.network.pairwise.published import describe_backbone, describe_published

HEAD_WIDTH = 64
"""Channels of a head of attention in every published network of the family."""
EXP_CONFIDENCE = ("exp", 1.0, math.inf)


def within(shapes: Shapes, prefix: str) -> dict[str, tuple[int, ...]]:
    """Shapes of the tensors whose names begin so, by what follows."""
    return {key[len(prefix) :]: shape for key, shape in shapes.items() if key.startswith(prefix)}


def backbone_size(arguments: Arguments, shapes: Shapes) -> BackboneSize:
    """Encoder and decoder; heads are 64 channels wide unless the file tells their number."""
    return describe_backbone(_completed(arguments, shapes), shapes)


def pairwise_description(
    arguments: Arguments, shapes: Shapes, **defaults: Any
) -> NetworkDescription:
    """The pairwise network inside a descendant; `defaults` hold where the file tells nothing."""
    return describe_published(defaults | _completed(arguments, shapes), shapes)


def named_by(*rules: tuple[str, str]) -> Callable[[str], str | None]:
    """Our names by the first of the rules (pattern of theirs, ours) that fits the whole name."""
    compiled = [(re.compile(theirs), ours) for theirs, ours in rules]

    def own_name(key: str) -> str | None:
        for theirs, ours in compiled:
            if (match := theirs.fullmatch(key)) is not None:
                return match.expand(ours)
        return None

    return own_name


def named_in_network(
    key: str, prefix: str = "network.", otherwise: Callable[[str], str | None] | None = None
) -> str | None:
    """Our name for a tensor of a descendant that holds a pairwise network under `prefix`."""
    own = None if otherwise is None else otherwise(key)
    if own is not None:
        return own
    own = own_pairwise_name(key)
    return None if own is None else prefix + own


def is_unused(key: str) -> bool:
    """Whether files of the family carry this tensor without its being read."""
    return unused_in_pairwise(key) or key.endswith("num_batches_tracked")


def _completed(arguments: Arguments, shapes: Shapes) -> dict[str, Any]:
    told = {key: value for key, value in arguments.items() if value is not None}
    encoder = shapes["enc_norm.weight"][0]
    decoder = shapes["dec_norm.weight"][0]
    usual = {
        "pos_embed": "RoPE100",
        "enc_num_heads": max(1, encoder // HEAD_WIDTH),
        "dec_num_heads": max(1, decoder // HEAD_WIDTH),
    }
    return usual | told
