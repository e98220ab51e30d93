# SPDX-License-Identifier: Apache-2.0
"""The dense prediction (DPT) head: four layers of tokens, fused from coarse to fine, to pixels.

Maps are kept channels-last in memory, as tokens are, so that nothing is copied on the way.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from dens3r_ros.network.pairwise.backbone import States
from dens3r_ros.network.pairwise.description import NetworkDescription


class DptHead(nn.Module):
    """Raw (B, H, W, channels) float32 maps from the states of one view."""

    def __init__(self, description: NetworkDescription, channels: int) -> None:
        super().__init__()
        size = description.dpt
        self.patch = description.patch
        self.hooks = description.hooks
        widths = [description.layer_width(hook) for hook in self.hooks]
        self.resample = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, dim, 1), *_resampling(level, dim))
            for level, (width, dim) in enumerate(zip(widths, size.layer_dims, strict=True))
        )
        self.fusion = Fusion(size.layer_dims, size.feature_dim)
        self.reduce = nn.Conv2d(size.feature_dim, size.last_dim, 3, padding=1)
        self.refine = nn.Conv2d(size.last_dim, size.last_dim, 3, padding=1)
        self.out = nn.Conv2d(size.last_dim, channels, 1)

    def forward(self, states: States) -> Tensor:
        maps = [
            resample(_as_map(states.layers[hook], states.grid))
            for hook, resample in zip(self.hooks, self.resample, strict=True)
        ]
        x = self.reduce(self.fusion(maps))
        x = _resize(x, (states.grid[0] * self.patch, states.grid[1] * self.patch))
        return self.out(F.relu(self.refine(x), inplace=True)).permute(0, 2, 3, 1)


class Fusion(nn.Module):
    """Four maps at 4, 2, 1 and 1/2 times the patch grid to one at 8 times."""

    def __init__(self, layer_dims: tuple[int, ...], features: int) -> None:
        super().__init__()
        self.project = nn.ModuleList(
            nn.Conv2d(dim, features, 3, padding=1, bias=False) for dim in layer_dims
        )
        self.fuse = nn.ModuleList(FusionBlock(features, level < 3) for level in range(4))

    def forward(self, maps: list[Tensor]) -> Tensor:
        maps = [project(x) for project, x in zip(self.project, maps, strict=True)]
        # Odd grids were rounded up on the way down.
        path = self.fuse[3](maps[3])[:, :, : maps[2].shape[2], : maps[2].shape[3]]
        for level in (2, 1, 0):
            path = self.fuse[level](path, maps[level])
        return path


class FusionBlock(nn.Module):
    """Adds a finer map to a coarser one, refines, and doubles the size."""

    def __init__(self, features: int, takes_finer: bool) -> None:
        super().__init__()
        self.unit_finer = ResidualUnit(features) if takes_finer else None
        self.unit = ResidualUnit(features)
        self.out_conv = nn.Conv2d(features, features, 1)

    def forward(self, x: Tensor, finer: Tensor | None = None) -> Tensor:
        if self.unit_finer is not None and finer is not None:
            x = x + self.unit_finer(finer)
        x = self.out_conv(self.unit(x))
        # Published networks upsample first; a 1x1 convolution commutes with interpolation.
        return _resize(x, (2 * x.shape[2], 2 * x.shape[3]))


class ResidualUnit(nn.Module):
    """Two 3x3 convolutions, each after a ReLU, added to the input."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.relu(self.conv1(F.relu(x)), inplace=True))


def _resampling(level: int, dim: int) -> list[nn.Module]:
    """What brings the patch grid to 4, 2, 1 and 1/2 of its size."""
    if level < 2:
        factor = 4 >> level
        return [nn.ConvTranspose2d(dim, dim, factor, factor)]
    return [] if level == 2 else [nn.Conv2d(dim, dim, 3, stride=2, padding=1)]


def _as_map(tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    return tokens.float().unflatten(1, grid).permute(0, 3, 1, 2)


def _resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(x.shape[2:]) == size:
        return x
    return F.interpolate(x, size, mode="bilinear", align_corners=True)
