# SPDX-License-Identifier: Apache-2.0
"""Runs heads on a few views at a time, which bounds the memory that they take."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

VIEWS_AT_ONCE = {"cpu": 1}
"""On a CPU the maps of one view still fit where those of two are fetched from afar."""
OTHER_VIEWS_AT_ONCE = 8


def in_chunks(
    layers: Sequence[Tensor], maps_of: Callable[[Sequence[Tensor]], dict[str, Tensor]]
) -> dict[str, Tensor]:
    """What `maps_of` gives for layers (V, ...), computed for some of the V views at a time."""
    if torch.is_grad_enabled() and layers[0].requires_grad:
        return maps_of(layers)  # what training keeps takes as much memory either way
    count = VIEWS_AT_ONCE.get(layers[0].device.type, OTHER_VIEWS_AT_ONCE)
    chunks = zip(*(layer.split(count) for layer in layers), strict=True)
    parts = [maps_of(chunk) for chunk in chunks]
    if len(parts) == 1:
        return parts[0]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
