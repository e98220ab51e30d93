# SPDX-License-Identifier: Apache-2.0
"""Corridors with doors, open and closed, lamps and pipes."""

from __future__ import annotations

import torch
from torch import Tensor

from dens3r_ros.scenes.looks.materials import material
from dens3r_ros.scenes.random import RandomStream
from dens3r_ros.scenes.rays.intersect import BOX, CYLINDER
from dens3r_ros.scenes.rays.primitives import Builder, tilt_rotation
from dens3r_ros.scenes.rays.terrain import flat_terrain
from dens3r_ros.scenes.rays.world import LAMPS, Stage, Worlds
from dens3r_ros.scenes.worlds.furniture import add_clutter, add_furniture, add_standing
from dens3r_ros.scenes.worlds.rooms import WALL, add_box_between, indoor_light, stacked

_DOORS = 4


def _openings(stream: RandomStream, length: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(B, 2 * doors) middles along y, half widths, and which side (-1, +1) they are on."""
    pitch = length[:, None] / _DOORS
    number = torch.arange(_DOORS, device=length.device) + 0.5
    jitter = stream.uniform(2, _DOORS, low=-0.2, high=0.2)
    middle = (number + jitter) * pitch[:, None] - 0.5 * length[:, None, None]
    half = stream.uniform(2, _DOORS, low=0.42, high=0.6)
    side = torch.tensor((-1.0, 1.0), device=length.device)[:, None].expand_as(half)
    return middle.flatten(1), half.flatten(1), side.flatten(1)


def _add_walls(
    builder: Builder, stream: RandomStream, size: Tensor, middle: Tensor, half: Tensor, side: Tensor
) -> None:
    """Both long walls: pieces between the doors, and lintels over them."""
    width, length, height = size[:, None].unbind(-1)
    lintel = 0.78 * height
    looks = material(stream, "wall", 2)
    for wall in range(2):
        doors = slice(wall * _DOORS, (wall + 1) * _DOORS)
        low, high = (middle - half)[:, doors], (middle + half)[:, doors]
        starts = torch.cat((-0.5 * length, high), 1)
        ends = torch.cat((low, 0.5 * length), 1)
        own = looks[:, wall : wall + 1]
        for a, b, z in ((starts, ends, 0.0 * height), (low, high, lintel)):
            x = (0.5 * width * (2 * wall - 1)).expand_as(a)
            out = x + (2 * wall - 1) * 2 * WALL
            z, top = z.expand_as(a), height.expand_as(a)
            add_box_between(
                builder,
                stacked(x, a, z),
                stacked(out, b, top),
                own.expand(-1, a.shape[1], -1),
                False,
            )


def _add_leaves(
    builder: Builder, stream: RandomStream, size: Tensor, middle: Tensor, half: Tensor, side: Tensor
) -> None:
    """Doors: closed ones fill their opening, open ones stand at right angles inside the room."""
    width, _, height = size[:, None].unbind(-1)
    tall, thin = (0.39 * height).expand_as(half), torch.full_like(half, 0.02)
    opened = stream.chance(0.45, 2 * _DOORS)[..., None]
    x = side * (0.5 * width + WALL)
    inward = stacked(x + side * (half + WALL), middle + half, tall)
    builder.add(
        BOX,
        torch.where(opened, inward, stacked(x, middle, tall)),
        torch.where(opened, stacked(half, thin, tall), stacked(thin, half, tall)),
        material(stream, "door", 1).expand(-1, 2 * _DOORS, -1),
    )


def _add_outside(builder: Builder, stream: RandomStream, size: Tensor) -> None:
    """Floor, ceiling, end walls, and the far walls of the side rooms."""
    width, length, height = size[:, None].unbind(-1)
    reach = 0.5 * width + stream.uniform(1, low=1.5, high=4.0)
    end = 0.5 * length
    zero = torch.zeros_like(width)
    for name, low, high in (
        ("floor", stacked(-reach, -end, zero - 0.1), stacked(reach, end, zero)),
        ("ceiling", stacked(-reach, -end, height), stacked(reach, end, height + 0.1)),
        ("wall", stacked(-reach - 0.1, -end, zero), stacked(-reach, end, height)),
        ("wall", stacked(reach, -end, zero), stacked(reach + 0.1, end, height)),
        ("wall", stacked(-reach, end, zero), stacked(reach, end + 0.1, height)),
        ("wall", stacked(-reach, -end - 0.1, zero), stacked(reach, -end, height)),
    ):
        add_box_between(builder, low, high, material(stream, name, 1), casts=False)
    window = stacked(0.35 * width, zero + 0.02, 0.25 * height)
    for sign in (-1.0, 1.0):
        builder.add(
            BOX,
            stacked(zero, sign * (end - 0.02), 0.55 * height),
            window,
            material(stream, ("window", "door", "print", "lamp"), 1),
            active=stream.chance(0.7, 1),
            casts=False,
        )


def _add_fittings(builder: Builder, stream: RandomStream, size: Tensor) -> Tensor:
    """Lamps, pipes, notices, bins; returns (B, 3, 3) lamp places."""
    width, length, height = size[:, None].unbind(-1)
    count = LAMPS
    y = (torch.arange(count, device=size.device) + 0.5) / count - 0.5
    lamps = stacked(torch.zeros(len(size), count, device=size.device), y * length, 0.0)
    lamps = torch.cat((lamps[..., :2], (height - 0.02).expand(-1, count)[..., None]), -1)
    half = torch.tensor((0.12, 0.5, 0.02), device=size.device).expand_as(lamps)
    builder.add(BOX, lamps, half, material(stream, "lamp", 1).expand(-1, count, -1), casts=False)
    pipes = 3
    radius = stream.uniform(pipes, low=0.03, high=0.1)
    x = stream.uniform(pipes, low=-0.48, high=0.48) * width
    z = height - radius - stream.uniform(pipes, low=0.0, high=0.25)
    quarter = torch.full((len(size), pipes), 1.5707963, device=size.device)
    builder.add(
        CYLINDER,
        stacked(x, torch.zeros_like(x), z),
        stacked(radius, radius, (0.5 * length).expand_as(x)),
        material(stream, ("metal", "plain"), pipes),
        rotation=tilt_rotation(quarter),
        active=stream.chance(0.35, pipes),
        casts=False,
    )
    notices = 8
    side = stream.below(2, notices).float() * 2 - 1
    half_z = stream.uniform(notices, low=0.12, high=0.5)
    builder.add(
        BOX,
        stacked(
            side * (0.5 * width - 0.01),
            stream.uniform(notices, low=-0.48, high=0.48) * length,
            stream.uniform(notices, low=1.1, high=1.7),
        ),
        torch.stack(
            (torch.full_like(half_z, 0.015), stream.uniform(notices, low=0.1, high=0.6), half_z), -1
        ),
        material(stream, ("print", "print", "metal", "shelf", "any"), notices),
    )
    return lamps - torch.tensor((0.0, 0.0, 0.3), device=size.device)


def build_corridors(stream: RandomStream) -> Worlds:
    """One corridor along y per world."""
    size = torch.stack(
        (
            stream.uniform(low=1.5, high=3.2),
            stream.uniform(low=9.0, high=24.0),
            stream.uniform(low=2.2, high=3.4),
        ),
        -1,
    )
    builder = Builder(len(stream), stream.device)
    middle, half, side = _openings(stream, size[:, 1])
    _add_walls(builder, stream, size, middle, half, side)
    _add_leaves(builder, stream, size, middle, half, side)
    _add_outside(builder, stream, size)
    lamps = _add_fittings(builder, stream, size)
    width, length, _ = size[:, None].unbind(-1)
    count = 4
    edge = stream.below(2, count).float() * 2 - 1
    y = stream.uniform(count, low=-0.48, high=0.48) * length
    spots = stacked(edge * (0.5 * width - 0.25), y, 0.0)
    add_standing(builder, stream, spots[:, :2], stream.chance(0.6, 2))
    add_clutter(builder, stream, spots[:, 2:], stream.chance(0.5, 2))
    rooms = stacked(side * (0.5 * width + 1.0), middle, 0.0)[:, ::3]
    yaw = torch.where(rooms[..., 0] > 0, -1.5707963, 1.5707963)
    add_furniture(builder, stream, rooms, yaw, stream.chance(0.7, rooms.shape[1]))
    reach = torch.cat((0.5 * size[:, :1] - 0.35, 0.5 * size[:, 1:2] - 0.5), 1)
    zero = torch.zeros_like(reach[:, :1])
    stage = Stage(
        camera_low=torch.cat((-reach, zero + 0.6), 1),
        camera_high=torch.cat((reach, zero + 2.0), 1),
        target_low=torch.cat((-1.2 * reach, zero + 0.2), 1),
        target_high=torch.cat((1.2 * reach, zero + 2.0), 1),
        clearance=torch.full_like(size[:, 0], 0.3),
    )
    light = indoor_light(stream, lamps[:, None])
    return Worlds(builder.finish(), flat_terrain(len(stream), stream.device), light, stage)
