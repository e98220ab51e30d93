# SPDX-License-Identifier: Apache-2.0
"""Unit quaternions in the order that ROS has them: x, y, z, w."""

from __future__ import annotations

import torch
from torch import Tensor


def rotation_from_quaternion(quaternion: Tensor) -> Tensor:
    """(..., 3, 3) float64 rotations of (..., 4) quaternions x, y, z, w of any length but zero."""
    x, y, z, w = torch.nn.functional.normalize(quaternion.double(), dim=-1).unbind(-1)
    rows = [
        *(1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        *(2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        *(2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    ]
    return torch.stack(rows, -1).unflatten(-1, (3, 3))


def quaternion_from_rotation(rotation: Tensor) -> Tensor:
    """(..., 4) float64 unit quaternions x, y, z, w with w >= 0 of (..., 3, 3) rotations."""
    (a, b, c), (d, e, f), (g, h, i) = (row.unbind(-1) for row in rotation.double().unbind(-2))
    # Every row is the quaternion times one of its own entries: the row of the largest entry
    # keeps all digits, near half a turn too.
    rows = [
        *(1 + a - e - i, b + d, c + g, h - f),
        *(b + d, 1 - a + e - i, f + h, c - g),
        *(c + g, f + h, 1 - a - e + i, d - b),
        *(h - f, c - g, d - b, 1 + a + e + i),
    ]
    outer = torch.stack(rows, -1).unflatten(-1, (4, 4))
    largest = outer.diagonal(dim1=-2, dim2=-1).argmax(-1)
    chosen = outer.take_along_dim(largest[..., None, None], -2).squeeze(-2)
    quaternion = torch.nn.functional.normalize(chosen, dim=-1)
    return torch.where(quaternion[..., 3:] < 0, -quaternion, quaternion)
