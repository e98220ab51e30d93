# SPDX-License-Identifier: Apache-2.0
"""Surface normals of a pointmap."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d


def normals_from_points(
    points: Tensor, valid: Tensor | None = None, jump: float = 0.05, radius: int = 1
) -> tuple[Tensor, Tensor]:
    """Unit normals (..., H, W, 3) float32, facing the camera, and where they are valid.

    points: (..., H, W, 3) in the camera's own optical frame; valid: (..., H, W) bool. A normal is
    the cross product of two tangents from points up to `radius` pixels away, chosen so that planes
    come out exact however steep they lie, and spheres too. It is invalid, and zero, where the
    inverse depth (linear across any plane) bends by more than `jump`, relative, within those
    pixels: at depth edges, and beside points that are invalid, not finite, or not in front of the
    camera. Larger radii quieten noisy points and lose more around the edges.
    """
    batch, (height, width) = points.shape[:-3], points.shape[-3:-1]
    planes = points.reshape(-1, height, width, 3).permute(3, 0, 1, 2).float().contiguous()
    usable = torch.isfinite(planes.sum(0)) & (planes[2] > 0)
    if valid is not None:
        usable &= valid.reshape(-1, height, width)
    smooth = _smooth(planes[2], usable, jump, radius)
    normals, length = _facing_normals(planes, radius)
    good = smooth & (length > 0) & length.isfinite()
    normals = torch.where(good, normals / length, 0.0).permute(1, 2, 3, 0)
    return normals.reshape(*batch, height, width, 3), good.reshape(*batch, height, width)


def _facing_normals(planes: Tensor, radius: int) -> tuple[Tensor, Tensor]:
    """Normals (3, N, H, W) of any length, and those lengths (N, H, W)."""
    across, down = _tangent(planes, radius, -1), _tangent(planes, radius, -2)
    normals = torch.linalg.cross(down, across, dim=0)
    away = (normals * planes).sum(0) > 0
    return torch.where(away, -normals, normals), normals.square().sum(0).sqrt()


def _tangent(planes: Tensor, radius: int, dim: int) -> Tensor:
    """Direction (3, N, H, W) in which the points move along `dim`.

    The chords to both sides are added, each weighted by the other's squared length: the exact
    tangent of the circle through three points, which any row or column of a sphere lies on.
    """
    ahead, behind = _chords(planes, radius, dim)
    long_ahead, long_behind = ahead.square().sum(0), behind.square().sum(0)
    return behind + (ahead - behind) * (long_behind / (long_ahead + long_behind))


def _chords(planes: Tensor, radius: int, dim: int) -> tuple[Tensor, Tensor]:
    """From each point to those before it, and to those behind, weighted by their distance."""
    size, other = planes.shape[dim], -3 - dim
    padded = _mirrored(planes, radius, dim)
    ahead, behind = torch.zeros_like(planes), torch.zeros_like(planes)
    for k in range(1, radius + 1):
        ahead += k * (padded.narrow(dim, radius + k, size) - planes)
        behind += k * (planes - padded.narrow(dim, radius - k, size))
    return _averaged(ahead, radius - 1, other), _averaged(behind, radius - 1, other)


def _averaged(planes: Tensor, reach: int, dim: int) -> Tensor:
    size, padded = planes.shape[dim], _replicated(planes, reach, dim)
    return torch.stack([padded.narrow(dim, k, size) for k in range(2 * reach + 1)]).mean(0)


def _smooth(depth: Tensor, usable: Tensor, jump: float, radius: int) -> Tensor:
    """Where neither a depth edge nor an unusable point lies within the stencil."""
    inverse = torch.where(usable, 1 / depth, 0.0)
    limit = jump * inverse
    broken = ~usable
    for dim in (-1, -2):
        inner = inverse.shape[dim] - 2
        before, here, after = (inverse.narrow(dim, k, inner) for k in range(3))
        bent = (before + after - 2 * here).abs() > limit.narrow(dim, 1, inner)
        broken = broken | _replicated(bent | broken.narrow(dim, 1, inner), 1, dim)
    if radius > 1:
        grown = max_pool2d(broken[:, None].float(), 2 * radius - 1, 1, radius - 1)
        broken = grown[:, 0] > 0
    return ~broken


def _replicated(maps: Tensor, count: int, dim: int) -> Tensor:
    """The map with its first and last rows (dim -2) or columns (dim -1) repeated `count` times."""
    if count == 0:
        return maps
    first, last = maps.narrow(dim, 0, 1), maps.narrow(dim, maps.shape[dim] - 1, 1)
    return torch.cat([first] * count + [maps] + [last] * count, dim)


def _mirrored(planes: Tensor, count: int, dim: int) -> Tensor:
    """The map continued by `count` points at both ends, mirrored through its first and last."""
    size = planes.shape[dim]
    first, last = planes.narrow(dim, 0, 1), planes.narrow(dim, size - 1, 1)
    before = 2 * first - planes.narrow(dim, 1, count).flip(dim)
    after = 2 * last - planes.narrow(dim, size - 1 - count, count).flip(dim)
    return torch.cat([before, planes, after], dim)
