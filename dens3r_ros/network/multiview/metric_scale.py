# SPDX-License-Identifier: Apache-2.0
"""Metres for a scene of Depth Anything 3, from a metric network that looks at the same views."""

from __future__ import annotations

import torch
from torch import Tensor

from dens3r_ros.network.monocular.sky import FILLED_FROM, far_depth

_LEAST_METRES, _LEAST_DEPTH = 1e-2, 1e-3
_FARTHEST_SKY = 200.0


def metric_scale(depth: Tensor, confidence: Tensor, metres: Tensor, sky: Tensor) -> Tensor:
    """Metres in a unit of a scene: a number for maps (S, H, W) of all its views.

    Only the more confident half of what is no sky has a say. `metres` is the depth of the metric
    network, `sky` its raw sky map.
    """
    ground = sky < FILLED_FROM
    middle = torch.quantile(confidence[ground], 0.5)
    good = ground & (confidence >= middle) & (metres > _LEAST_METRES) & (depth > _LEAST_DEPTH)
    return (metres[good] * depth[good]).sum() / depth[good].square().sum()


def with_far_sky(depth: Tensor, confidence: Tensor, sky: Tensor) -> tuple[Tensor, Tensor]:
    """Depth in metres and confidence (S, H, W) with the sky far away, and of no confidence."""
    ground = sky < FILLED_FROM
    far = far_depth(depth[ground]).clamp(max=_FARTHEST_SKY)
    return torch.where(ground, depth, far), confidence.masked_fill(~ground, 1.0)
