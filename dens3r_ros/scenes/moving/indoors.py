# SPDX-License-Identifier: Apache-2.0
"""Who and what moves in the hall of `crowd` and in the two rooms of `door`."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch

from dens3r_ros.scenes.moving.cast import Actor, Movers
from dens3r_ros.scenes.moving.crowd import CrowdOptions, crowd
from dens3r_ros.scenes.moving.routes import Route
from dens3r_ros.scenes.moving.things import Cart, Door, Doorway, Lamp, Screen
from dens3r_ros.scenes.moving.walker import Walker
from dens3r_ros.scenes.random import RandomStream
from dens3r_ros.scenes.trajectory import RATE, Trajectory
from dens3r_ros.scenes.worlds.building import HALL

_HALL_BOUNDS = (0.5 * HALL[0] - 0.6, 0.5 * HALL[1] - 0.6)
_STREAM = 31


def streams(seed: int) -> Iterator[RandomStream]:
    """One stream of random numbers after another, each for one actor."""
    tag = _STREAM
    while True:
        yield RandomStream(torch.tensor([seed]), tag)
        tag += 1


def walkers(routes: list[Route], made: Iterator[RandomStream], seed: int) -> list[Actor]:
    """A person for every route, none as tall as another."""
    tall = np.random.RandomState(seed + 1).uniform(1.55, 1.95, len(routes))
    return [
        Walker(next(made), route, float(size)) for route, size in zip(routes, tall, strict=True)
    ]


def people_in_hall(seed: int, trajectory: Trajectory) -> Movers:
    """People who cover 15 to 40% of the view, one of them with a cart; a lamp that swings."""
    made = streams(seed)
    options = CrowdOptions(bounds=_HALL_BOUNDS)
    routes = crowd(trajectory.position, trajectory.yaw, RATE, seed, options)
    actors = walkers(routes, made, seed)
    actors.append(Cart(next(made), routes[-1], ahead=0.85))
    actors.append(Lamp(next(made), (0.0, 0.0, HALL[2]), 0.8, 0.5))
    return Movers(tuple(actors))


def screens_in_hall(seed: int) -> list[Actor]:
    """Two screens on the walls of the hall."""
    made = streams(seed + 7)
    x, y = 0.5 * HALL[0] - 0.05, 0.5 * HALL[1] - 0.05
    return [
        Screen(next(made), (x, 1.0, 1.7), math.pi, 1.6),
        Screen(next(made), (-2.0, y, 1.7), -0.5 * math.pi, 1.4),
    ]


def door_between_rooms(
    seed: int, doorway: Doorway, opened: tuple[float, ...], hook: tuple[float, float, float]
) -> Movers:
    """A door that opens and closes at times, and a lamp that swings."""
    made = streams(seed)
    return Movers((Door(next(made), doorway, opened), Lamp(next(made), hook, 0.6, 0.4)))
