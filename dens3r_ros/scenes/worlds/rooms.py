# SPDX-License-Identifier: Apache-2.0
"""Furnished rooms, from chambers to halls."""

from __future__ import annotations

import torch
from torch import Tensor

from dens3r_ros.scenes.looks.materials import material
from dens3r_ros.scenes.random import RandomStream
from dens3r_ros.scenes.rays.intersect import BOX, CYLINDER
from dens3r_ros.scenes.rays.primitives import Builder
from dens3r_ros.scenes.rays.terrain import flat_terrain
from dens3r_ros.scenes.rays.world import LAMPS, Light, Stage, Worlds
from dens3r_ros.scenes.worlds.furniture import add_clutter, add_furniture, add_leaning, add_standing

WALL = 0.06
"""Half the thickness of walls, metres."""


def stacked(*parts: Tensor | float) -> Tensor:
    """(..., k) from k tensors of equal shape, or numbers."""
    shape = next(p for p in parts if isinstance(p, Tensor))
    return torch.stack(
        [p if isinstance(p, Tensor) else torch.full_like(shape, p) for p in parts], -1
    )


def add_box_between(
    builder: Builder, low: Tensor, high: Tensor, looks: Tensor, casts: bool = True
) -> None:
    """Upright boxes between two opposite corners (B, N, 3)."""
    builder.add(
        BOX, 0.5 * (low + high), 0.5 * (high - low).abs().clamp(min=1e-3), looks, casts=casts
    )


def add_shell(builder: Builder, stream: RandomStream, size: Tensor, door: Tensor) -> None:
    """Floor, ceiling and walls around (B, 3) width, depth, height centred at the origin, z from 0.

    The wall towards -y has an opening of `door` (B, 3): middle, width, height.
    """
    w, d, h = (0.5 * size).unbind(-1)
    h = 2.0 * h
    t = 2.0 * WALL
    zero = torch.zeros_like(w)
    floor = (stacked(-w - t, -d - t, -t), stacked(w + t, d + t, zero))
    roof = (stacked(-w - t, -d - t, h), stacked(w + t, d + t, h + t))
    walls = [
        (stacked(-w - t, -d, zero), stacked(-w, d, h)),
        (stacked(w, -d, zero), stacked(w + t, d, h)),
        (stacked(-w - t, d, zero), stacked(w + t, d + t, h)),
    ]
    left, right = door[:, 0] - 0.5 * door[:, 1], door[:, 0] + 0.5 * door[:, 1]
    front = [
        (stacked(-w - t, -d - t, zero), stacked(left, -d, h)),
        (stacked(right, -d - t, zero), stacked(w + t, -d, h)),
        (stacked(left, -d - t, door[:, 2]), stacked(right, -d, h)),
    ]
    surfaces = (("floor", [floor]), ("ceiling", [roof]), ("wall", walls + front))
    for name, corners in surfaces:
        low, high = (torch.stack([c[i] for c in corners], 1) for i in (0, 1))
        looks = material(stream, name, 2)
        which = torch.arange(len(corners), device=size.device) % 3 == 2
        looks = torch.where(which[:, None] & (name == "wall"), looks[:, 1:], looks[:, :1])
        add_box_between(builder, low, high, looks, casts=False)


def add_wall_things(
    builder: Builder, stream: RandomStream, size: Tensor, count: int, door: Tensor
) -> None:
    """Prints, windows, doors, shelves and panels on the walls."""
    wall = stream.below(4, count)
    along_x = wall % 2 == 0
    w, d, h = (0.5 * size).unbind(-1)
    kind = stream.uniform(count)
    half_w = stream.uniform(count, low=0.15, high=0.7)
    half_h = stream.uniform(count, low=0.15, high=0.6)
    is_door = kind > 0.85
    half_w, half_h = torch.where(is_door, 0.45, half_w), torch.where(is_door, 1.0, half_h)
    half_h = torch.minimum(half_h, 0.9 * h[:, None])
    reach = torch.where(along_x, w[:, None], d[:, None]) - half_w
    along = stream.uniform(count, low=-0.95, high=0.95) * reach.clamp(min=0.0)
    middle = 2.0 * h[:, None] * stream.uniform(count, low=0.35, high=0.75)
    z = torch.where(is_door, half_h, middle)
    thick = torch.where(kind < 0.15, 0.12, stream.uniform(count, low=0.006, high=0.03))
    away = torch.where(along_x, d[:, None], w[:, None]) - thick
    side = torch.where(wall < 2, 1.0, -1.0)
    in_door = (wall == 2) & ((along - door[:, :1]).abs() < half_w + 0.5 * door[:, 1:2])
    centre = torch.where(
        along_x[..., None], stacked(along, side * away, z), stacked(side * away, along, z)
    )
    half = torch.where(
        along_x[..., None], stacked(half_w, thick, half_h), stacked(thick, half_w, half_h)
    )
    looks = torch.where(
        is_door[..., None],
        material(stream, "door", count),
        material(stream, ("print", "print", "print", "window", "shelf", "any"), count),
    )
    builder.add(BOX, centre, half, looks, active=~in_door)


