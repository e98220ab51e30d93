# SPDX-License-Identifier: Apache-2.0
"""Larger worlds for walks: a hall, a staircase, and a floor with a ring corridor and look-alike
rooms on its outer side."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dens3r_ros.scenes.looks.materials import material
from dens3r_ros.scenes.random import RandomStream
from dens3r_ros.scenes.rays.intersect import BOX
from dens3r_ros.scenes.rays.primitives import Builder, Primitives, flattened, together, yaw_rotation
from dens3r_ros.scenes.rays.terrain import flat_terrain
from dens3r_ros.scenes.rays.world import LAMPS, Light, Stage, Worlds
from dens3r_ros.scenes.worlds.rooms import (
    WALL,
    add_box_between,
    add_lamps,
    add_shell,
    add_wall_things,
    furnish,
    indoor_light,
    stacked,
)
from dens3r_ros.scenes.worlds.stairs import Flight, build_flight

HALL = (16.0, 12.0, 3.4)
"""Width, depth and height of the hall, metres."""
CORRIDOR, HEIGHT, _DEPTH, _PITCH = 2.2, 2.7, 3.8, 4.4


@dataclass(frozen=True, eq=False)
class Building:
    """A world of B = 1 whose rooms can be left out where they cannot be seen.

    Shapes of room r have group r + 1 and are seen only from within `inside` (R, 2, 3), low and
    high corners, or through the door `doors` (R, 2, 3), likewise; group 0 is always there.
    """

    worlds: Worlds
    inside: Tensor
    doors: Tensor


def _seeds(seed: int, count: int = 1) -> Tensor:
    return torch.full((count,), seed, dtype=torch.int64)


def build_hall(seed: int) -> Building:
    """One large hall with furniture along its walls and nothing in the middle."""
    stream = RandomStream(_seeds(seed), 11)
    size = torch.tensor([HALL])
    door = torch.tensor([[0.0, 0.0, 2.5]])
    builder = Builder(1, stream.device)
    add_shell(builder, stream, size, door)
    add_wall_things(builder, stream, size, 40, door)
    lamps = add_lamps(builder, stream, size, LAMPS)
    for _ in range(4):
        furnish(builder, stream, size, door, middle=False)
    light = indoor_light(stream, lamps[:, None], 1.6)
    light = replace(light, falloff=torch.full_like(light.falloff, 7.0))
    return building_of(builder.finish(), light)


def building_of(shapes: Primitives, light: Light) -> Building:
    """One of B = 1 whose shapes are always there."""
    return Building(_world(shapes, light), *_no_rooms())


def build_stairwell(seed: int) -> tuple[Building, Flight]:
    """A wide staircase without things in the way."""
    stream = RandomStream(_seeds(seed), 12)
    sizes = (2.4, 0.165, 0.3, 4.5, 1.5)
    flight = Flight(*(torch.tensor([[value]]) for value in sizes))
    return Building(build_flight(stream, flight, things=False), *_no_rooms()), flight


def _no_rooms() -> tuple[Tensor, Tensor]:
    return torch.zeros(0, 2, 3), torch.zeros(0, 2, 3)


def _world(shapes: Primitives, light: Light) -> Worlds:
    corner = torch.zeros(1, 3)
    stage = Stage(corner, corner, corner, corner, corner[:, 0])
    return Worlds(shapes, flat_terrain(1, corner.device), light, stage)


@dataclass(frozen=True)
class Ring:
    """A ring corridor: `along` and `across` rooms of `pitch` metres on its sides."""

    along: int
    across: int
    pitch: float

    @property
    def sides(self) -> tuple[float, float]:
        """Lengths of the corridor's middle line in x and y."""
        return self.along * self.pitch - CORRIDOR, self.across * self.pitch - CORRIDOR


def ring_of(metres: float) -> Ring:
    """The ring whose middle line is `metres` long, with rooms of about the usual width."""
    total = 0.5 * metres + 2 * CORRIDOR
    rooms = max(5, round(total / _PITCH))
    across = max(2, round(0.4 * rooms))
    return Ring(rooms - across, across, total / rooms)


