# SPDX-License-Identifier: Apache-2.0
"""Reloc3r: the relative pose of two cameras, whose distance means nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dens3r_ros.network.descendants.base import DescendantNetwork
from dens3r_ros.network.descendants.describing import (
    Config,
    Shapes,
    backbone_size,
    own_name_in,
    within,
)
from dens3r_ros.network.pairwise.backbone import Decoder, Encoder, States, Tokens
from dens3r_ros.network.pairwise.description import BackboneSize
from dens3r_ros.network.parts.dpt import as_map


@dataclass(frozen=True, eq=False)
class RelativePoses:
    """Cameras a and b in each other's optical frame, (B, 4, 4) float32.

    Only the direction of the translations means something. The two are predicted apart and need
    not be inverse to each other.
    """

    T_a_b: Tensor
    T_b_a: Tensor


@dataclass(frozen=True)
class Reloc3rDescription:
    """What a Reloc3r is made of."""

    network: BackboneSize


class Reloc3r(DescendantNetwork):
    """Relative poses of pairs of images; one decoder and one head serve both views."""

    FAMILY, TITLE = "reloc3r", "Reloc3r"
    OUTPUTS = ("poses",)

    def __init__(self, description: Reloc3rDescription) -> None:
        super().__init__()
        self.description = description
        size = self.size = description.network
        self.encoder = Encoder(size)
        self.decoder = Decoder(size)
        self.pose_head = PoseHead(size)

    def encode(self, images: Tensor) -> Tokens:
        """Encode (B, 3, H, W) upright RGB images in [-1, 1]."""
        return self.encoder(images)

    def decode(
        self, a: Tokens, b: Tokens, keep: Iterable[int] | None = None
    ) -> tuple[States, States]:
        """Compare two batches of encoded images."""
        return self.decoder(a, b, {self.size.decoder.depth} if keep is None else set(keep))

    def poses(self, states_a: States, states_b: States) -> RelativePoses:
        """What the head reads from both views' last layer."""
        last = self.size.decoder.depth
        of_a, of_b = (
            self.pose_head(as_map(states.layers[last], states.grid))
            for states in (states_a, states_b)
        )
        return RelativePoses(T_a_b=of_b, T_b_a=of_a)

    def forward(self, image_a: Tensor, image_b: Tensor) -> RelativePoses:
        """Relative poses of pairs of (B, 3, H, W) upright RGB images in [-1, 1]."""
        return self.poses(*self.decode(self.encode(image_a), self.encode(image_b)))


class PoseHead(nn.Module):
    """From the last layer of one view to the pose of its camera in the other's frame."""

    def __init__(self, size: BackboneSize) -> None:
        super().__init__()
        width = 4 * size.patch**2
        self.proj = nn.Linear(size.decoder.width, width)
        self.res_conv = nn.ModuleList(PointwiseBlock(width) for _ in range(2))
        self.more_mlps = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
        )
        self.fc_t = nn.Linear(width, 3)
        self.fc_rot = nn.Linear(width, 9)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, C, rows, columns) to (B, 4, 4)."""
        x = self.proj(tokens.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        for block in self.res_conv:
            x = block(x)
        x = self.more_mlps(x.mean(dim=(2, 3)))
        pose = torch.eye(4, dtype=x.dtype, device=x.device).repeat(len(x), 1, 1)
        pose[:, :3, :3] = nearest_rotation(self.fc_rot(x).unflatten(1, (3, 3)))
        pose[:, :3, 3] = self.fc_t(x)
        return pose


class PointwiseBlock(nn.Module):
    """Three 1x1 convolutions, each with a ReLU, added to the input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.res_conv1 = nn.Conv2d(width, width, 1)
        self.res_conv2 = nn.Conv2d(width, width, 1)
        self.res_conv3 = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        added = x
        for convolution in (self.res_conv1, self.res_conv2, self.res_conv3):
            added = F.relu(convolution(added))
        return x + added


def nearest_rotation(matrices: Tensor) -> Tensor:
    """(B, 3, 3) rotations nearest to matrices (B, 3, 3) after their rows were made unit."""
    rows = F.normalize(matrices, dim=-1)
    U, _, Vh = torch.linalg.svd(rows)
    handed = torch.linalg.det(U @ Vh)
    last = torch.stack((torch.ones_like(handed), torch.ones_like(handed), handed), dim=-1)
    return (U * last[:, None]) @ Vh


def describe(shapes: Shapes, config: Config) -> Reloc3rDescription:
    """The description of a published checkpoint; its one decoder serves both views."""
    size = backbone_size({"symmetrize_dec": True} | dict(config), within(shapes))
    return Reloc3rDescription(size)


def own_name(key: str) -> str | None:
    """Our name for the tensor that published networks call `key`."""
    return key if key.startswith("pose_head.") else own_name_in(key)
