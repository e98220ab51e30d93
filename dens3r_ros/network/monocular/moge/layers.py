# SPDX-License-Identifier: Apache-2.0
"""Convolutions of MoGe, and what it makes of raw numbers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dens3r_ros.network.monocular.moge.description import Remap
from dens3r_ros.network.parts.uv import uv_grid

_CHANNELS_OF_GROUP = 32


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, each after a ReLU, added to the input."""

    def __init__(self, width: int, hidden: int, grouped: bool) -> None:
        super().__init__()
        norms = (
            (nn.GroupNorm(1, width), nn.GroupNorm(hidden // _CHANNELS_OF_GROUP, hidden))
            if grouped
            else (nn.Identity(), nn.Identity())
        )
        self.layers = nn.Sequential(
            norms[0], nn.ReLU(), conv3x3(width, hidden), norms[1], nn.ReLU(), conv3x3(hidden, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def conv3x3(channels: int, out: int) -> nn.Conv2d:
    """A convolution that keeps the size; beyond the border the last pixel goes on."""
    return nn.Conv2d(channels, out, 3, padding=1, padding_mode="replicate")


def doubling(channels: int, out: int, transposed: bool) -> nn.Sequential:
    """What brings a map to twice its size."""
    step: nn.Module = (
        nn.ConvTranspose2d(channels, out, 2, 2)
        if transposed
        else nn.Upsample(scale_factor=2, mode="bilinear")
    )
    return nn.Sequential(step, conv3x3(out if transposed else channels, out))


def with_positions(maps: Tensor, aspect: float) -> Tensor:
    """(B, C + 2, H, W): the maps, and where in the image each of their pixels lies."""
    plane = uv_grid((maps.shape[2], maps.shape[3]), aspect, maps.device)
    plane = plane.permute(2, 0, 1).to(maps.dtype)
    return torch.cat((maps, plane.expand(maps.shape[0], -1, -1, -1)), dim=1)


def projected_sum(
    tokens: Sequence[Tensor], projects: nn.ModuleList, grid: tuple[int, int]
) -> Tensor:
    """(B, C, rows, columns): the patches after several blocks, projected and added up."""
    maps = (
        project(state[:, 1:].transpose(1, 2).unflatten(2, grid))
        for state, project in zip(tokens, projects, strict=True)
    )
    return torch.stack(list(maps)).sum(dim=0)


def resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear, pixel centres at half integers, no filter."""
    return F.interpolate(maps, size, mode="bilinear", align_corners=False)


def remapped(raw: Tensor, remap: Remap) -> Tensor:
    """(..., 3) raw numbers to points in the optical frame."""
    if remap == "linear":
        return raw
    if remap == "sinh":
        return raw.sinh()
    if remap == "sinh_exp":
        return torch.cat((raw[..., :2].sinh(), raw[..., 2:].exp()), dim=-1)
    depth = raw[..., 2:].exp()
    return torch.cat((raw[..., :2] * depth, depth), dim=-1)