def add_lamps(builder: Builder, stream: RandomStream, size: Tensor, count: int) -> Tensor:
    """Bright panels under the ceiling; returns (B, N, 3) points just below them."""
    spread = size[:, None] * torch.tensor((0.35, 0.35, 0.0), device=size.device)
    place = stream.uniform(count, 3, low=-1.0, high=1.0) * spread
    place = place + size[:, None] * torch.tensor((0.0, 0.0, 1.0), device=size.device)
    half = stacked(
        stream.uniform(count, low=0.1, high=0.6),
        stream.uniform(count, low=0.1, high=0.3),
        0.02,
    )
    shown = stream.chance(0.7, count)
    builder.add(BOX, place, half, material(stream, "lamp", count), active=shown, casts=False)
    return place - torch.tensor((0.0, 0.0, 0.35), device=size.device)


def furnish(
    builder: Builder, stream: RandomStream, size: Tensor, door: Tensor, middle: bool = True
) -> None:
    """Pieces along the walls, things on them, and if wanted both in the middle too."""
    w, d, _ = (0.5 * size).unbind(-1)
    pieces = 5
    wall = (stream.below(4, pieces) + torch.arange(pieces, device=size.device)) % 4
    along_x = wall % 2 == 0
    central = stream.chance(0.35 if middle else 0.0, pieces)
    side = torch.where(wall < 2, 1.0, -1.0)
    u = stream.uniform(pieces, low=-0.85, high=0.85)
    depth = torch.where(central, stream.uniform(pieces, low=-0.6, high=0.6), side * 0.86)
    x = torch.where(along_x, u, depth) * (w[:, None] - 0.2)
    y = torch.where(along_x, depth, u) * (d[:, None] - 0.2)
    facing = torch.tensor((0.0, -1.5707963, 3.1415927, 1.5707963), device=size.device)[wall]
    yaw = facing + torch.where(central, stream.uniform(pieces, low=-1.5, high=1.5), 0.0)
    clear = ~((wall == 2) & ((x - door[:, :1]).abs() < 1.3) & ~central)
    active = clear & stream.chance(0.9, pieces)
    place = stacked(x, y, 0.0)
    extent = add_furniture(builder, stream, place, yaw, active)
    top = place[:, :3] + extent[:, :3] * torch.tensor((0.0, 0.0, 1.0), device=size.device)
    add_clutter(builder, stream, top, active[:, :3])
    if middle:
        _add_middle(builder, stream, size)


def _add_middle(builder: Builder, stream: RandomStream, size: Tensor) -> None:
    """Small things, boards, lamps and a rug anywhere on the floor."""
    spots = stream.uniform(6, 3, low=-0.85, high=0.85) * size[:, None] * 0.5
    spots = spots * torch.tensor((1.0, 1.0, 0.0), device=size.device)
    add_clutter(builder, stream, spots[:, :2], stream.chance(0.5, 2))
    add_leaning(builder, stream, spots[:, 2:4], stream.chance(0.4, 2))
    add_standing(builder, stream, spots[:, 4:], stream.chance(0.6, 2))
    rug = stacked(stream.uniform(1, low=0.6, high=1.5), stream.uniform(1, low=0.5, high=1.2), 0.006)
    builder.add(
        BOX,
        spots[:, 2:3] * 0.5 + torch.tensor((0.0, 0.0, 0.006), device=size.device),
        rug,
        material(stream, ("fabric", "any"), 1),
        rotation=stream.uniform(1, high=3.0) * stream.chance(0.5, 1),
        active=stream.chance(0.6, 1),
        casts=False,
    )


