# SPDX-License-Identifier: Apache-2.0
"""Cameras into and out of Depth Anything 3."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dens3r_ros.network.multiview.description import CameraEncoderSize
from dens3r_ros.network.multiview.pose_encoding import encode_cameras, invert
from dens3r_ros.network.parts.blocks import Block, BlockSize, Mlp

ENCODING = 9
_LEAST_SCALE = 0.1
_EPSILON = 1e-5


@dataclass(frozen=True, eq=False)
class Cameras:
    """Cameras that are known beforehand.

    T_world_camera  (B, S, 4, 4), in any world and any unit
    intrinsics      (B, S, 3, 3), pixels of the images that the network sees
    """

    T_world_camera: Tensor
    intrinsics: Tensor


class CameraDecoder(nn.Module):
    """From the camera token of a view to its nine numbers: pose camera to world, fields of view."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
        )
        self.translation = nn.Linear(width, 3)
        self.quaternion = nn.Linear(width, 4)
        self.fields = nn.Linear(width, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        """(..., width) to (..., 9)."""
        x = self.backbone(tokens.float())
        fields = F.relu(self.fields(x))
        return torch.cat((self.translation(x), self.quaternion(x), fields), dim=-1)


class CameraEncoder(nn.Module):
    """From known cameras to the camera tokens of their views."""

    def __init__(self, width: int, size: CameraEncoderSize) -> None:
        super().__init__()
        block = BlockSize(width, size.heads, 4 * width, _EPSILON)
        self.pose = Mlp(ENCODING, width // 2, width)
        self.token_norm = nn.LayerNorm(width, _EPSILON)
        self.trunk = nn.ModuleList(Block(block) for _ in range(size.depth))
        self.trunk_norm = nn.LayerNorm(width, _EPSILON)

    def forward(self, cameras: Cameras, size: tuple[int, int]) -> Tensor:
        """Tokens (B, S, width) of views of `size` (height, width), pixels."""
        poses = normalise_poses(cameras.T_world_camera)
        encoding = encode_cameras(poses, cameras.intrinsics, size).float()
        x = self.token_norm(self.pose(encoding))
        for block in self.trunk:
            x = block(x)
        return self.trunk_norm(x)


def normalise_poses(T_world_camera: Tensor) -> Tensor:
    """The poses (B, S, 4, 4) told against the first, in units of the middle distance from it."""
    to_first = invert(T_world_camera[:, :1]) @ T_world_camera
    distances = to_first[..., :3, 3].norm(dim=-1)
    # torch.median is the lower one of an even number, which the weights were trained with.
    scale = distances.median(dim=1).values.clamp(min=_LEAST_SCALE)
    normalised = to_first.clone()
    normalised[..., :3, 3] /= scale[:, None, None]
    return normalised
