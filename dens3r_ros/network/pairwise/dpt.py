# SPDX-License-Identifier: Apache-2.0
"""The dense prediction (DPT) head of pairwise networks: four layers of tokens to pixels."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from dens3r_ros.network.pairwise.backbone import States
from dens3r_ros.network.pairwise.description import NetworkDescription
from dens3r_ros.network.parts.dpt import Fusion, as_map, resampling, resize


class DptTrunk(nn.Module):
    """What dense heads begin with: four layers of one view's tokens to one map."""

    def __init__(self, description: NetworkDescription) -> None:
        super().__init__()
        size = description.dpt
        self.patch = description.patch
        self.hooks = description.hooks
        widths = [description.layer_width(hook) for hook in self.hooks]
        self.resample = nn.ModuleList(
            resampling(width, level, dim)
            for level, (width, dim) in enumerate(zip(widths, size.layer_dims, strict=True))
        )
        self.fusion = Fusion(size.layer_dims, size.feature_dim, crops=True)

    def fused(self, states: States) -> Tensor:
        """(B, feature_dim, H, W) at 8 times the patch grid."""
        maps = [
            resample(as_map(states.layers[hook], states.grid))
            for hook, resample in zip(self.hooks, self.resample, strict=True)
        ]
        return self.fusion(maps)

    def image_size(self, states: States) -> tuple[int, int]:
        """(height, width) in pixels."""
        return states.grid[0] * self.patch, states.grid[1] * self.patch


class DptHead(DptTrunk):
    """Raw (B, H, W, channels) float32 maps from the states of one view."""

    def __init__(self, description: NetworkDescription, channels: int) -> None:
        super().__init__(description)
        size = description.dpt
        reduced = size.last_dim if size.reduced_dim is None else size.reduced_dim
        self.reduce = nn.Conv2d(size.feature_dim, reduced, 3, padding=1)
        self.refine = nn.Conv2d(reduced, size.last_dim, 3, padding=1)
        self.out = nn.Conv2d(size.last_dim, channels, 1)

    def forward(self, states: States) -> Tensor:
        x = resize(self.reduce(self.fused(states)), self.image_size(states))
        return self.out(F.relu(self.refine(x), inplace=True)).permute(0, 2, 3, 1)