def add_columns(builder: Builder, stream: RandomStream, size: Tensor) -> None:
    """Columns and beams, in large rooms only."""
    count = 3
    large = (size[:, 0] * size[:, 1] > 40.0)[:, None]
    place = stream.uniform(count, 3, low=-0.4, high=0.4) * size[:, None]
    h = 0.5 * size[:, 2:].expand(-1, count)
    radius = stream.uniform(count, low=0.1, high=0.3)
    builder.add(
        CYLINDER,
        stacked(place[..., 0], place[..., 1], h),
        stacked(radius, radius, h),
        material(stream, ("wall", "plain", "any"), count),
        active=large & stream.chance(0.6, count),
    )
    across = stacked(0.5 * size[:, :1].expand(-1, count), 0.12, 0.15)
    builder.add(
        BOX,
        stacked(torch.zeros_like(h), place[..., 1], 2.0 * h - 0.15),
        across,
        material(stream, "wood", 1).expand(-1, count, -1),
        active=stream.chance(0.3, 1).expand(-1, count),
        casts=False,
    )


def sample_door(stream: RandomStream, size: Tensor) -> Tensor:
    """(B, 3) middle, width and height of an opening; half of the rooms have none (width 0)."""
    width = stream.uniform(1, low=0.8, high=1.4) * stream.chance(0.5, 1)
    middle = (0.5 * size[:, :1] - 0.9) * stream.uniform(1, low=-0.8, high=0.8)
    return torch.cat((middle, width, size[:, 2:] * 0.82), 1)


def indoor_light(stream: RandomStream, lamps: Tensor, strength: float = 1.0) -> Light:
    """Light from (B, G, L, 3) lamps and a little from everywhere."""
    groups, count = lamps.shape[1:3]
    warmth = stream.uniform(1, 1, 1, low=-0.25, high=0.35)
    warm = torch.cat((1.0 + warmth, torch.ones_like(warmth), 1.0 - warmth), -1)
    power = stream.uniform(groups, count, 1, low=0.4, high=1.6) * strength
    around = stream.uniform(1, low=0.12, high=0.5)
    tint = 1.0 + 0.1 * stream.normal(3)
    dark = torch.zeros_like(around).expand(-1, 3)
    return Light(
        position=lamps,
        colour=power * warm,
        falloff=stream.uniform(groups, count, low=1.5, high=5.0),
        above=around * tint,
        below=around * tint * 0.7,
        sky=dark + 0.05,
        horizon=dark + 0.05,
        fog=dark[:, 0],
        clouds=dark[:, 0],
    )


def build_rooms(stream: RandomStream) -> Worlds:
    """One furnished room per world."""
    scale = stream.log_uniform(1, low=1.0, high=2.6)
    floor = stream.uniform(2, low=2.6, high=4.6) * scale
    size = torch.cat((floor, stream.uniform(1, low=2.2, high=2.9) * scale.sqrt()), 1)
    door = sample_door(stream, size)
    builder = Builder(len(stream), stream.device)
    add_shell(builder, stream, size, door)
    _add_beyond_door(builder, stream, size)
    add_wall_things(builder, stream, size, 10, door)
    lamps = add_lamps(builder, stream, size, LAMPS)
    furnish(builder, stream, size, door)
    add_columns(builder, stream, size)
    light = indoor_light(stream, lamps[:, None])
    half = 0.5 * size
    reach = half[:, :2] - 0.35
    stage = Stage(
        camera_low=torch.cat((-reach, torch.full_like(size[:, 2:], 0.5)), 1),
        camera_high=torch.cat((reach, (size[:, 2:] - 0.4).clamp(max=2.2)), 1),
        target_low=torch.cat((-half[:, :2], torch.zeros_like(size[:, 2:])), 1),
        target_high=torch.cat((half[:, :2], size[:, 2:] * 0.75), 1),
        clearance=torch.full_like(size[:, 0], 0.3),
    )
    return Worlds(builder.finish(), flat_terrain(len(stream), stream.device), light, stage)


def _add_beyond_door(builder: Builder, stream: RandomStream, size: Tensor) -> None:
    """A wall and a floor that an open door shows."""
    w, d, h = size[:, None, 0], size[:, None, 1], size[:, None, 2]
    away = stream.uniform(1, low=1.2, high=3.0)
    near, far = -0.5 * d, -0.5 * d - away
    add_box_between(
        builder, stacked(-w, far - 0.1, 0.0), stacked(w, far, h), material(stream, "wall", 1), False
    )
    add_box_between(
        builder,
        stacked(-w, far, -0.1),
        stacked(w, near - 0.12, 0.0),
        material(stream, "floor", 1),
        False,
    )
