# SPDX-License-Identifier: Apache-2.0
"""MoGe-1: points of one image up to scale and a shift in depth, and a mask."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dens3r_ros.network.monocular.moge.description import Moge1Description
from dens3r_ros.network.monocular.moge.layers import (
    ResidualBlock,
    conv3x3,
    doubling,
    projected_sum,
    remapped,
    resize,
    with_positions,
)
from dens3r_ros.network.monocular.moge.raw import RawPoints, info_of
from dens3r_ros.network.parts.dinov2 import DinoEncoder, normalise, patch_grid
from dens3r_ros.network.parts.info import NetworkInfo
from dens3r_ros.network.parts.precision import to_dtype


class Moge1(nn.Module):
    """Built from its description; parameters have the published names."""

    def __init__(self, description: Moge1Description) -> None:
        super().__init__()
        self.description = description
        self.backbone = DinoEncoder(description.encoder)
        self.head = Head(description)

    @property
    def info(self) -> NetworkInfo:
        """What the network is and gives."""
        return info_of(self, "moge1", self.description, ("points", "mask"), metric=False)

    def set_backbone_dtype(self, dtype: torch.dtype) -> Moge1:
        """Let linear layers of the encoder work in `dtype`; norms and heads stay float32."""
        to_dtype(self.backbone, dtype)
        return self

    def forward(self, images: Tensor, tokens: int) -> RawPoints:
        """Maps of (B, 3, H, W) RGB images in [0, 1], looked at with about so many patches."""
        size = (images.shape[2], images.shape[3])
        return self.seen(self.patched(images, tokens), size, tokens)

    def patched(self, images: Tensor, tokens: int) -> Tensor:
        """What the encoder takes of images: (B, 3, H, W) of whole patches, normalised."""
        inner = inner_size((images.shape[2], images.shape[3]), tokens)
        images = F.interpolate(images, inner, mode="bicubic", align_corners=False, antialias=True)
        patched = (inner[0] // 14 * 14, inner[1] // 14 * 14)
        return F.interpolate(normalise(images), patched, mode="bilinear", antialias=True)

    def seen(self, patched: Tensor, size: tuple[int, int], tokens: int) -> RawPoints:
        """Maps at `size` (height, width), that of the images of which `patched` was made."""
        inner, grid = inner_size(size, tokens), patch_grid(patched, 14)
        states = self.backbone(patched, self.description.hooks)
        points, mask = (resize(raw, size) for raw in self.head(states, grid, inner))
        return RawPoints(
            remapped(points.permute(0, 2, 3, 1), self.description.remap), mask.squeeze(1)
        )


def inner_size(size: tuple[int, int], tokens: int) -> tuple[int, int]:
    """(height, width) to which an image of that size is brought, about so many patches in area."""
    factor = math.sqrt(tokens * 14**2 / (size[0] * size[1]))
    return int(size[0] * factor), int(size[1] * factor)


class Head(nn.Module):
    """Tokens of several blocks to raw maps, doubled in size level by level."""

    def __init__(self, size: Moge1Description) -> None:
        super().__init__()
        self.projects = nn.ModuleList(
            nn.Conv2d(size.encoder.width, size.projected, 1) for _ in size.hooks
        )
        entries = (size.projected, *size.widths[:-1])
        levels = zip(entries, size.widths, size.hidden, size.blocks, strict=True)
        self.upsample_blocks = nn.ModuleList(
            nn.Sequential(
                doubling(entry + 2, width, transposed=True),
                *(ResidualBlock(width, hidden, grouped=True) for _ in range(blocks)),
            )
            for entry, width, hidden, blocks in levels
        )
        self.output_block = nn.ModuleList(_last(size, channels) for channels in (3, 1))

    def forward(
        self, states: list[Tensor], grid: tuple[int, int], size: tuple[int, int]
    ) -> list[Tensor]:
        """Raw points (B, 3, H, W) and mask (B, 1, H, W) at the encoder's image size."""
        aspect = size[1] / size[0]
        x = projected_sum(states, self.projects, grid)
        for block in self.upsample_blocks:
            x = block(with_positions(x, aspect))
        x = with_positions(resize(x, size), aspect)
        return [block(x) for block in self.output_block]


def _last(size: Moge1Description, channels: int) -> nn.Sequential:
    kernel = size.last_kernel
    return nn.Sequential(
        conv3x3(size.widths[-1] + 2, size.last_width),
        nn.ReLU(),
        nn.Conv2d(size.last_width, channels, kernel, padding=kernel // 2, padding_mode="replicate"),
    )
