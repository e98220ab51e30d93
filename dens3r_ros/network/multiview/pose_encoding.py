# SPDX-License-Identifier: Apache-2.0
"""Cameras as nine numbers and back: translation, quaternion (x, y, z, w), two fields of view.

The fields of view are vertical, then horizontal, in radians. Which way the pose goes is the
network's affair: camera to world in Depth Anything 3, world to camera in VGGT.
"""

from __future__ import annotations

import torch
from torch import Tensor


def decode_poses(encoding: Tensor) -> Tensor:
    """(..., 9) to rigid transforms (..., 4, 4); quaternions need not be of unit length."""
    rigid = torch.eye(4, dtype=encoding.dtype, device=encoding.device)
    rigid = rigid.expand(*encoding.shape[:-1], 4, 4).clone()
    rigid[..., :3, :3] = _to_rotation(encoding[..., 3:7])
    rigid[..., :3, 3] = encoding[..., :3]
    return rigid


def decode_intrinsics(
    encoding: Tensor, size: tuple[int, int], least_tangent: float = 0.0
) -> Tensor:
    """(..., 9) to pinhole matrices (..., 3, 3) in pixels of an image of `size` (height, width).

    Half the field of view has at least `least_tangent` as tangent.
    """
    height, width = size
    tangents = torch.tan(encoding[..., 7:9] / 2)
    if least_tangent:
        tangents = tangents.clamp(min=least_tangent)
    matrix = encoding.new_zeros((*encoding.shape[:-1], 3, 3))
    matrix[..., 0, 0] = width / 2 / tangents[..., 1]
    matrix[..., 1, 1] = height / 2 / tangents[..., 0]
    matrix[..., 0, 2], matrix[..., 1, 2], matrix[..., 2, 2] = width / 2, height / 2, 1.0
    return matrix


def encode_cameras(poses: Tensor, intrinsics: Tensor, size: tuple[int, int]) -> Tensor:
    """The nine numbers (..., 9) of rigid transforms (..., 4, 4) and pinholes (..., 3, 3)."""
    height, width = size
    vertical = 2 * torch.atan(height / 2 / intrinsics[..., 1, 1])
    horizontal = 2 * torch.atan(width / 2 / intrinsics[..., 0, 0])
    fields = torch.stack((vertical, horizontal), dim=-1)
    return torch.cat((poses[..., :3, 3], _to_quaternion(poses[..., :3, :3]), fields), dim=-1)


def invert(poses: Tensor) -> Tensor:
    """The inverse of rigid transforms (..., 4, 4)."""
    rotation = poses[..., :3, :3].transpose(-1, -2)
    inverse = torch.zeros_like(poses)
    inverse[..., :3, :3] = rotation
    inverse[..., :3, 3] = -(rotation @ poses[..., :3, 3:])[..., 0]
    inverse[..., 3, 3] = 1.0
    return inverse


def _to_rotation(quaternion: Tensor) -> Tensor:
    x, y, z, w = quaternion.unbind(-1)
    s = 2.0 / quaternion.square().sum(-1)
    rows = (
        (1 - s * (y * y + z * z), s * (x * y - z * w), s * (x * z + y * w)),
        (s * (x * y + z * w), 1 - s * (x * x + z * z), s * (y * z - x * w)),
        (s * (x * z - y * w), s * (y * z + x * w), 1 - s * (x * x + y * y)),
    )
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def _to_quaternion(rotation: Tensor) -> Tensor:
    """Unit quaternions (x, y, z, w) with w >= 0, by the largest of the four candidates."""
    r = [[rotation[..., i, j] for j in range(3)] for i in range(3)]
    xx, yy, zz = r[0][0], r[1][1], r[2][2]
    # Row c is 4 c (x, y, z, w) for c one of x, y, z, w.
    candidates = (
        (1 + xx - yy - zz, r[0][1] + r[1][0], r[0][2] + r[2][0], r[2][1] - r[1][2]),
        (r[0][1] + r[1][0], 1 - xx + yy - zz, r[1][2] + r[2][1], r[0][2] - r[2][0]),
        (r[0][2] + r[2][0], r[1][2] + r[2][1], 1 - xx - yy + zz, r[1][0] - r[0][1]),
        (r[2][1] - r[1][2], r[0][2] - r[2][0], r[1][0] - r[0][1], 1 + xx + yy + zz),
    )
    table = torch.stack([torch.stack(row, dim=-1) for row in candidates], dim=-2)
    best = table.diagonal(dim1=-2, dim2=-1).argmax(-1)
    chosen = table.gather(-2, best[..., None, None].expand(*best.shape, 1, 4))[..., 0, :]
    chosen = torch.nn.functional.normalize(chosen, dim=-1)
    return torch.where(chosen[..., 3:] < 0, -chosen, chosen)
