# SPDX-License-Identifier: Apache-2.0
"""Things thrown together on a table, a floor or rough ground, seen from nearby."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from dens3r_ros.scenes.looks.materials import material
from dens3r_ros.scenes.random import RandomStream
from dens3r_ros.scenes.rays.intersect import BOX, CYLINDER, ELLIPSOID
from dens3r_ros.scenes.rays.primitives import Builder, tilt_rotation, yaw_rotation
from dens3r_ros.scenes.rays.terrain import Terrain
from dens3r_ros.scenes.rays.world import Stage, Worlds
from dens3r_ros.scenes.worlds.outdoors import hills
from dens3r_ros.scenes.worlds.rooms import add_shell, add_wall_things, indoor_light, stacked

_LOOKS = ("any", "any", "plain", "print", "wood", "fabric", "metal", "shelf")


def _heap(builder: Builder, stream: RandomStream, kind: int, count: int, size: Tensor) -> None:
    """(B, N) shapes of a kind, some upright on the ground, some turned anyhow above it."""
    half = stream.log_uniform(count, 3, low=0.04, high=0.4) * size[:, :, None]
    if kind != BOX:
        even = stream.chance(0.6, count, 1)
        width = half[..., :1]
        other = torch.where(even, width, half[..., 1:2]) if kind == ELLIPSOID else width
        half = torch.cat((width, other, half[..., 2:]), -1)
    spread = stream.uniform(count, 2, low=-1.1, high=1.1) * size[:, :, None]
    upright = stream.chance(0.6, count)
    tilt = torch.where(upright, 0.0, stream.uniform(count, high=3.1415927))
    rotation = yaw_rotation(stream.uniform(count, high=6.2831853)) @ tilt_rotation(tilt)
    floating = stream.uniform(count, high=1.0) * size * ~upright
    z = (rotation[..., 2, :].abs() * half).sum(-1) + floating
    builder.add(
        kind,
        stacked(spread[..., 0], spread[..., 1], z),
        half,
        material(stream, _LOOKS, count),
        rotation,
        stream.chance(0.75, count),
    )


def build_compositions(stream: RandomStream) -> Worlds:
    """One heap per world, in a room of its own, on a floor or on rough ground."""
    builder = Builder(len(stream), stream.device)
    size = stream.log_uniform(1, low=0.4, high=2.5)
    room = size * stream.uniform(3, low=3.2, high=7.0)
    room = torch.cat((room[:, :2], 0.7 * room[:, 2:] + size), 1)
    add_shell(builder, stream, room, torch.zeros_like(room))
    add_wall_things(builder, stream, room, 5, torch.zeros_like(room))
    _heap(builder, stream, BOX, 14, size)
    _heap(builder, stream, ELLIPSOID, 8, size)
    _heap(builder, stream, CYLINDER, 7, size)
    lamps = stream.uniform(3, 3, low=-0.45, high=0.45) * room[:, None]
    lamps = torch.cat((lamps[..., :2], (0.9 * room[:, 2:]).expand(-1, 3)[..., None]), -1)
    light = indoor_light(stream, lamps[:, None])
    rough = _rough_ground(stream, size, room)
    reach = 0.42 * room[:, :2]
    stage = Stage(
        camera_low=torch.cat((-reach, 0.2 * size), 1),
        camera_high=torch.cat((reach, torch.minimum(2.0 * size, 0.9 * room[:, 2:])), 1),
        target_low=torch.cat((-0.8 * size, -0.8 * size, 0.0 * size), 1),
        target_high=torch.cat((0.8 * size, 0.8 * size, 0.9 * size), 1),
        clearance=0.25 * size[:, 0],
    )
    return Worlds(builder.finish(), rough, light, stage)


def _rough_ground(stream: RandomStream, size: Tensor, room: Tensor) -> Terrain:
    """Bumps as wide as the things, in some of the rooms."""
    ground = hills(stream, stream.chance(0.4), (0.5, 3.0), 0.8)
    per_metre = torch.cat((1.0 / size, 1.0 / size, torch.ones_like(size), size), 1)
    waves = ground.waves * per_metre[:, None]
    return replace(
        ground, waves=waves, base=0.5 * waves[..., 3].abs().sum(1), half=0.5 * room[:, :2]
    )
