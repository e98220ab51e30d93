# SPDX-License-Identifier: Apache-2.0
"""Parts of dense prediction (DPT) heads: four maps, fused from coarse to fine.

Maps are kept channels-last in memory, as tokens are, so that nothing is copied on the way.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn


def resampling(width: int, level: int, dim: int) -> nn.Sequential:
    """From tokens as a map to `dim` channels at 4, 2, 1 or 1/2 times the patch grid."""
    layers: list[nn.Module] = [nn.Conv2d(width, dim, 1)]
    if level < 2:
        factor = 4 >> level
        layers.append(nn.ConvTranspose2d(dim, dim, factor, factor))
    elif level == 3:
        layers.append(nn.Conv2d(dim, dim, 3, stride=2, padding=1))
    return nn.Sequential(*layers)


class Fusion(nn.Module):
    """Four maps at 4, 2, 1 and 1/2 times the patch grid to one at 8 times."""

    def __init__(
        self,
        layer_dims: Sequence[int],
        features: int,
        crops: bool = False,
        rectifies: bool = False,
    ) -> None:
        super().__init__()
        self.project = nn.ModuleList(
            nn.Conv2d(dim, features, 3, padding=1, bias=False) for dim in layer_dims
        )
        self.fuse = FusionChain(features, crops, rectifies)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        return self.fuse(self.laterals(maps))

    def laterals(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """The maps at the width at which they are fused."""
        return [project(x) for project, x in zip(self.project, maps, strict=True)]


class FusionChain(nn.ModuleList):
    """The steps from the coarsest of four maps to twice the size of the finest.

    crops      whether the coarsest map, whose size was rounded up, is doubled and cut instead of
               resized to that of the next
    rectifies  see `ResidualUnit`
    """

    def __init__(self, features: int, crops: bool = False, rectifies: bool = False) -> None:
        super().__init__(FusionBlock(features, level < 3, rectifies) for level in range(4))
        self.crops = crops

    def forward(self, laterals: Sequence[Tensor]) -> Tensor:
        coarse, third = laterals[3], laterals[2].shape[2:]
        if self.crops:
            path = self[3](coarse, _doubled(coarse))[:, :, : third[0], : third[1]]
        else:
            path = self[3](coarse, (third[0], third[1]))
        for level in (2, 1):
            next_size = laterals[level - 1].shape[2:]
            path = self[level](path, (next_size[0], next_size[1]), laterals[level])
        return self[0](path, _doubled(laterals[0]), laterals[0])


class FusionBlock(nn.Module):
    """Adds a finer map to a coarser one, refines, and enlarges."""

    def __init__(self, features: int, takes_finer: bool, rectifies: bool = False) -> None:
        super().__init__()
        self.unit_finer = ResidualUnit(features, rectifies) if takes_finer else None
        self.unit = ResidualUnit(features, rectifies)
        self.out_conv = nn.Conv2d(features, features, 1)

    def forward(self, x: Tensor, size: tuple[int, int], finer: Tensor | None = None) -> Tensor:
        if self.unit_finer is not None and finer is not None:
            x = x + self.unit_finer(finer)
        x = self.out_conv(self.unit(x))
        # Published networks enlarge first; a 1x1 convolution commutes with interpolation.
        return resize(x, size)


class ResidualUnit(nn.Module):
    """Two 3x3 convolutions, each after a ReLU, added to the input.

    Where it `rectifies`, they are added to the input after its ReLU.
    """

    def __init__(self, features: int, rectifies: bool = False) -> None:
        super().__init__()
        self.rectifies = rectifies
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        rectified = F.relu(x)
        added = self.conv2(F.relu(self.conv1(rectified), inplace=True))
        return (rectified if self.rectifies else x) + added


def as_map(tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    """(B, rows * columns, C) tokens as (B, C, rows, columns) float32, channels-last."""
    return tokens.float().unflatten(1, grid).permute(0, 3, 1, 2)


def resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear, corners on corners."""
    if tuple(x.shape[2:]) == size:
        return x
    return F.interpolate(x, size, mode="bilinear", align_corners=True)


def _doubled(x: Tensor) -> tuple[int, int]:
    return 2 * x.shape[2], 2 * x.shape[3]
