# SPDX-License-Identifier: Apache-2.0
"""What published checkpoints call the tensors of dense heads, and what they are called here."""

from __future__ import annotations

import re
from collections.abc import Mapping

_DENSE = {
    "projects.": (r"^projects\.(\d)\.", r"resample.\1.0."),
    "resize_layers.": (r"^resize_layers\.(\d)\.", r"resample.\1.1."),
    "scratch.output_conv1.": (r"^scratch\.output_conv1\.", "reduce."),
    "scratch.output_conv2.": (r"^scratch\.output_conv2\.", "out."),
}


def own_fusion_name(key: str) -> str:
    """Our name within a head for a tensor that checkpoints call `key` within theirs."""
    key = re.sub(r"^scratch\.layer(\d)_rn", _project, key)
    key = re.sub(r"^scratch\.refinenet(\d)\b", _fuse, key)
    return key.replace("resConfUnit1", "unit_finer").replace("resConfUnit2", "unit")


def own_dense_name(key: str) -> str | None:
    """Our name within a `DenseHead` for a tensor that checkpoints call `key` within theirs."""
    for start, (theirs, ours) in _DENSE.items():
        if key.startswith(start):
            return re.sub(theirs, ours, key)
    if re.match(r"norm\.|scratch\.(layer\d_rn|refinenet\d)\.", key):
        return own_fusion_name(key)
    return None


def dense_sizes(
    prefix: str, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[tuple[int, int, int, int], int]:
    """Channels of the four maps of a published head, and of the maps where they are fused."""
    first, second, third, fourth = (shapes[f"{prefix}projects.{n}.weight"][0] for n in range(4))
    return (first, second, third, fourth), shapes[f"{prefix}scratch.layer1_rn.weight"][0]


def _project(match: re.Match[str]) -> str:
    return f"fusion.project.{int(match[1]) - 1}"


def _fuse(match: re.Match[str]) -> str:
    return f"fusion.fuse.{int(match[1]) - 1}"
