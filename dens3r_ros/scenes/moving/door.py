# SPDX-License-Identifier: Apache-2.0
"""A walk through two rooms whose door opens before the camera comes and closes behind it."""

from __future__ import annotations

import math

import numpy as np

from dens3r_ros.scenes import trajectory as t
from dens3r_ros.scenes.kidnapping import DOOR, build_two_rooms, eight
from dens3r_ros.scenes.moving.cast import Actor, Movers
from dens3r_ros.scenes.moving.indoors import door_between_rooms, streams
from dens3r_ros.scenes.moving.things import Doorway, Screen
from dens3r_ros.scenes.worlds.building import Building

_START = 0.06
"""Where on the way from the opening and back to it the walk begins, as a share of the eight."""
_HINGE = 0.12
"""Metres from the wall's middle to the hinge, which stands on the first room's side."""
_OPENS_S, _CLOSES_S = 3.2, 4.0
"""Seconds before the camera is in the opening, and after."""


def door_walk(seed: int, frames: int) -> tuple[Building, t.Trajectory]:
    """Round in the first room, through the door, round in the second, and back."""
    points, yaw, travelled = _way(frames)
    random = np.random.RandomState(seed)
    return build_two_rooms(seed), t.carried(points, yaw, travelled, random)


def _way(frames: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    path = eight()
    path = np.roll(path, -round(_START * len(path)), axis=0)
    travelled = t.steady(frames, frames / t.RATE)
    points, yaw = t.along(path, travelled)
    return points, t.smoothed(yaw, 0.3 * t.RATE), travelled


def door_movers(seed: int, trajectory: t.Trajectory) -> Movers:
    """The door, which opens each time that the camera comes, and a lamp."""
    y = trajectory.position[:, 1]
    passes = np.nonzero(np.sign(y[:-1]) * np.sign(y[1:]) < 0)[0] / t.RATE
    times = [at for seconds in passes for at in (seconds - _OPENS_S, seconds + _CLOSES_S)]
    doorway = Doorway((0.5 * DOOR[1], _HINGE, 0.0), math.pi, DOOR[1], DOOR[2])
    return door_between_rooms(seed, doorway, tuple(times), (0.5, 3.4, 2.7))


def door_screens(seed: int) -> list[Actor]:
    """A screen in each room."""
    made = streams(seed + 7)
    return [
        Screen(next(made), (3.4, 3.0, 1.5), math.pi, 1.2),
        Screen(next(made), (-3.4, -3.0, 1.5), 0.0, 1.2),
    ]
