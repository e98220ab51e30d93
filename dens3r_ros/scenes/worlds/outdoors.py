# SPDX-License-Identifier: Apache-2.0
"""Streets and hills: buildings with roofs, trees, poles, slopes and rocks under the sky."""

from __future__ import annotations

import torch
from torch import Tensor

from dens3r_ros.scenes.looks.materials import material
from dens3r_ros.scenes.random import RandomStream
from dens3r_ros.scenes.rays.intersect import BOX, CYLINDER, ELLIPSOID
from dens3r_ros.scenes.rays.primitives import Builder, tilt_rotation, yaw_rotation
from dens3r_ros.scenes.rays.terrain import Terrain, waves
from dens3r_ros.scenes.rays.world import LAMPS, Light, Stage, Worlds
from dens3r_ros.scenes.worlds.furniture import add_clutter, add_furniture, add_leaning
from dens3r_ros.scenes.worlds.rooms import stacked

_BUILDINGS, _TREES, _ROCKS = 7, 7, 5
_REACH = 70.0
_BURIED = 3.0


def _ring(stream: RandomStream, count: int, near: float, far: float) -> Tensor:
    """(B, N, 3) places on the ground around the middle, one in each sector."""
    sector = (torch.arange(count, device=stream.device) + stream.uniform(count)) / count
    angle = 6.2831853 * (sector + stream.uniform(1))
    radius = stream.log_uniform(count, low=near, high=far)
    return stacked(radius * angle.cos(), radius * angle.sin(), 0.0)


def _up(height: Tensor) -> Tensor:
    return stacked(torch.zeros_like(height), 0.0, height)


def _add_buildings(builder: Builder, stream: RandomStream) -> None:
    count = _BUILDINGS
    half = torch.stack(
        (
            stream.uniform(count, low=2.5, high=8.0),
            stream.uniform(count, low=2.5, high=6.0),
            stream.uniform(count, low=1.5, high=7.0),
        ),
        -1,
    )
    ring = _ring(stream, count, 11.0, 36.0)
    yaw = torch.atan2(ring[..., 1], ring[..., 0]) + 1.5707963 + 0.3 * stream.normal(count)
    active = stream.chance(0.8, count)
    height = 2.0 * half[..., 2]
    body = torch.cat((half[..., :2], half[..., 2:] + 0.5 * _BURIED), -1)
    builder.add(
        BOX,
        ring + _up(half[..., 2] - 0.5 * _BURIED),
        body,
        material(stream, "facade", count),
        rotation=yaw,
        active=active,
    )
    pitch = stream.uniform(count, low=0.3, high=0.85)
    gabled = active & stream.chance(0.65, count)
    looks = material(stream, "roof", count)
    slab = torch.stack(
        (half[..., 0] + 0.3, 0.55 * half[..., 1] / pitch.cos() + 0.2, 0 * pitch + 0.1), -1
    )
    turn = yaw_rotation(yaw)
    for sign in (-1.0, 1.0):
        offset = stacked(
            torch.zeros_like(pitch),
            sign * 0.5 * half[..., 1],
            height + 0.5 * half[..., 1] * pitch.tan(),
        )
        centre = ring + (turn * offset[..., None, :]).sum(-1)
        builder.add(BOX, centre, slab, looks, turn @ tilt_rotation(-sign * pitch), gabled)
    door = stacked(stream.uniform(count, low=-0.5, high=0.5) * half[..., 0], half[..., 1], 1.0)
    builder.add(
        BOX,
        ring + (turn * door[..., None, :]).sum(-1),
        torch.tensor((0.6, 0.06, 1.1), device=ring.device).expand_as(ring),
        material(stream, "door", count),
        rotation=turn,
        active=active,
    )


