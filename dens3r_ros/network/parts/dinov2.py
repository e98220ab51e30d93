# SPDX-License-Identifier: Apache-2.0
"""DINOv2, the encoder of one image that Depth Anything 3, MoGe and VGGT begin with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dens3r_ros.network.parts.blocks import Block, BlockSize

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
POSITION_GRID = 37
"""Rows and columns of the stored table of positions: patches of a 518 x 518 image."""

Resampling = Literal["scale", "size"]


@dataclass(frozen=True)
class DinoSize:
    """Sizes of an encoder, and what differs between the networks that carry one.

    registers     tokens without a position between the class token and the patches
    resampling    how the table of positions is brought to a grid of other size: "scale", by the
                  factors (grid + 0.1) / 37 as Depth Anything 3 and MoGe were trained, or "size",
                  antialiased, as VGGT was
    norm_epsilon  of the norm after the last block
    """

    width: int
    depth: int
    heads: int
    hidden: int
    gated: bool = False
    registers: int = 0
    resampling: Resampling = "scale"
    norm_epsilon: float = 1e-6
    patch: int = 14

    @property
    def block(self) -> BlockSize:
        """Of every block."""
        return BlockSize(self.width, self.heads, self.hidden, gated=self.gated)

    @property
    def special(self) -> int:
        """Tokens before those of the patches."""
        return 1 + self.registers


class PatchEmbedding(nn.Module):
    """One vector for each patch of an image."""

    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, patch)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, rows * columns, width), row by row."""
        maps = self.proj(images.to(self.proj.weight.dtype))
        return maps.flatten(2).transpose(1, 2).float()


class DinoEmbedding(nn.Module):
    """What makes of images the tokens that the first block takes."""

    def __init__(self, size: DinoSize) -> None:
        super().__init__()
        self.patch = size.patch
        self.resampling = size.resampling
        self.patch_embed = PatchEmbedding(size.width, size.patch)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, size.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + POSITION_GRID**2, size.width))
        self.register_tokens = (
            nn.Parameter(torch.zeros(1, size.registers, size.width)) if size.registers else None
        )

    def embed(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) images, normalised, to (B, special + rows * columns, width).

        The class token comes first, then registers, then the patches row by row.
        """
        grid = patch_grid(images, self.patch)
        patches = self.patch_embed(images) + self.positions(grid)
        first = [self.cls_token + self.pos_embed[:, :1]]
        if self.register_tokens is not None:
            first.append(self.register_tokens)
        return torch.cat(
            [*(token.expand(images.shape[0], -1, -1) for token in first), patches], dim=1
        )

    def positions(self, grid: tuple[int, int]) -> Tensor:
        """(1, rows * columns, width): what is added to the patches of an image of this size."""
        if grid == (POSITION_GRID, POSITION_GRID):
            return self.pos_embed[:, 1:]
        table = self.pos_embed[:, 1:].unflatten(1, (POSITION_GRID, POSITION_GRID))
        table = _resample(table.permute(0, 3, 1, 2).float(), grid, self.resampling)
        return table.flatten(2).transpose(1, 2)


class DinoEncoder(DinoEmbedding):
    """The whole encoder; parameters have the names of the published one."""

    def __init__(self, size: DinoSize) -> None:
        super().__init__(size)
        self.size = size
        self.blocks = nn.ModuleList(Block(size.block) for _ in range(size.depth))
        self.norm = nn.LayerNorm(size.width, size.norm_epsilon)

    def forward(self, images: Tensor, hooks: Iterable[int] | None = None) -> list[Tensor]:
        """The normed tokens after each of the blocks `hooks`, the last one unless told otherwise.

        `images` are as for `embed`. Each result is (B, special + rows * columns, width):
        the class token, registers, then the patches row by row. Blocks after the last hook are
        not run.
        """
        wanted = sorted({self.size.depth - 1} if hooks is None else set(hooks))
        x = self.embed(images)
        found: list[Tensor] = []
        for index, block in enumerate(self.blocks[: wanted[-1] + 1]):
            x = block(x)
            if index in wanted:
                found.append(self.norm(x))
        return found


def normalise(images: Tensor) -> Tensor:
    """RGB (B, 3, H, W) in [0, 1] with mean and deviation of ImageNet's taken out."""
    mean, deviation = (
        images.new_tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD)
    )
    return (images - mean) / deviation


def patch_grid(images: Tensor, patch: int) -> tuple[int, int]:
    """(rows, columns) of patches of (B, 3, H, W) images; ValueError where they do not fit."""
    height, width = images.shape[-2:]
    if height % patch or width % patch:
        raise ValueError(f"image size {width}x{height} is no multiple of {patch}")
    return height // patch, width // patch


def _resample(table: Tensor, grid: tuple[int, int], how: Resampling) -> Tensor:
    if how == "size":
        return F.interpolate(table, grid, mode="bicubic", antialias=True)
    # The 0.1 shifts the sampling positions too: part of what the weights were trained with.
    factors = tuple((side + 0.1) / POSITION_GRID for side in grid)
    return F.interpolate(table, scale_factor=factors, mode="bicubic")
