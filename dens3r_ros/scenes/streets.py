# SPDX-License-Identifier: Apache-2.0
"""Streets round a block, to drive along: facades on both sides, trees, poles, parked things."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dens3r_ros.scenes.looks import materials as m
from dens3r_ros.scenes.looks.materials import material
from dens3r_ros.scenes.random import RandomStream
from dens3r_ros.scenes.rays.intersect import BOX, CYLINDER, ELLIPSOID
from dens3r_ros.scenes.rays.primitives import Builder
from dens3r_ros.scenes.rays.terrain import flat_terrain
from dens3r_ros.scenes.rays.world import Stage, Worlds
from dens3r_ros.scenes.worlds.building import Building
from dens3r_ros.scenes.worlds.outdoors import daylight
from dens3r_ros.scenes.worlds.rooms import stacked

BLOCK = (90.0, 56.0)
"""Length and width of the rectangle along the middle of the streets, metres."""
_ROAD = 4.0
_HOUSE = 18.0
"""Metres of street that a house takes up."""
_TILE, _ASKEW, _DETAIL, _DETAIL_TILES = 6.0, 0.4, 0.6, 2.3
"""Of the ground: metres of a tile, its angle to the streets in radians, and how strong the detail
on top of it is, of which so many lie along a tile."""


def build_streets(seed: int) -> Building:
    """Four streets round a block, under the sky."""
    stream = RandomStream(torch.full((1,), seed, dtype=torch.int64), 17)
    builder = Builder(1, stream.device)
    _add_ground(builder, stream)
    for side in (1.0, -1.0):
        _add_houses(builder, stream, side)
        _add_trees(builder, stream, side * 7.0)
        _add_poles(builder, stream, side * 5.2)
        _add_parked(builder, stream, side * 4.2)
    corner = torch.zeros(1, 3)
    stage = Stage(corner, corner, corner, corner, corner[:, 0])
    worlds = Worlds(builder.finish(), flat_terrain(1, stream.device), daylight(stream), stage)
    return Building(worlds, torch.zeros(0, 2, 3), torch.zeros(0, 2, 3))


def _along(stream: RandomStream, spacing: float, offset: float) -> tuple[Tensor, Tensor]:
    """(1, N, 3) places beside the streets, `offset` metres outwards from their middle, and (1, N)
    yaws of their streets; none where another street runs."""
    places, yaws = [], []
    for quarter in range(4):
        along, across = BLOCK if quarter % 2 == 0 else BLOCK[::-1]
        reach = 0.5 * along + (offset if offset > 0 else offset - spacing / 2)
        count = max(1, int(2 * reach / spacing))
        x = (torch.arange(count) + 0.5 + 0.3 * (stream.uniform(count)[0] - 0.5)) * spacing - reach
        y = torch.full_like(x, 0.5 * across + offset)
        yaw = -0.5 * math.pi * quarter
        c, s = math.cos(yaw), math.sin(yaw)
        places.append(torch.stack((c * x - s * y, s * x + c * y, torch.zeros_like(x)), -1))
        yaws.append(torch.full_like(x, yaw))
    return torch.cat(places)[None], torch.cat(yaws)[None]


def _lifted(places: Tensor, height: Tensor | float) -> Tensor:
    lift = torch.zeros_like(places)
    lift[..., 2] = height
    return places + lift


def _add_ground(builder: Builder, stream: RandomStream) -> None:
    builder.add(
        BOX,
        torch.tensor([[[0.0, 0.0, -0.6]]]),
        torch.tensor([[[160.0, 160.0, 0.5]]]),
        _ground(stream, "ground"),
        casts=False,
    )
    x, y = (0.5 * side for side in BLOCK)
    middles = torch.tensor([[(0.0, y, -0.5), (0.0, -y, -0.5), (x, 0.0, -0.5), (-x, 0.0, -0.5)]])
    halves = torch.tensor(
        [[(x + _ROAD, _ROAD, 0.5)] * 2 + [(_ROAD, y - _ROAD, 0.5)] * 2], dtype=torch.float32
    )
    looks = _ground(stream, "road").expand(-1, 4, -1)
    builder.add(BOX, middles, halves, looks, casts=False)


def _ground(stream: RandomStream, name: str) -> Tensor:
    """(1, 1, COLUMNS): a material that does not repeat along the streets. Asphalt does not; a tile
    of a metre would seem to stand still under a car that moves on by as much between images."""
    looks = material(stream, name, 1)
    looks[..., m.UV_SCALE] = 1 / _TILE
    looks[..., m.TURN] = torch.tensor((math.cos(_ASKEW), math.sin(_ASKEW)))
    looks[..., m.DETAIL] = _DETAIL
    looks[..., m.DETAIL_FREQUENCY] = _DETAIL_TILES
    return looks


def _add_houses(builder: Builder, stream: RandomStream, side: float) -> None:
    places, yaws = _along(stream, _HOUSE, side * 14.0)
    count = places.shape[1]
    half = torch.stack(
        (
            stream.uniform(count, low=0.36, high=0.5) * _HOUSE,
            stream.uniform(count, low=3.0, high=5.0),
            stream.uniform(count, low=3.0, high=8.0),
        ),
        -1,
    )
    looks = material(stream, "facade", count)
    builder.add(BOX, _lifted(places, half[..., 2]), half, looks, yaws)


def _add_trees(builder: Builder, stream: RandomStream, offset: float) -> None:
    places, _ = _along(stream, 12.0, offset)
    count, active = places.shape[1], stream.chance(0.7, places.shape[1])
    trunk = stream.uniform(count, low=1.0, high=2.0)
    radius = stream.uniform(count, low=0.1, high=0.25)
    half = stacked(radius, radius, trunk)
    wood, leaves = material(stream, "wood", count), material(stream, "leaves", count)
    builder.add(CYLINDER, _lifted(places, trunk), half, wood, active=active, casts=False)
    crown = stream.uniform(count, 3, low=0.8, high=1.8)
    builder.add(ELLIPSOID, _lifted(places, 2 * trunk + 0.7), crown, leaves, active=active)


def _add_poles(builder: Builder, stream: RandomStream, offset: float) -> None:
    """Poles with a sign."""
    places, yaws = _along(stream, 22.0, offset)
    count = places.shape[1]
    tall = stream.uniform(count, low=1.0, high=2.5)
    radius = torch.full_like(tall, 0.06)
    metal, print_ = material(stream, "metal", count), material(stream, "print", count)
    builder.add(CYLINDER, _lifted(places, tall), stacked(radius, radius, tall), metal, casts=False)
    sign = torch.tensor((0.03, 0.4, 0.3)).expand(1, count, 3)
    builder.add(
        BOX, _lifted(places, 2 * tall), sign, print_, yaws, stream.chance(0.6, count), casts=False
    )


def _add_parked(builder: Builder, stream: RandomStream, offset: float) -> None:
    """Boxes as large as cars."""
    places, yaws = _along(stream, 11.0, offset)
    count = places.shape[1]
    half = torch.stack(
        (
            stream.uniform(count, low=1.5, high=2.2),
            stream.uniform(count, low=0.7, high=0.9),
            stream.uniform(count, low=0.6, high=1.0),
        ),
        -1,
    )
    looks, active = material(stream, "any", count), stream.chance(0.4, count)
    builder.add(BOX, _lifted(places, half[..., 2]), half, looks, yaws, active)
