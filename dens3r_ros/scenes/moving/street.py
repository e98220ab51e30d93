# SPDX-License-Identifier: Apache-2.0
"""A walk along a pavement while cars, a bus and people pass."""

from __future__ import annotations

import numpy as np

from dens3r_ros.scenes import trajectory as t
from dens3r_ros.scenes.moving.cast import Actor, Movers
from dens3r_ros.scenes.moving.indoors import streams, walkers
from dens3r_ros.scenes.moving.routes import Route
from dens3r_ros.scenes.moving.vehicles import BUS, CAR, Vehicle
from dens3r_ros.scenes.streets import BLOCK, build_streets
from dens3r_ros.scenes.worlds.building import Building

_EYE = 1.5
_PAVEMENT = 6.1
"""Metres from the middle of the street to the camera's way, outwards."""
_LANE = 1.9
_PACE = 1.2
_TOWARDS_ROAD = 0.42
"""How far the camera looks to the road's side, radians."""
_CARS = 16
"""In each direction round the block."""


def pavement_walk(seed: int, frames: int) -> tuple[Building, t.Trajectory]:
    """Along the outer pavement round the block, looking ahead and to the road."""
    path = _round_block(_PAVEMENT, 1.5)
    start = np.random.RandomState(seed).randint(len(path))
    travelled = t.steady(frames, _PACE * frames / t.RATE)
    points, yaw = t.along(np.roll(path, -start, axis=0), travelled)
    yaw = t.smoothed(yaw, 0.4 * t.RATE) + _TOWARDS_ROAD
    return build_streets(seed), t.carried(points, yaw, travelled, np.random.RandomState(seed))


def _round_block(outwards: float, radius: float, height: float = _EYE) -> np.ndarray:
    """(P, 3) points counter-clockwise round the block, metres outwards of the streets' middle."""
    x, y = (0.5 * side + outwards for side in BLOCK)
    return t.rounded(np.array(((-x, -y), (x, -y), (x, y), (-x, y))), radius, height)


def traffic(seed: int, trajectory: t.Trajectory) -> Movers:
    """Vehicles in both lanes, every sixth a bus, and some people on the pavement."""
    random, made = np.random.RandomState(seed + 3), streams(seed)
    seconds = np.arange(len(trajectory)) / t.RATE
    actors: list[Actor] = []
    for way in (1.0, -1.0):
        path = _round_block(way * _LANE, 7.0, 0.0)
        whole, speed = t.path_length(path), random.uniform(5.0, 8.0)
        for number in range(_CARS):
            begin = (number + random.uniform(0.0, 0.35)) / _CARS * whole
            travelled = np.mod(begin + way * speed * seconds, 10.0 * whole)
            route = _driven(path, travelled, way)
            actors.append(Vehicle(next(made), route, BUS if number % 6 == 2 else CAR))
    return Movers((*actors, *walkers(_passers(random, trajectory), made, seed)))


def _driven(path: np.ndarray, travelled: np.ndarray, way: float) -> Route:
    """Along a closed path, or against it; the heading is unwrapped."""
    points, heading = t.along(path, travelled)
    turn = 0.0 if way > 0 else np.pi
    return Route(points, np.unwrap(heading) + turn, t.RATE)


def _passers(random: np.random.RandomState, trajectory: t.Trajectory) -> list[Route]:
    """Some who come towards the camera and some who overtake it, nearer to the road or houses."""
    routes = []
    ahead = trajectory.position
    middle = np.concatenate((ahead[:, :2], np.zeros((len(ahead), 1))), 1)
    step = np.gradient(middle[:, :2], axis=0)
    step = np.stack([t.smoothed(step[:, i], 0.5 * t.RATE) for i in range(2)], -1)
    heading = np.unwrap(np.arctan2(step[:, 1], step[:, 0]))
    way = np.stack((np.cos(heading), np.sin(heading), np.zeros_like(heading)), -1)
    across = np.stack((-way[:, 1], way[:, 0], np.zeros_like(heading)), -1)
    seconds = np.arange(len(ahead)) / t.RATE
    for number in range(5):
        side = random.choice((-1.0, 1.0)) * random.uniform(0.9, 1.3)
        relative = -2.3 if number % 2 == 0 else 0.25
        start = random.uniform(5.0, 25.0) if relative < 0 else random.uniform(-8.0, 3.0)
        # Whoever has passed comes again from far ahead.
        gap = np.mod(start + relative * seconds + 12.0, 45.0) - 12.0
        place = middle + side * across + gap[:, None] * way
        facing = heading + (np.pi if relative < -_PACE else 0.0)
        routes.append(Route(place, facing, t.RATE))
    return routes