def _add_trees(builder: Builder, stream: RandomStream) -> None:
    count = _TREES
    place, active = _ring(stream, count, 3.5, 25.0), stream.chance(0.6, count)
    trunk, radius = (
        stream.uniform(count, low=0.6, high=2.2),
        stream.uniform(count, low=0.08, high=0.3),
    )
    builder.add(
        CYLINDER,
        place + _up(trunk - 0.5),
        stacked(radius, radius, trunk + 0.5),
        material(stream, ("wood", "plain"), count),
        active=active,
    )
    looks = material(stream, "leaves", count)
    for lift in (0.4, 1.4):
        crown = stream.uniform(count, 3, low=0.5, high=1.9)
        builder.add(
            ELLIPSOID,
            place
            + _up(2.0 * trunk + lift * crown[..., 2])
            + 0.4 * (stream.uniform(count, 3) - 0.5),
            crown,
            looks,
            active=active & stream.chance(0.85, count),
        )


def _add_poles(builder: Builder, stream: RandomStream) -> None:
    """Poles, some with a sign."""
    poles = _ring(stream, 4, 3.0, 20.0)
    radius, tall = stream.uniform(4, low=0.04, high=0.15), stream.uniform(4, low=0.5, high=3.0)
    builder.add(
        CYLINDER,
        poles + _up(tall - 0.5),
        stacked(radius, radius, tall + 0.5),
        material(stream, ("metal", "any"), 4),
        active=stream.chance(0.5, 4),
    )
    signs = torch.tensor((0.4, 0.03, 0.3), device=poles.device).expand(len(stream), 4, 3)
    yaw = stream.uniform(4, high=6.2831853)
    builder.add(
        BOX,
        poles + _up(2.0 * tall - 0.3),
        signs,
        material(stream, "print", 4),
        rotation=yaw,
        active=stream.chance(0.3, 4),
    )


def _add_obstacles(builder: Builder, stream: RandomStream) -> None:
    """Fences, low walls, ramps and rocks."""
    fences = _ring(stream, 3, 5.0, 16.0)
    half = stacked(
        stream.uniform(3, low=1.5, high=6.0), 0.08, stream.uniform(3, low=0.3, high=1.1) + 0.5
    )
    builder.add(
        BOX,
        fences + _up(half[..., 2] - 1.0),
        half,
        material(stream, ("wood", "wall", "facade", "metal"), 3),
        rotation=stream.uniform(3, high=6.2831853),
        active=stream.chance(0.6, 3),
    )
    ramps = _ring(stream, 2, 5.0, 14.0)
    tilt = stream.uniform(2, low=0.15, high=0.6)
    rotation = yaw_rotation(stream.uniform(2, high=6.2831853)) @ tilt_rotation(tilt)
    builder.add(
        BOX,
        ramps - _up(0.2 + 0 * tilt),
        torch.stack(
            (
                stream.uniform(2, low=1.0, high=4.0),
                stream.uniform(2, low=1.5, high=5.0),
                0 * tilt + 0.25,
            ),
            -1,
        ),
        material(stream, ("road", "ground", "wood"), 2),
        rotation,
        stream.chance(0.5, 2),
    )
    rocks = _ring(stream, _ROCKS, 2.5, 18.0)
    builder.add(
        ELLIPSOID,
        rocks,
        stream.log_uniform(_ROCKS, 3, low=0.2, high=1.3),
        material(stream, ("ground", "plain"), _ROCKS),
        rotation=stream.uniform(_ROCKS, high=6.2831853),
        active=stream.chance(0.6, _ROCKS),
    )


def _add_things(builder: Builder, stream: RandomStream) -> None:
    """Benches, tables, boxes and boards nearby."""
    near = _ring(stream, 5, 2.0, 9.0)
    add_furniture(
        builder, stream, near[:, :3], stream.uniform(3, high=6.2831853), stream.chance(0.7, 3), 1.4
    )
    add_clutter(builder, stream, near[:, 3:4], stream.chance(0.6, 1))
    add_leaning(builder, stream, near[:, 4:], stream.chance(0.4, 1))


