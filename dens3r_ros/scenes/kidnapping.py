# SPDX-License-Identifier: Apache-2.0
"""A walk through two rooms with the lights out on the way from one to the other, and back."""

from __future__ import annotations

import math

import numpy as np
import torch

from dens3r_ros.scenes import trajectory as t
from dens3r_ros.scenes.random import RandomStream
from dens3r_ros.scenes.rays.primitives import Builder, flattened, yaw_rotation
from dens3r_ros.scenes.rays.world import LAMPS
from dens3r_ros.scenes.worlds.building import Building, building_of
from dens3r_ros.scenes.worlds.rooms import (
    WALL,
    add_lamps,
    add_shell,
    add_wall_things,
    furnish,
    indoor_light,
)

_ROOM = (7.0, 6.4, 2.7)
"""Width, depth and height of each room, metres."""
DOOR = (0.0, 1.5, 2.2)
"""Middle, width and height of the opening between them, metres."""
_REACH = (2.2, 4.6)
"""How far the path goes from the opening, to the sides and into the rooms, metres."""
_EYE = 1.5
_DARK_S, _DARK_M = 2.0, 5.0
"""How long it is dark, and how far the camera is carried meanwhile."""

_NOISE = 2.0
"""Of the sensor in the dark, grey levels."""


def build_two_rooms(seed: int) -> Building:
    """Two rooms of their own looks, one on either side of an opening in the wall."""
    stream = RandomStream(torch.tensor([2, 3]) + 1009 * seed, 19)
    size, door = (torch.tensor([values] * 2) for values in (_ROOM, DOOR))
    builder = Builder(2, stream.device)
    add_shell(builder, stream, size, door)
    add_wall_things(builder, stream, size, 24, door)
    lamps = add_lamps(builder, stream, size, LAMPS)
    for _ in range(2):
        furnish(builder, stream, size, door, middle=False)
    turn = yaw_rotation(torch.tensor([0.0, math.pi]))
    away = 0.5 * _ROOM[1] + 2 * WALL
    places = torch.tensor([(0.0, away, 0.0), (0.0, -away, 0.0)])
    lamps = (turn[:, None] * lamps[:, :, None]).sum(-1) + places[:, None]
    light = indoor_light(RandomStream(torch.tensor([seed]), 20), lamps.reshape(1, 1, -1, 3), 1.3)
    return building_of(flattened(builder.finish().placed(turn, places)), light)


def kidnapped(seed: int, frames: int) -> tuple[Building, t.Trajectory]:
    """Round in the first room, in the dark into the second, round there, and in the light into the
    first again, and on in circles."""
    path, dark = eight(), dark_frames()
    step = np.full(max(frames - 1, dark.stop), 1.0 / t.RATE)
    step[dark.start : dark.stop] = _DARK_M / len(dark)
    travelled = np.concatenate(([0.0], step.cumsum()))[:frames]
    points, yaw = t.along(path, travelled)
    yaw = t.smoothed(yaw, 0.3 * t.RATE)
    trajectory = t.carried(points, yaw, travelled, np.random.RandomState(seed))
    return build_two_rooms(seed), trajectory


def eight() -> np.ndarray:
    """(P, 3) points of an eight through the opening, which begins there."""
    phase = np.linspace(0.0, 2.0 * np.pi, 4000, endpoint=False)
    x, y = _REACH[0] * np.sin(2.0 * phase), _REACH[1] * np.sin(phase)
    return np.stack((x, y, np.full_like(x, _EYE)), -1)


def dark_frames() -> range:
    """The frames in which the camera is carried through the opening for the first time."""
    middle = 0.5 * t.path_length(eight())
    begin = round((middle - 0.5 * _DARK_M) * t.RATE)
    return range(begin, begin + round(_DARK_S * t.RATE))


def darkness(size: tuple[int, int], seed: int, index: int) -> np.ndarray:
    """(H, W, 3) uint8: what a sensor sees without light."""
    random = np.random.RandomState(seed * 1_000_003 + index)
    return np.abs(random.normal(0.0, _NOISE, (*size, 3))).astype(np.uint8)
