# SPDX-License-Identifier: Apache-2.0
"""Rays of Depth Anything 3: for a grid of pixels where in the world their camera is and looks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from torch import Tensor, nn

from dens3r_ros.network.parts.dense_head import (
    LAST_CHANNELS,
    NORM_EPSILON,
    ChannelNorm,
    DenseHead,
    to_confidence,
)
from dens3r_ros.network.parts.dpt import FusionChain

RAY_CHANNELS = 7


class RaysHead(nn.Module):
    """A second fusion of the maps that the depth head fuses."""

    def __init__(self, features: int) -> None:
        super().__init__()
        half = features // 2
        self.fuse = FusionChain(features)
        widths = (features, half, features, half, features, half)
        self.reduce = nn.Sequential(
            *(nn.Conv2d(a, b, 3, padding=1) for a, b in itertools.pairwise(widths))
        )
        self.out = nn.Sequential(
            nn.Conv2d(half, LAST_CHANNELS, 3, padding=1),
            ChannelNorm(LAST_CHANNELS, NORM_EPSILON),
            nn.ReLU(inplace=True),
            nn.Conv2d(LAST_CHANNELS, RAY_CHANNELS, 1),
        )

    def forward(
        self, laterals: Sequence[Tensor], depth_head: DenseHead, grid: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """(B, h, w, 6) rays and (B, h, w) confidence at eight times the grid of patches."""
        raw = self.out(depth_head.placed(self.reduce(self.fuse(laterals)), grid))
        raw = raw.permute(0, 2, 3, 1)
        return raw[..., :6], to_confidence(raw[..., 6])
