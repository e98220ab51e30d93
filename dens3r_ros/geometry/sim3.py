# SPDX-License-Identifier: Apache-2.0
"""Similarity and rigid transforms as (..., 4, 4) float64 matrices.

The upper-left block is scale times rotation; a rigid transform, SE(3), is one of scale 1, so the
same functions serve both. Composition is the matrix product. Tangents are in `tangents`, one
transform at a time.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def compose(scale: Tensor | float, rotation: Tensor, translation: Tensor) -> Tensor:
    """The transform that takes a point p to scale * rotation @ p + translation."""
    rotation, translation = rotation.double(), translation.double()
    factor = torch.as_tensor(scale, dtype=torch.float64, device=rotation.device)
    linear, shift = rotation * factor[..., None, None], translation[..., None]
    batch = torch.broadcast_shapes(linear.shape[:-2], shift.shape[:-2])
    upper = torch.cat([linear.expand(*batch, 3, 3), shift.expand(*batch, 3, 1)], -1)
    bottom = upper.new_tensor([[0.0, 0.0, 0.0, 1.0]]).expand(*batch, 1, 4)
    return torch.cat([upper, bottom], -2)


def split(T: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Scale (...), rotation (..., 3, 3) and translation (..., 3) of a transform."""
    scale = scale_of(T)
    return scale, T[..., :3, :3] / scale[..., None, None], T[..., :3, 3]


def scale_of(T: Tensor) -> Tensor:
    """(...) scales."""
    return torch.linalg.matrix_norm(T[..., :3, :3]) / math.sqrt(3.0)


def without_scale(T: Tensor) -> Tensor:
    """The rigid transform with the same rotation and translation."""
    _, rotation, translation = split(T)
    return compose(1.0, rotation, translation)


def inverse(T: Tensor) -> Tensor:
    """The inverse transforms."""
    scale, rotation, translation = split(T)
    back = rotation.mT / scale[..., None, None]
    return compose(1.0, back, -(back @ translation[..., None]).squeeze(-1))


def act(T: Tensor, points: Tensor) -> Tensor:
    """Transform points (*batch, ..., 3) by T (*batch, 4, 4), in the points' type and device.

    The batch dimensions of T are the first ones of the points, and broadcast against them.
    """
    T = T.to(points)
    batch = T.ndim - 2
    flat = points.reshape(*points.shape[:batch], -1, 3)
    moved = flat @ T[..., :3, :3].mT + T[..., None, :3, 3]
    return moved.reshape(*moved.shape[:-2], *points.shape[batch:])