def build_floor(seed: int, ring: Ring) -> Building:
    """A ring corridor with a room behind every stretch of its outer wall.

    All rooms have the same finish, furniture and door; only what hangs on their walls differs.
    """
    places, yaws = _rooms_around(ring)
    count = len(places)
    size = torch.tensor((ring.pitch - 4 * WALL, _DEPTH, HEIGHT)).expand(count, 3)
    builder = Builder(count, torch.device("cpu"))
    alike = RandomStream(_seeds(seed, count), 13)
    door = torch.tensor((-0.6, 1.0, 2.1)).expand(count, 3)
    add_shell(builder, alike, size, door)
    add_wall_things(
        builder, RandomStream(_seeds(seed, count) + torch.arange(count), 14), size, 6, door
    )
    lamps = add_lamps(builder, alike, size, LAMPS)
    furnish(builder, alike, size, door)
    turn = yaw_rotation(yaws)
    rooms = builder.finish()
    group = (torch.arange(count) + 1)[:, None].expand_as(rooms.group).clone()
    group[_reaching(rooms, 2, high=0.0) | _reaching(rooms, 1, high=-0.5 * _DEPTH + 1e-3)] = 0
    rooms = replace(rooms, group=group).placed(turn, places)
    lamps = (turn[:, None] * lamps[:, :, None]).sum(-1) + places[:, None]
    shapes = together(flattened(rooms), _ring_corridor(seed, ring))
    light = _floor_light(RandomStream(_seeds(seed), 15), lamps)
    return Building(_world(shapes, light), *_bounds(places, turn, size, door))


def _reaching(shapes: Primitives, axis: int, high: float) -> Tensor:
    """(B, P): shapes that stay below `high` on an axis: floors, and walls towards the corridor."""
    return shapes.centre[..., axis] + shapes.half[..., axis] <= high + 1e-4


def _rooms_around(ring: Ring) -> tuple[Tensor, Tensor]:
    """(R, 3) middles and (R,) turns that put doors, on the side of -y, towards the corridor."""
    away = 0.5 * _DEPTH + 2 * WALL
    places, yaws = [], []
    for quarter in range(4):
        count, other = (ring.along, ring.across) if quarter % 2 == 0 else (ring.across, ring.along)
        x = (torch.arange(count) + 0.5 - 0.5 * count) * ring.pitch
        yaw = torch.full((count,), -0.5 * math.pi * quarter)
        local = stacked(x, 0.5 * other * ring.pitch + away, 0.0)
        places.append((yaw_rotation(yaw) * local[:, None]).sum(-1))
        yaws.append(yaw)
    return torch.cat(places), torch.cat(yaws)


def _bounds(places: Tensor, turn: Tensor, size: Tensor, door: Tensor) -> tuple[Tensor, Tensor]:
    """World boxes (R, 2, 3) of the rooms' insides and of their door openings."""
    half = 0.5 * size[:, :2] + 2 * WALL
    zero = torch.zeros_like(size[:, 2])
    front = -0.5 * size[:, 1]
    inside = (stacked(-half[:, 0], -half[:, 1], zero), stacked(half[:, 0], half[:, 1], size[:, 2]))
    edge = 0.5 * door[:, 1]
    opening = (
        stacked(door[:, 0] - edge, front - 2 * WALL, zero),
        stacked(door[:, 0] + edge, front, door[:, 2]),
    )

    def placed(corners: tuple[Tensor, Tensor]) -> Tensor:
        moved = [(turn * corner[:, None]).sum(-1) + places for corner in corners]
        return torch.stack((torch.minimum(*moved), torch.maximum(*moved)), 1)

    return placed(inside), placed(opening)


