# SPDX-License-Identifier: Apache-2.0
"""Sizes of a DINOv2 encoder, read off the tensors of a checkpoint."""

from __future__ import annotations

import re
from collections.abc import Mapping

from dens3r_ros.network.parts.dinov2 import POSITION_GRID, DinoSize, Resampling

HEAD_DIM = 64
"""Of every published encoder; what its tensors do not tell."""


def describe_dino(
    prefix: str,
    shapes: Mapping[str, tuple[int, ...]],
    *,
    heads: int | None = None,
    resampling: Resampling = "scale",
    norm_epsilon: float = 1e-6,
) -> DinoSize:
    """The encoder whose tensors start with `prefix`; raises ValueError, LookupError otherwise."""
    positions, width = shapes[f"{prefix}pos_embed"][1:]
    if positions != 1 + POSITION_GRID**2:
        raise ValueError(f"a table of {positions} positions instead of {1 + POSITION_GRID**2}")
    gated = f"{prefix}blocks.0.mlp.w12.weight" in shapes
    first = shapes[f"{prefix}blocks.0.mlp.{'w12' if gated else 'fc1'}.weight"][0]
    registers = shapes.get(f"{prefix}register_tokens", (1, 0, width))[1]
    return DinoSize(
        width=width,
        depth=count_blocks(f"{prefix}blocks.", shapes),
        heads=heads or _usual_heads(width),
        hidden=first // 2 if gated else first,
        gated=gated,
        registers=registers,
        resampling=resampling,
        norm_epsilon=norm_epsilon,
        patch=shapes[f"{prefix}patch_embed.proj.weight"][-1],
    )


def count_blocks(prefix: str, shapes: Mapping[str, tuple[int, ...]]) -> int:
    """How many blocks a checkpoint has whose tensors start with `prefix` and a number."""
    found = (re.match(re.escape(prefix) + r"(\d+)\.", key) for key in shapes)
    return 1 + max((int(match[1]) for match in found if match), default=-1)


def _usual_heads(width: int) -> int:
    if width % HEAD_DIM:
        raise ValueError(f"a width of {width}, from which the number of heads cannot be told")
    return width // HEAD_DIM