def _add_ground(builder: Builder, stream: RandomStream, flat: Tensor) -> None:
    """Level ground with a road and kerbs, where there are no hills."""
    device = stream.device
    ground = torch.tensor((_REACH, _REACH, 0.5), device=device).expand(len(stream), 1, 3)
    builder.add(
        BOX,
        torch.tensor((0.0, 0.0, -0.5), device=device).expand_as(ground),
        ground,
        material(stream, ("ground", "ground", "road", "leaves"), 1),
        active=flat,
        casts=False,
    )
    yaw = stream.uniform(1, high=3.1415927)
    road = stacked(torch.full_like(yaw, _REACH), stream.uniform(1, low=1.5, high=4.0), 0.01)
    paved = flat & stream.chance(0.6, 1)
    centre = torch.zeros(len(stream), 1, 3, device=device)
    builder.add(BOX, centre, road, material(stream, "road", 1), yaw, paved, False)
    for sign in (-1.0, 1.0):
        across = sign * (road[..., 1] + 0.15)
        kerb = stacked(-yaw.sin() * across, yaw.cos() * across, 0.03)
        half = torch.tensor((_REACH, 0.15, 0.1), device=device).expand_as(kerb)
        builder.add(BOX, kerb, half, material(stream, "wall", 1), yaw, paved, False)


def daylight(stream: RandomStream) -> Light:
    """A sun that throws shadows, soft lights, and the sky."""
    high, round_about = (
        stream.uniform(LAMPS, low=0.25, high=1.3),
        stream.uniform(LAMPS, high=6.2831853),
    )
    way = stacked(high.cos() * round_about.cos(), high.cos() * round_about.sin(), high.sin())
    sun = 1.0 - stream.uniform(1, high=0.85) * stream.chance(0.35, 1)
    warmth = stream.uniform(1, low=0.0, high=0.3)
    tint = torch.cat((1.0 + warmth, torch.ones_like(warmth), 1.0 - warmth), 1)
    soft = stream.uniform(LAMPS - 1, 1, high=0.2).expand(-1, -1, 3)
    colour = torch.cat(((1.6 * sun * tint)[:, None], soft), 1)
    blue = torch.tensor((0.35, 0.55, 1.0), device=stream.device)
    grey = stream.uniform(1) ** 2
    sky = (blue + (0.8 - blue) * grey) * stream.uniform(1, low=0.7, high=1.5)
    horizon = 0.5 * sky + 0.5 * stream.uniform(1, low=0.6, high=1.0)
    return Light(
        position=(way * 500.0)[:, None],
        colour=colour[:, None],
        falloff=torch.full((len(stream), 1, LAMPS), 1e5, device=stream.device),
        above=sky * 0.45,
        below=sky * 0.2,
        sky=sky,
        horizon=horizon,
        fog=stream.uniform(1)[:, 0] ** 3 * 0.03,
        clouds=stream.uniform(1)[:, 0],
    )


def hills(
    stream: RandomStream, active: Tensor, length: tuple[float, float], steep: float
) -> Terrain:
    """Rolling ground that is level on average at z = 0."""
    shape = waves(stream, length, steep)
    return Terrain(
        waves=shape,
        base=torch.zeros(len(stream), device=stream.device),
        half=torch.full((len(stream), 2), _REACH, device=stream.device),
        active=active,
        material=material(stream, ("ground", "ground", "leaves", "road"), 1)[:, 0],
    )


def build_outdoors(stream: RandomStream) -> Worlds:
    """One place in the open per world."""
    builder = Builder(len(stream), stream.device)
    hilly = stream.chance(0.4)
    _add_ground(builder, stream, ~hilly[:, None])
    _add_buildings(builder, stream)
    _add_trees(builder, stream)
    _add_poles(builder, stream)
    _add_obstacles(builder, stream)
    _add_things(builder, stream)
    zero = torch.zeros(len(stream), 1, device=stream.device)
    stage = Stage(
        camera_low=torch.cat((zero - 9.0, zero - 9.0, zero + 0.7), 1),
        camera_high=torch.cat((zero + 9.0, zero + 9.0, zero + 3.0), 1),
        target_low=torch.cat((zero - 14.0, zero - 14.0, zero), 1),
        target_high=torch.cat((zero + 14.0, zero + 14.0, zero + 3.5), 1),
        clearance=zero[:, 0] + 0.6,
    )
    terrain = hills(stream, hilly, (12.0, 45.0), 0.5)
    return Worlds(builder.finish(), terrain, daylight(stream), stage)
