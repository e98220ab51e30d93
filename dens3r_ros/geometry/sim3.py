# SPDX-License-Identifier: Apache-2.0
"""Similarity and rigid transforms as (..., 4, 4) float64 matrices.

The upper-left block is scale times rotation; a rigid transform, SE(3), is one of scale 1, so the
same functions serve both. Composition is the matrix product. Tangents are translation (3),
rotation (3) and, for similarities, the logarithm of the scale (1).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dens3r_ros.geometry.quaternion import quaternion_from_rotation


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


def sim3_exp(tangent: Tensor) -> Tensor:
    """Similarities of (..., 7) tangents."""
    return torch.linalg.matrix_exp(_generator(tangent.double()))


def sim3_log(T: Tensor) -> Tensor:
    """(..., 7) tangents of similarities; rotations come out with angles of at most pi."""
    scale, rotation, translation = split(T.double())
    turn, log_scale = _rotation_log(rotation), scale.log()[..., None]
    linear = _generator(torch.cat([torch.zeros_like(turn), turn, log_scale], -1))[..., :3, :3]
    shift = torch.linalg.solve(_integrated_exp(linear), translation[..., None]).squeeze(-1)
    return torch.cat([shift, turn, log_scale], -1)


def se3_exp(tangent: Tensor) -> Tensor:
    """Rigid transforms of (..., 6) tangents."""
    return sim3_exp(torch.nn.functional.pad(tangent, (0, 1)))


def se3_log(T: Tensor) -> Tensor:
    """(..., 6) tangents of rigid transforms."""
    return sim3_log(T)[..., :6]


def adjoint(T: Tensor) -> Tensor:
    """(..., 7, 7) matrices with T @ sim3_exp(x) @ inverse(T) = sim3_exp(adjoint(T) @ x).

    The upper-left (6, 6) block is the adjoint of a rigid transform.
    """
    _, rotation, translation = split(T.double())
    result = torch.zeros(*T.shape[:-2], 7, 7, dtype=torch.float64, device=T.device)
    result[..., :3, :3] = T[..., :3, :3]
    result[..., :3, 3:6] = cross_matrix(translation) @ rotation
    result[..., :3, 6] = -translation
    result[..., 3:6, 3:6] = rotation
    result[..., 6, 6] = 1.0
    return result


def cross_matrix(vector: Tensor) -> Tensor:
    """(..., 3, 3) matrices that take the cross product with (..., 3) vectors from the left."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))


def _generator(tangent: Tensor) -> Tensor:
    """(..., 4, 4) matrices whose matrix exponential is the transform."""
    identity = torch.eye(3, dtype=tangent.dtype, device=tangent.device)
    linear = cross_matrix(tangent[..., 3:6]) + tangent[..., 6, None, None] * identity
    upper = torch.cat([linear, tangent[..., :3, None]], -1)
    return torch.nn.functional.pad(upper, (0, 0, 0, 1))


def _integrated_exp(linear: Tensor) -> Tensor:
    """The integral of exp(t * linear) over t from 0 to 1."""
    identity = torch.eye(3, dtype=linear.dtype, device=linear.device).expand_as(linear)
    block = torch.nn.functional.pad(torch.cat([linear, identity], -1), (0, 0, 0, 3))
    return torch.linalg.matrix_exp(block)[..., :3, 3:]


def _rotation_log(rotation: Tensor) -> Tensor:
    quaternion = quaternion_from_rotation(rotation)
    axis, w = quaternion[..., :3], quaternion[..., 3:]
    # The bound is far below anything squared without underflow, where the ratio is 1 anyway.
    length = axis.norm(dim=-1, keepdim=True).clamp_min(1e-200)
    return axis * (2 * torch.atan2(length, w) / length)
