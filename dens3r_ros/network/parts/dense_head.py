# SPDX-License-Identifier: Apache-2.0
"""Dense heads of Depth Anything 3 and VGGT: tokens of four blocks to maps of every pixel."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from dens3r_ros.network.parts.dpt import Fusion, as_map, resampling, resize
from dens3r_ros.network.parts.uv import position_embedding

LAST_CHANNELS = 32
NORM_EPSILON = 1e-5
_EMBEDDING_WEIGHT = 0.1


class DenseHead(nn.Module):
    """Raw maps (B, channels, H, W) from tokens (B, rows * columns, width) of four blocks.

    positions   whether maps are told where in the image their cells lie
    normalises  whether tokens are normed first
    rectifies   see `ResidualUnit`

    Maps are brought together in the type of the weights that do it, and enlarged in that of
    `reduce`.
    """

    def __init__(
        self,
        width: int,
        layer_dims: Sequence[int],
        features: int,
        channels: int,
        *,
        positions: bool = True,
        normalises: bool = True,
        rectifies: bool = False,
        patch: int = 14,
    ) -> None:
        super().__init__()
        self.patch = patch
        self.positions = positions
        self.norm = nn.LayerNorm(width, NORM_EPSILON) if normalises else nn.Identity()
        self.resample = nn.ModuleList(
            resampling(width, level, dim) for level, dim in enumerate(layer_dims)
        )
        self.fusion = Fusion(layer_dims, features, rectifies=rectifies)
        self.reduce = nn.Conv2d(features, features // 2, 3, padding=1)
        self.out = last_layers(features // 2, channels)

    def forward(self, tokens: Sequence[Tensor], grid: tuple[int, int]) -> Tensor:
        return self.out(self.enlarged(tokens, grid))

    def enlarged(self, tokens: Sequence[Tensor], grid: tuple[int, int]) -> Tensor:
        """(B, features / 2, H, W): what the last layers of one or more outputs read."""
        return self.full(self.fusion.fuse(self.laterals(tokens, grid)), grid)

    def laterals(self, tokens: Sequence[Tensor], grid: tuple[int, int]) -> list[Tensor]:
        """The four maps that are fused, (B, features, ...)."""
        return self.fusion.laterals(
            [
                self._lateral(level, as_map(self.norm(level_tokens.float()), grid), grid)
                for level, level_tokens in enumerate(tokens)
            ]
        )

    def full(self, fused: Tensor, grid: tuple[int, int]) -> Tensor:
        """(B, features / 2, H, W) from the fused map."""
        size = (grid[0] * self.patch, grid[1] * self.patch)
        reduced = self.reduce(fused.to(self.reduce.weight.dtype))
        return self.placed(resize(reduced, size), grid)

    def placed(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        """The map with where its cells lie added."""
        if not self.positions:
            return x
        size = (x.shape[2], x.shape[3])
        embedding = position_embedding(size, grid[1] / grid[0], x.shape[1], x.device)
        return x.add(embedding.to(x.dtype), alpha=_EMBEDDING_WEIGHT)

    def _lateral(self, level: int, x: Tensor, grid: tuple[int, int]) -> Tensor:
        layers = list(self.resample[level].children())
        dtype = next(self.resample[level].parameters()).dtype
        x = self.placed(layers[0](x.to(dtype)), grid)
        for layer in layers[1:]:
            x = layer(x)
        return x


def last_layers(width: int, channels: int) -> nn.Sequential:
    """From the map of every pixel to raw outputs."""
    return nn.Sequential(
        nn.Conv2d(width, LAST_CHANNELS, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(LAST_CHANNELS, channels, 1),
    )


def to_depth(raw: Tensor) -> Tensor:
    """Positive depth from what a head gives."""
    return raw.exp()


def to_confidence(raw: Tensor) -> Tensor:
    """Confidence, 1 (none) to infinity, from what a head gives."""
    return 1.0 + raw.exp()


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of a map (B, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        moved = x.permute(0, 2, 3, 1)
        normed = F.layer_norm(moved, self.normalized_shape, self.weight, self.bias, self.eps)
        return normed.permute(0, 3, 1, 2)
