# SPDX-License-Identifier: Apache-2.0
"""One camera's pose from its relative poses to cameras that are known."""

from __future__ import annotations

import torch
from torch import Tensor

from dens3r_ros.geometry.quaternion import quaternion_from_rotation, rotation_from_quaternion


def averaged_pose(T_world_known: Tensor, T_known_camera: Tensor) -> Tensor:
    """(4, 4) float64 pose of a camera from its poses (K, 4, 4) in K known cameras' frames.

    The rotation is the median of the K, the centre the point nearest to the K lines on which it
    lies: lengths of the relative translations do not matter. Where all those lines are parallel,
    as on the way along a straight road, the centre is the one nearest to the origin.
    """
    known, relative = T_world_known.double(), T_known_camera.double()
    pose = torch.eye(4, dtype=torch.float64, device=known.device)
    pose[:3, :3] = _median_rotation(known[:, :3, :3] @ relative[:, :3, :3])
    directions = (known[:, :3, :3] @ relative[:, :3, 3:]).squeeze(-1)
    pose[:3, 3] = nearest_to_lines(known[:, :3, 3], directions)
    return pose


def nearest_to_lines(points: Tensor, directions: Tensor) -> Tensor:
    """(3,) with the least sum of squared distances to lines through (K, 3) along (K, 3)."""
    units = torch.nn.functional.normalize(directions, dim=-1)
    identity = torch.eye(3, dtype=points.dtype, device=points.device)
    across = identity - units[:, :, None] * units[:, None]
    right = (across @ points[..., None]).flatten()
    return torch.linalg.pinv(across.flatten(0, 1)) @ right


def _median_rotation(rotations: Tensor) -> Tensor:
    quaternions = quaternion_from_rotation(rotations)
    # A quaternion and its opposite are the same rotation; a median of both would be neither.
    agree = (quaternions @ quaternions[0]).sign()
    quaternions = quaternions * torch.where(agree == 0, 1.0, agree)[:, None]
    middle = torch.quantile(quaternions, 0.5, dim=0)
    return rotation_from_quaternion(middle / middle.norm())
