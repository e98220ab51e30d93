# SPDX-License-Identifier: Apache-2.0
"""Sky, whose depth no network knows."""

from __future__ import annotations

import torch
from torch import Tensor

FILLED_FROM = 0.3
"""Depth is replaced where the sky map is at least this."""
SHOWN_FROM = 0.5
"""A pixel is called sky where the sky map is at least this."""
_FAR = 0.99
_FEWEST_PIXELS = 10
_MOST_FOR_QUANTILE = 10_000_000


def is_sky(sky: Tensor) -> Tensor:
    """Which pixels are sky, of a network's sky map."""
    return sky >= SHOWN_FROM


def fill_sky(depth: Tensor, sky: Tensor) -> Tensor:
    """Depth with sky as far away as the farthest hundredth of everything else in these maps.

    Left as it is where there is next to no sky, or next to nothing else.
    """
    is_filled = sky >= FILLED_FROM
    filled = int(is_filled.sum())
    if filled <= _FEWEST_PIXELS or is_filled.numel() - filled <= _FEWEST_PIXELS:
        return depth
    return torch.where(is_filled, far_depth(depth[~is_filled]), depth)


def far_depth(depths: Tensor) -> Tensor:
    """The 0.99 quantile of depths (N,)."""
    return _quantile(depths, _FAR)


def middle(values: Tensor) -> Tensor:
    """The median of values (N,), between the two in the middle of an even number."""
    return _quantile(values, 0.5)


def _quantile(values: Tensor, share: float) -> Tensor:
    # torch.quantile refuses more values than about this.
    return torch.quantile(values[:: 1 + len(values) // _MOST_FOR_QUANTILE], share)