def _ring_corridor(seed: int, ring: Ring) -> Primitives:
    """Floor, ceiling, the block inside the ring, and what hangs and stands along it."""
    stream = RandomStream(_seeds(seed), 16)
    builder = Builder(1, stream.device)
    outer = torch.tensor([[(side + CORRIDOR) * 0.5 for side in ring.sides]])
    inner = outer - CORRIDOR
    x, y = outer[:, :1], outer[:, 1:]
    zero, top = torch.zeros_like(x), torch.full_like(x, HEIGHT)
    floor, roof = material(stream, "floor", 1), material(stream, "ceiling", 1)
    add_box_between(builder, stacked(-x, -y, zero - 0.1), stacked(x, y, zero), floor, casts=False)
    add_box_between(builder, stacked(-x, -y, top), stacked(x, y, top + 0.1), roof, casts=False)
    core = material(stream, ("wall",), 1)
    add_box_between(
        builder,
        stacked(-inner[:, :1], -inner[:, 1:], zero),
        stacked(inner[:, :1], inner[:, 1:], top),
        core,
        casts=False,
    )
    corners = torch.tensor([[(sx, sy, 0.0) for sx in (-1.0, 1.0) for sy in (-1.0, 1.0)]])
    posts = corners * torch.cat((outer, zero), 1)[:, None]
    pillar = material(stream, "wall", 1).expand(-1, 4, -1)
    add_box_between(
        builder, posts - 0.15, posts + torch.tensor((0.15, 0.15, HEIGHT)), pillar, casts=False
    )
    _add_along(builder, stream, inner[0], outer[0])
    return builder.finish()


def _add_along(builder: Builder, stream: RandomStream, inner: Tensor, outer: Tensor) -> None:
    """Prints and closed doors on the inner block, lamps over the middle line."""
    for axis in range(2):
        for sign in (-1.0, 1.0):
            length = 2.0 * inner[axis]
            count = max(2, int(length / 1.6))
            at = (torch.arange(count) + 0.5) / count * length - inner[axis]
            at = at[None] + stream.uniform(count, low=-0.3, high=0.3)
            is_door = stream.chance(0.2, count)
            half_w = torch.where(is_door, 0.45, stream.uniform(count, low=0.2, high=0.65))
            half_h = torch.where(is_door, 1.0, stream.uniform(count, low=0.2, high=0.6))
            z = torch.where(is_door, 1.0, stream.uniform(count, low=1.2, high=1.7))
            looks = torch.where(
                is_door[..., None],
                material(stream, "door", count),
                material(stream, ("print", "print", "print", "shelf", "any"), count),
            )
            face = torch.full_like(at, sign * float(inner[1 - axis]))
            thin = torch.full_like(at, 0.02)
            order = (at, face, z) if axis == 0 else (face, at, z)
            reach = (half_w, thin, half_h) if axis == 0 else (thin, half_w, half_h)
            builder.add(BOX, torch.stack(order, -1), torch.stack(reach, -1), looks)
            middle = face + sign * 0.5 * float(outer[axis] - inner[axis])
            lamp = (at, middle) if axis == 0 else (middle, at)
            builder.add(
                BOX,
                torch.stack((*lamp, torch.full_like(at, HEIGHT)), -1)[:, ::2],
                torch.tensor((0.15, 0.15, 0.02)).expand(1, len(at[0, ::2]), 3),
                material(stream, "lamp", 1).expand(-1, len(at[0, ::2]), -1),
                casts=False,
            )


def _floor_light(stream: RandomStream, rooms: Tensor) -> Light:
    """The corridor is lit evenly from far above, each room by its own (R, L, 3) lamps."""
    above = torch.tensor([[(60.0, 25.0, 90.0), (-45.0, 70.0, 80.0), (-30.0, -80.0, 60.0)]])
    light = indoor_light(stream, torch.cat((above, rooms))[None])
    falloff = light.falloff.clone()
    falloff[:, 0] = 1e5
    colour = light.colour.clone()
    colour[:, 0] = torch.tensor([[0.7], [0.5], [0.4]])
    return replace(light, falloff=falloff, colour=colour, above=light.above + 0.25)
