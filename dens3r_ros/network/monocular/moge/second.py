# SPDX-License-Identifier: Apache-2.0
"""MoGe-2: points of one image in metres up to a shift in depth, a mask, and normals."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dens3r_ros.network.monocular.moge.description import Moge2Description, StackSize
from dens3r_ros.network.monocular.moge.layers import (
    ResidualBlock,
    doubling,
    projected_sum,
    remapped,
    resize,
    with_positions,
)
from dens3r_ros.network.monocular.moge.raw import RawPoints, info_of
from dens3r_ros.network.parts.dinov2 import DinoEncoder, normalise
from dens3r_ros.network.parts.info import NetworkInfo
from dens3r_ros.network.parts.precision import to_dtype


class Moge2(nn.Module):
    """Built from its description; parameters have the published names."""

    def __init__(self, description: Moge2Description) -> None:
        super().__init__()
        self.description = description
        self.encoder = MogeEncoder(description)
        self.neck = Stack(description.neck)
        self.points_head = Stack(description.points_head)
        self.mask_head = Stack(description.mask_head)
        normals = description.normal_head
        self.normal_head = None if normals is None else Stack(normals)
        self.scale_head = _mlp(description.scale) if description.scale else None

    @property
    def info(self) -> NetworkInfo:
        """What the network is and gives."""
        normals = () if self.normal_head is None else ("normals",)
        outputs = ("points", "mask", *normals)
        return info_of(self, "moge2", self.description, outputs, self.scale_head is not None)

    def set_backbone_dtype(self, dtype: torch.dtype) -> Moge2:
        """Let linear layers of the encoder work in `dtype`; norms and heads stay float32."""
        to_dtype(self.encoder.backbone, dtype)
        return self

    def forward(self, images: Tensor, tokens: int) -> RawPoints:
        """Maps of (B, 3, H, W) RGB images in [0, 1], looked at with about so many patches."""
        size = (images.shape[2], images.shape[3])
        return self.seen(self.patched(images, tokens), size, tokens)

    def patched(self, images: Tensor, tokens: int) -> Tensor:
        """What the encoder takes of images: (B, 3, H, W) of whole patches, normalised."""
        grid = patches(images.shape[3] / images.shape[2], tokens)
        size = (14 * grid[0], 14 * grid[1])
        images = F.interpolate(images, size, mode="bilinear", align_corners=False, antialias=True)
        return normalise(images)

    def seen(self, patched: Tensor, size: tuple[int, int], tokens: int) -> RawPoints:
        """Maps at `size` (height, width), that of the images of which `patched` was made."""
        aspect = size[1] / size[0]
        features, token = self.encoder(patched, patches(aspect, tokens))
        maps = self.neck(_pyramid(features, aspect, len(self.description.neck.inputs)))
        normals, scale = self.normal_head, self.scale_head
        return RawPoints(
            points=remapped(_raw(self.points_head, maps, size), self.description.remap),
            mask=_raw(self.mask_head, maps, size).squeeze(-1).sigmoid(),
            normals=None if normals is None else F.normalize(_raw(normals, maps, size), dim=-1),
            scale=None if scale is None else scale(token).squeeze(-1).exp(),
        )


class MogeEncoder(nn.Module):
    """An image of whole patches to one map and one token for the whole of it."""

    def __init__(self, size: Moge2Description) -> None:
        super().__init__()
        self.hooks = size.hooks
        self.backbone = DinoEncoder(size.encoder)
        self.output_projections = nn.ModuleList(
            nn.Conv2d(size.encoder.width, size.projected, 1) for _ in size.hooks
        )

    def forward(self, images: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """(B, C, rows, columns) and (B, width), of normalised images of `grid` patches."""
        states = self.backbone(images, self.hooks)
        return projected_sum(states, self.output_projections, grid), states[-1][:, 0]


class Stack(nn.Module):
    """A pyramid of maps from coarse to fine: each level takes what came in and the one before."""

    def __init__(self, size: StackSize) -> None:
        super().__init__()
        self.input_blocks = nn.ModuleList(
            nn.Conv2d(channels, width, 1)
            for channels, width in zip(size.inputs, size.widths, strict=True)
        )
        steps = zip(size.widths, size.widths[1:], size.transposed, strict=False)
        self.resamplers = nn.ModuleList(doubling(*step) for step in steps)
        levels = zip(size.widths, size.hidden, size.blocks, strict=True)
        self.res_blocks = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(width, hidden, grouped=False) for _ in range(blocks)))
            for width, hidden, blocks in levels
        )
        self.output_blocks = nn.ModuleList(
            nn.Identity() if out is None else nn.Conv2d(width, out, 1)
            for width, out in zip(size.widths, size.outputs, strict=True)
        )

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        outputs: list[Tensor] = []
        x = self.input_blocks[0](maps[0])
        for level in range(len(self.input_blocks)):
            if level:
                x = self.resamplers[level - 1](x) + self.input_blocks[level](maps[level])
            x = self.res_blocks[level](x)
            outputs.append(self.output_blocks[level](x))
        return outputs


def _raw(head: Stack, maps: list[Tensor], size: tuple[int, int]) -> Tensor:
    """(B, H, W, channels) of one head, its finest level brought to the image's size."""
    return resize(head(maps)[-1], size).permute(0, 2, 3, 1)


def patches(aspect: float, tokens: int) -> tuple[int, int]:
    """(rows, columns) of patches of an image of this width by height, about `tokens` in all."""
    return max(1, round(math.sqrt(tokens / aspect))), max(1, round(math.sqrt(tokens * aspect)))


def _pyramid(features: Tensor, aspect: float, levels: int) -> list[Tensor]:
    """What comes into the neck: the features at the coarsest level, positions at all."""
    rows, columns = features.shape[-2:]
    finer = [
        features.new_empty(features.shape[0], 0, rows << level, columns << level)
        for level in range(1, levels)
    ]
    return [with_positions(maps, aspect) for maps in (features, *finer)]


def _mlp(widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width, following in itertools.pairwise(widths):
        layers += [nn.Linear(width, following), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
