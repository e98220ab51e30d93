# SPDX-License-Identifier: Apache-2.0
"""A flight of stairs between two floors, with a handrail."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dens3r_ros.scenes.looks.materials import material
from dens3r_ros.scenes.random import RandomStream
from dens3r_ros.scenes.rays.intersect import BOX, CYLINDER
from dens3r_ros.scenes.rays.primitives import Builder, tilt_rotation
from dens3r_ros.scenes.rays.terrain import flat_terrain
from dens3r_ros.scenes.rays.world import LAMPS, Stage, Worlds
from dens3r_ros.scenes.worlds.furniture import add_clutter, add_standing
from dens3r_ros.scenes.worlds.rooms import add_box_between, add_wall_things, indoor_light, stacked

STEPS, _POSTS, _LANDING = 14, 5, 2.5


@dataclass(frozen=True, eq=False)
class Flight:
    """Stairs that climb along +y from y = 0; all (B, 1), metres.

    `hall` is the depth of the floor before them, `side` the width of the open space beside.
    """

    width: Tensor
    rise: Tensor
    run: Tensor
    hall: Tensor
    side: Tensor


def sample_flight(stream: RandomStream) -> Flight:
    """A flight as steep and wide as they come."""
    return Flight(
        width=stream.uniform(1, low=1.1, high=3.0),
        rise=stream.uniform(1, low=0.14, high=0.19),
        run=stream.uniform(1, low=0.25, high=0.34),
        hall=stream.uniform(1, low=2.0, high=4.0),
        side=stream.uniform(1, low=0.0, high=2.5),
    )


def build_stairs(stream: RandomStream) -> Worlds:
    """One staircase per world, with things standing in the lower hall."""
    return build_flight(stream, sample_flight(stream), things=True)


def build_flight(stream: RandomStream, flight: Flight, things: bool) -> Worlds:
    """A lower hall, a flight and a landing."""
    builder = Builder(len(stream), stream.device)
    _add_steps(builder, stream, flight)
    box = _add_walls(builder, stream, flight)
    _add_rail(builder, stream, flight)
    if things:
        _add_things(builder, stream, flight, box[0])
    return _finished(builder, stream, flight, box)


def _add_steps(builder: Builder, stream: RandomStream, flight: Flight) -> None:
    number = torch.arange(STEPS, device=builder.device)
    y, top = number * flight.run, (number + 1) * flight.rise
    x = (0.5 * flight.width).expand_as(y)
    looks = material(stream, ("wood", "plain", "floor"), 2)
    which = number % 2 * stream.chance(0.3, 1).long()
    steps = torch.gather(looks, 1, which[..., None].expand(-1, -1, looks.shape[-1]))
    bottom = torch.where(stream.chance(0.35, 1), top - 0.06, torch.zeros_like(top))
    add_box_between(builder, stacked(-x, y, bottom), stacked(x, y + flight.run + 0.02, top), steps)


def _add_walls(builder: Builder, stream: RandomStream, flight: Flight) -> tuple[Tensor, Tensor]:
    """Floors, ceiling, walls with prints; returns the low and high corners (B, 3) inside."""
    left, right = -0.5 * flight.width - flight.side, 0.5 * flight.width
    start, landing = -flight.hall, STEPS * flight.run
    end, height = landing + _LANDING, STEPS * flight.rise
    zero = torch.zeros_like(left)
    roof = height + stream.uniform(1, low=2.3, high=2.8)
    for name, low, high in (
        ("floor", stacked(left, start, zero - 0.1), stacked(right, end, zero)),
        ("floor", stacked(left, landing, height - 0.15), stacked(right, end, height)),
        ("ceiling", stacked(left, start, roof), stacked(right, end, roof + 0.1)),
        ("wall", stacked(left - 0.1, start, zero), stacked(left, end, roof)),
        ("wall", stacked(right, start, zero), stacked(right + 0.1, end, roof)),
        ("wall", stacked(left, start - 0.1, zero), stacked(right, start, roof)),
        ("wall", stacked(left, end, zero), stacked(right, end + 0.1, roof)),
    ):
        add_box_between(builder, low, high, material(stream, name, 1), casts=False)
    low, high = torch.cat((left, start, zero), 1), torch.cat((right, end, roof), 1)
    prints = Builder(len(stream), builder.device)
    add_wall_things(prints, stream, high - low, 8, torch.zeros_like(low))
    things = prints.finish()
    shift = torch.cat((0.5 * (low + high)[:, :2], zero), 1)
    builder.add(BOX, things.centre + shift[:, None], things.half, things.material)
    return low, high


def _add_things(builder: Builder, stream: RandomStream, flight: Flight, low: Tensor) -> None:
    left, right = low[:, :1], 0.5 * flight.width
    spots = stacked(
        left + (right - left) * stream.uniform(3, low=0.1, high=0.9),
        -flight.hall * stream.uniform(3, low=0.2, high=0.9),
        0.0,
    )
    add_standing(builder, stream, spots[:, :1], stream.chance(0.6, 1))
    add_clutter(builder, stream, spots[:, 1:], stream.chance(0.6, 2))


def _finished(
    builder: Builder, stream: RandomStream, flight: Flight, box: tuple[Tensor, Tensor]
) -> Worlds:
    """With lamps under the ceiling, and cameras anywhere inside."""
    low, high = box
    share = stream.uniform(LAMPS, 3, low=0.2, high=0.8)
    lamps = low[:, None] + (high - low)[:, None] * share
    lamps = torch.cat((lamps[..., :2], (high[:, None, 2:] - 0.4).expand(-1, LAMPS, 1)), -1)
    margin = torch.tensor((0.35, 0.35, 0.7), device=builder.device)
    top = torch.cat((0.5 * flight.width, STEPS * flight.run, STEPS * flight.rise + 0.5), 1)
    stage = Stage(
        camera_low=low + margin,
        camera_high=high - margin.minimum(margin.new_tensor(0.4)),
        target_low=torch.cat((low[:, :1], torch.zeros_like(low[:, 1:])), 1),
        target_high=top,
        clearance=torch.full_like(low[:, 0], 0.3),
    )
    light = indoor_light(stream, lamps[:, None], 1.3)
    terrain = flat_terrain(len(stream), builder.device)
    return Worlds(builder.finish(), terrain, light, stage)


def _add_rail(builder: Builder, stream: RandomStream, flight: Flight) -> None:
    """A slanted handrail on posts along the open side."""
    rise, run = flight.rise, flight.run
    active = stream.chance(0.8, 1)
    x = -0.5 * flight.width + 0.05
    length = STEPS * (rise * rise + run * run).sqrt()
    slope = torch.atan2(run, rise)
    looks = material(stream, ("metal", "wood", "plain"), 1)
    thick = stream.uniform(1, low=0.02, high=0.05)
    builder.add(
        CYLINDER,
        stacked(x, 0.5 * STEPS * run, 0.5 * STEPS * rise + 0.95),
        stacked(thick, thick, 0.5 * length),
        looks,
        rotation=tilt_rotation(-slope),
        active=active,
    )
    at = (torch.arange(_POSTS, device=x.device) + 0.5) * STEPS / _POSTS
    builder.add(
        CYLINDER,
        stacked(x.expand(-1, _POSTS), at * run, at * rise + 0.45),
        stacked((0.7 * thick).expand(-1, _POSTS), (0.7 * thick).expand(-1, _POSTS), 0.5),
        looks.expand(-1, _POSTS, -1),
        active=active.expand(-1, _POSTS),
    )
