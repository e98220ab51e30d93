# SPDX-License-Identifier: Apache-2.0
"""What each pixel sees: depth, shape, normal, place on the shape, and material."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dens3r_ros.scenes.looks.materials import COLUMNS
from dens3r_ros.scenes.rays.intersect import BOX, ELLIPSOID
from dens3r_ros.scenes.rays.raycast import LocalViews, Views, first_hits, local_views
from dens3r_ros.scenes.rays.world import Worlds

_POSE = 15


@dataclass(frozen=True, eq=False)
class Surface:
    """Per pixel of V views; N stands for V * H * W in that order.

    `depth` (V, H, W) metres, infinite for sky; `slot` (V, H, W) the shape seen, the last one
    being the terrain, -1 the sky; `points` and `normals` (3, N) in the optical frame; `own` (3, N)
    the point in the shape's own axes, metres; `face` (N,) the axis it faces most; `side` (N,) +-1
    the end of that axis; `material` (M, N).
    """

    depth: Tensor
    slot: Tensor
    points: Tensor
    normals: Tensor
    own: Tensor
    face: Tensor
    side: Tensor
    material: Tensor
    local: LocalViews


def see(worlds: Worlds, views: Views) -> Surface:
    """Cast all rays and describe what they hit."""
    depth, slot = first_hits(worlds.shapes, views)
    rays = views.rays()
    _cast_terrain(worlds, views, rays, depth, slot)
    local = local_views(worlds.shapes, views)
    table = _table(worlds, views, local)
    slots = local.origin.shape[1] + 1
    view = torch.arange(len(views), device=views.device)[:, None, None]
    row = (slot.clamp(min=0) + view * slots).flatten()
    columns = table.index_select(1, row)
    points = (rays * depth.nan_to_num(posinf=0.0)[:, None]).transpose(0, 1).flatten(1)
    own = _own_points(columns, points)
    face, side, own_normal = _own_normals(worlds, views, slot.flatten(), own, columns[12:15])
    rotation = columns[:9].view(3, 3, -1)
    normals = (rotation * own_normal).sum(1)
    return Surface(depth, slot, points, normals, own, face, side, columns[_POSE:], local)


def _table(worlds: Worlds, views: Views, local: LocalViews) -> Tensor:
    """(15 + M, V * (P + 1)): pose, reach and material of every shape of every view, terrain last.

    The terrain's own axes are the world's.
    """
    T = views.T_world_camera
    count = len(views)
    ground = torch.cat(
        (
            T[:, :3, :3].transpose(1, 2).flatten(1).float(),
            T[:, :3, 3].float(),
            torch.ones(count, 3, device=views.device),
            worlds.terrain.material[views.world],
        ),
        1,
    )
    material = worlds.shapes.material[views.world]
    shapes = torch.cat((local.rotation.flatten(2), local.origin, local.half, material), -1)
    rows = torch.cat((shapes, ground[:, None]), 1)
    return rows.flatten(0, 1).t().contiguous().view(_POSE + COLUMNS, -1)


def _own_points(columns: Tensor, points: Tensor) -> Tensor:
    rotation, origin = columns[:9].view(3, 3, -1), columns[9:12]
    return (rotation * points[:, None]).sum(0) + origin


def _own_normals(
    worlds: Worlds, views: Views, slot: Tensor, own: Tensor, half: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The face (N,), its side (N,) and the unit normal (3, N) in each shape's own axes."""
    counts = worlds.shapes.counts
    ball = (slot >= counts[BOX]) & (slot < counts[BOX] + counts[ELLIPSOID])
    tube = (slot >= counts[BOX] + counts[ELLIPSOID]) & (slot < sum(counts))
    unit = own / half
    size = unit.abs()
    on_y = (size[1] > size[0]).long()
    face = torch.where(size[2] > torch.maximum(size[0], size[1]), 2, on_y)
    radial = (unit[:2] ** 2).sum(0).sqrt()
    rim = tube & (size[2] <= radial)
    cap = tube & ~rim
    face = torch.where(cap, 2, face)
    face = torch.where(rim, on_y, face)
    axes = torch.arange(3, device=own.device)[:, None]
    along = torch.where(face == 0, unit[0], torch.where(face == 1, unit[1], unit[2]))
    side = torch.where(along < 0.0, -1.0, 1.0)
    flat = (axes == face) * side
    bent = unit / half
    bent[2] = torch.where(rim, 0.0, bent[2])
    bent = bent * (bent * bent).sum(0).clamp(min=1e-20).rsqrt()
    normal = torch.where(ball | rim, bent, flat)
    ground = slot == sum(counts)
    if bool(worlds.terrain.active.any()):
        _ground_normals(worlds, views, ground, own, face, side, normal)
    return face, side, normal


def _ground_normals(
    worlds: Worlds,
    views: Views,
    ground: Tensor,
    own: Tensor,
    face: Tensor,
    side: Tensor,
    normal: Tensor,
) -> None:
    """Overwrite face, side and normal where the terrain is seen."""
    index = ground.nonzero()[:, 0]
    world = views.world[index // (views.height * views.width)]
    point = own[:, index]
    _, slope_x, slope_y = worlds.terrain.surface(world, point[0], point[1])
    up = torch.stack((-slope_x, -slope_y, torch.ones_like(slope_x)))
    normal[:, index] = up / up.norm(dim=0)
    face[index] = 2
    side[index] = 1.0


def _cast_terrain(worlds: Worlds, views: Views, rays: Tensor, depth: Tensor, slot: Tensor) -> None:
    """Put the terrain's hits into depth and slot where they are nearer."""
    chosen = worlds.terrain.active[views.world].nonzero()[:, 0]
    if not len(chosen):
        return
    T = views.T_world_camera[chosen].float()
    ray = (T[:, :3, :3, None, None] * rays[chosen][:, None]).sum(2)
    ray = ray.permute(0, 2, 3, 1).reshape(-1, 3)
    pixels = views.height * views.width
    world = views.world[chosen].repeat_interleave(pixels)
    origin = T[:, :3, 3].repeat_interleave(pixels, 0)
    before = depth[chosen].flatten()
    hit = worlds.terrain.first_hits(world, origin, ray, before)
    nearer = hit < before
    shape = (len(chosen), views.height, views.width)
    depth[chosen] = torch.where(nearer, hit, before).view(shape)
    slot[chosen] = (
        torch.where(nearer, sum(worlds.shapes.counts), slot[chosen].flatten()).view(shape).int()
    )
