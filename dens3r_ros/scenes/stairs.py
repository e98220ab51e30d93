# SPDX-License-Identifier: Apache-2.0
"""A flight of stairs between two floors, with a handrail."""

from __future__ import annotations

import torch

from dens3r_ros.scenes.furniture import add_clutter, add_standing
from dens3r_ros.scenes.intersect import BOX, CYLINDER
from dens3r_ros.scenes.materials import material
from dens3r_ros.scenes.primitives import Builder, tilt_rotation
from dens3r_ros.scenes.random import Stream
from dens3r_ros.scenes.rooms import add_box_between, add_wall_things, indoor_light, stacked
from dens3r_ros.scenes.terrain import flat_terrain
from dens3r_ros.scenes.world import Stage, Worlds

_STEPS, _POSTS = 14, 5


def build_stairs(stream: Stream) -> Worlds:
    """Stairs that climb along +y from a lower hall to a landing."""
    device = stream.device
    builder = Builder(len(stream), device)
    width, rise = stream.uniform(1, low=1.1, high=3.0), stream.uniform(1, low=0.14, high=0.19)
    run = stream.uniform(1, low=0.25, high=0.34)
    hall = stream.uniform(1, low=2.0, high=4.0)
    side = stream.uniform(1, low=0.0, high=2.5)
    number = torch.arange(_STEPS, device=device)
    y, top = number * run, (number + 1) * rise
    x = (0.5 * width).expand_as(y)
    looks = material(stream, ("wood", "plain", "floor"), 2)
    which = number % 2 * stream.chance(0.3, 1).long()
    steps = torch.gather(looks, 1, which[..., None].expand(-1, -1, looks.shape[-1]))
    open_risers = stream.chance(0.35, 1)
    bottom = torch.where(open_risers, top - 0.06, torch.zeros_like(top))
    low, high = stacked(-x, y, bottom), stacked(x, y + run + 0.02, top)
    add_box_between(builder, low, high, steps)
    end, height = _STEPS * run, _STEPS * rise
    left, right = -0.5 * width - side, 0.5 * width
    zero, roof = torch.zeros_like(width), height + stream.uniform(1, low=2.3, high=2.8)
    for name, low, high in (
        ("floor", stacked(left, -hall, zero - 0.1), stacked(right, end + 2.5, zero)),
        ("floor", stacked(left, end, height - 0.15), stacked(right, end + 2.5, height)),
        ("ceiling", stacked(left, -hall, roof), stacked(right, end + 2.5, roof + 0.1)),
        ("wall", stacked(left - 0.1, -hall, zero), stacked(left, end + 2.5, roof)),
        ("wall", stacked(right, -hall, zero), stacked(right + 0.1, end + 2.5, roof)),
        ("wall", stacked(left, -hall - 0.1, zero), stacked(right, -hall, roof)),
        ("wall", stacked(left, end + 2.5, zero), stacked(right, end + 2.6, roof)),
    ):
        add_box_between(builder, low, high, material(stream, name, 1), casts=False)
    _add_rail(builder, stream, width, rise, run)
    size = torch.cat((right - left, end + 2.5 + hall, roof), 1)
    shift = torch.cat((0.5 * (left + right), 0.5 * (end + 2.5 - hall), zero), 1)
    prints = Builder(len(stream), device)
    add_wall_things(prints, stream, size, 8, torch.zeros_like(size))
    things = prints.finish()
    builder.add(BOX, things.centre + shift[:, None], things.half, things.material)
    spots = stacked(
        left + (right - left) * stream.uniform(3, low=0.1, high=0.9),
        -hall * stream.uniform(3, low=0.2, high=0.9),
        0.0,
    )
    add_standing(builder, stream, spots[:, :1], stream.chance(0.6, 1))
    add_clutter(builder, stream, spots[:, 1:], stream.chance(0.6, 2))
    lamp = stacked(
        left + (right - left) * stream.uniform(3, low=0.2, high=0.8),
        -hall + (end + hall) * stream.uniform(3),
        0.0,
    )
    lamp = torch.cat((lamp[..., :2], (roof - 0.4).expand(-1, 3)[..., None]), -1)
    low = torch.cat((left + 0.35, -hall + 0.35, zero + 0.7), 1)
    high = torch.cat((right - 0.35, end + 2.0, roof - 0.4), 1)
    stage = Stage(
        camera_low=low,
        camera_high=high,
        target_low=torch.cat((left, zero, zero), 1),
        target_high=torch.cat((right, end, height + 0.5), 1),
        clearance=torch.full_like(width[:, 0], 0.3),
    )
    light = indoor_light(stream, lamp[:, None], 1.3)
    return Worlds(builder.finish(), flat_terrain(len(stream), device), light, stage)


def _add_rail(
    builder: Builder, stream: Stream, width: torch.Tensor, rise: torch.Tensor, run: torch.Tensor
) -> None:
    """A slanted handrail on posts along the open side."""
    active = stream.chance(0.8, 1)
    x = -0.5 * width + 0.05
    length = _STEPS * (rise * rise + run * run).sqrt()
    slope = torch.atan2(run, rise)
    looks = material(stream, ("metal", "wood", "plain"), 1)
    thick = stream.uniform(1, low=0.02, high=0.05)
    builder.add(
        CYLINDER,
        stacked(x, 0.5 * _STEPS * run, 0.5 * _STEPS * rise + 0.95),
        stacked(thick, thick, 0.5 * length),
        looks,
        rotation=tilt_rotation(-slope),
        active=active,
    )
    at = (torch.arange(_POSTS, device=x.device) + 0.5) * _STEPS / _POSTS
    builder.add(
        CYLINDER,
        stacked(x.expand(-1, _POSTS), at * run, at * rise + 0.45),
        stacked((0.7 * thick).expand(-1, _POSTS), (0.7 * thick).expand(-1, _POSTS), 0.5),
        looks.expand(-1, _POSTS, -1),
        active=active.expand(-1, _POSTS),
    )
