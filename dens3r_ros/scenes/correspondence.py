# SPDX-License-Identifier: Apache-2.0
"""Where the surface points of one view lie in another, and whether they are seen there."""

from __future__ import annotations

import torch
from torch import Tensor

from dens3r_ros.scenes.rays.raycast import Views

_TANGENT_TOLERANCE = 0.01


def relative_pose(views: Views, from_view: Tensor, to_view: Tensor) -> Tensor:
    """(N, 4, 4) float64 T_to_from between views of the same world."""
    T_from, T_to = views.T_world_camera[from_view], views.T_world_camera[to_view]
    rotation = T_to[:, :3, :3].transpose(1, 2)
    T = torch.zeros_like(T_from)
    T[:, :3, :3] = (rotation[..., None] * T_from[:, None, :3, :3]).sum(2)
    T[:, :3, 3] = (rotation * (T_from[:, :3, 3] - T_to[:, :3, 3])[:, None]).sum(-1)
    T[:, 3, 3] = 1.0
    return T


def correspondence(
    views: Views,
    depth: Tensor,
    normals: Tensor,
    slot: Tensor,
    from_view: Tensor,
    to_view: Tensor,
    bent: int,
) -> tuple[Tensor, Tensor]:
    """Pixels (N, H, W, 2) (x, y) in `to_view`, -1 where behind it, and the mask (N, H, W).

    Seen means: inside the image, the pixel there shows the same shape, and the surface faces that
    camera. Shapes are convex, so that this is exact to half a pixel at occlusion edges; `bent` is
    the slot of the terrain, which is not: there the point must also lie close to the tangent
    plane of what the pixel shows.
    """
    T = relative_pose(views, from_view, to_view).float()
    rotation, shift = T[:, :3, :3, None, None], T[:, :3, 3, None, None]
    points = views.rays()[from_view] * depth[from_view][:, None]
    moved = (rotation * points[:, None]).sum(2) + shift
    facing = (rotation * normals[from_view].permute(0, 3, 1, 2)[:, None]).sum(2)
    front = (facing * moved).sum(1) < 0.0
    x, y, z = moved.unbind(1)
    K = views.K[to_view].float()[..., None, None]
    ahead = z > 1e-3
    safe = torch.where(ahead, z, 1.0)
    u, v = K[:, 0, 0] * x / safe + K[:, 0, 2], K[:, 1, 1] * y / safe + K[:, 1, 2]
    column, row = u.round().long(), v.round().long()
    inside = (column >= 0) & (column < views.width) & (row >= 0) & (row < views.height)
    index = row.clamp(0, views.height - 1) * views.width + column.clamp(0, views.width - 1)
    index = index.flatten(1)
    there = slot[to_view].flatten(1).gather(1, index).view_as(u)
    here = slot[from_view]
    agrees = there == here
    if bool((here == bent).any()):
        close = _near_tangent(views, depth, normals, to_view, index, moved)
        agrees = agrees & ((here != bent) | close)
    seen = (here >= 0) & ahead & inside & front & agrees
    pixels = torch.where(ahead[..., None], torch.stack((u, v), -1), -1.0)
    return pixels, seen


def _near_tangent(
    views: Views, depth: Tensor, normals: Tensor, view: Tensor, index: Tensor, moved: Tensor
) -> Tensor:
    """(N, H, W) bool: whether `moved` points lie near the plane seen at pixel `index` of `view`."""
    shown = (views.rays() * depth[:, None])[view].flatten(2)
    planes = normals[view].flatten(1, 2).transpose(1, 2)
    index = index[:, None].expand(-1, 3, -1)
    offset = moved.flatten(2) - shown.gather(2, index)
    away = (offset * planes.gather(2, index)).sum(1).abs()
    return (away < _TANGENT_TOLERANCE * moved[:, 2].flatten(1).clamp(min=0.1)).view_as(moved[:, 0])
