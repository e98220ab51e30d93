# SPDX-License-Identifier: Apache-2.0
"""From states to maps: raw heads, and what turns raw numbers into geometry."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dens3r_ros.network.pairwise.backbone import States
from dens3r_ros.network.pairwise.description import (
    ConfidenceRange,
    DescriptorSize,
    NetworkDescription,
    PointsMode,
)
from dens3r_ros.network.pairwise.dpt import DptHead
from dens3r_ros.network.parts.blocks import Mlp


class LinearHead(nn.Module):
    """Raw (B, H, W, channels) maps, each patch from its own last token."""

    def __init__(self, description: NetworkDescription, channels: int) -> None:
        super().__init__()
        self.patch = description.patch
        self.layer = description.decoder.depth
        self.proj = nn.Linear(description.decoder.width, channels * self.patch**2)

    def forward(self, states: States) -> Tensor:
        return unfold(self.proj(states.layers[self.layer].float()), states.grid, self.patch)


class PointsHead(nn.Module):
    """Points and their confidence, in the first view's optical frame."""

    def __init__(self, description: NetworkDescription, mode: PointsMode) -> None:
        super().__init__()
        self.mode = mode
        self.confidence = description.confidence
        self.raw = _dense_head(description, 3 if self.confidence is None else 4)

    def forward(self, states: States) -> tuple[Tensor, Tensor | None]:
        """(B, H, W, 3) points, and (B, H, W) confidence where the network has it."""
        raw = self.raw(states)
        points = to_points(raw[..., :3], self.mode)
        if self.confidence is None:
            return points, None
        return points, to_confidence(raw[..., 3], self.confidence)


class DescriptorHead(nn.Module):
    """Per-pixel descriptors for matching, from the first and the last tokens."""

    def __init__(self, description: NetworkDescription, size: DescriptorSize) -> None:
        super().__init__()
        self.patch = description.patch
        self.last = description.decoder.depth
        self.size = size
        channels = size.dim + (size.confidence is not None)
        width = description.encoder.width + description.decoder.width
        self.mlp = Mlp(width, size.mlp_width, channels * self.patch**2)

    def forward(self, states: States) -> tuple[Tensor, Tensor | None]:
        """(B, H, W, dim) unit vectors, and (B, H, W) confidence where they have their own."""
        tokens = torch.cat((states.layers[0], states.layers[self.last]), dim=-1).float()
        raw = unfold(self.mlp(tokens), states.grid, self.patch)
        descriptors = raw[..., : self.size.dim]
        descriptors = descriptors / descriptors.norm(dim=-1, keepdim=True)
        if self.size.confidence is None:
            return descriptors, None
        return descriptors, to_confidence(raw[..., self.size.dim], self.size.confidence)


class NormalsHead(nn.Module):
    """Unit normals of a view, in its own optical frame; the same head for both views."""

    def __init__(self, description: NetworkDescription) -> None:
        super().__init__()
        self.raw = _dense_head(description, 3)

    def forward(self, states: States) -> Tensor:
        """(B, H, W, 3) unit vectors: x right, y down, z forward."""
        normals = F.normalize(self.raw(states).clamp(-1, 1), dim=-1)
        # Weights of the family are trained for y up.
        return normals * normals.new_tensor((1.0, -1.0, 1.0))


def _dense_head(description: NetworkDescription, channels: int) -> nn.Module:
    kind = DptHead if description.head == "dpt" else LinearHead
    return kind(description, channels)


def unfold(tokens: Tensor, grid: tuple[int, int], patch: int) -> Tensor:
    """(B, N, channels * patch^2) to (B, H, W, channels), each token to its patch of pixels."""
    maps = tokens.unflatten(1, grid).permute(0, 3, 1, 2)
    return F.pixel_shuffle(maps, patch).permute(0, 2, 3, 1)


def to_points(raw: Tensor, mode: PointsMode) -> Tensor:
    """Points (..., 3) of raw numbers, whose direction is kept."""
    if mode == "linear":
        return raw
    distance = raw.norm(dim=-1, keepdim=True)
    reach = torch.expm1(distance) if mode == "exp" else distance.square()
    return raw / distance.clamp(min=1e-8) * reach


def to_confidence(raw: Tensor, limits: ConfidenceRange) -> Tensor:
    """Confidence of raw numbers of any sign."""
    grown = raw.exp()
    if limits.maximum is not None:
        grown = grown.clamp(max=limits.maximum - limits.minimum)
    return limits.minimum + grown
