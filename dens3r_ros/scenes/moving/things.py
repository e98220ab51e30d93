# SPDX-License-Identifier: Apache-2.0
"""Things that are moved: doors, carts and hanging lamps; and screens, which only change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dens3r_ros.scenes.looks.materials import EMISSION, material
from dens3r_ros.scenes.moving.cast import MoverPart, SteadyLooks, pose, turned
from dens3r_ros.scenes.moving.routes import Route
from dens3r_ros.scenes.random import RandomStream
from dens3r_ros.scenes.rays.intersect import BOX, CYLINDER, ELLIPSOID

_OPEN = 2.6
"""How far a door opens, radians."""
_SWING_S = 1.6
"""Seconds that a door takes to open."""
_WHEEL = 0.07
_GRAVITY = 9.81


def _looks(stream: RandomStream, *names: str) -> list[Tensor]:
    return [material(stream, name, 1)[0, 0] for name in names]


@dataclass(frozen=True)
class Doorway:
    """An upright opening: where its hinge stands, which way (radians) it reaches, and its size;
    its door turns clockwise, seen from above."""

    hinge: tuple[float, float, float]
    along: float
    width: float
    height: float


class Door(SteadyLooks):
    """A leaf with a handle that opens and closes at times; it begins closed."""

    def __init__(self, stream: RandomStream, doorway: Doorway, turns_at: Sequence[float]) -> None:
        """`turns_at`: seconds at which it begins to open, to close, to open ..."""
        leaf, handle = _looks(stream, "door", "metal")
        w, h = 0.5 * doorway.width, 0.5 * doorway.height
        self.parts = (
            MoverPart(BOX, (w, 0.025, h), leaf),
            MoverPart(BOX, (0.07, 0.08, 0.015), handle),
        )
        self._doorway, self._turns_at = doorway, tuple(turns_at)

    def angle(self, seconds: float) -> float:
        """How far it is open, radians."""
        open_ = 0.0
        for number, begin in enumerate(self._turns_at):
            x = float(np.clip((seconds - begin) / _SWING_S, 0.0, 1.0))
            open_ += (1.0 if number % 2 == 0 else -1.0) * x * x * (3.0 - 2.0 * x)
        return _OPEN * open_

    def poses(self, seconds: float) -> np.ndarray:
        """(2, 4, 4) float64 T_world_part."""
        way = self._doorway
        hung = pose(way.hinge, turned("z", way.along - self.angle(seconds)))
        leaf = hung @ pose((0.5 * way.width, 0.0, 0.5 * way.height))
        return np.stack((leaf, hung @ pose((way.width - 0.1, 0.0, 1.0))))


class Cart(SteadyLooks):
    """A trolley with two boards, goods on it and four wheels, `ahead` metres before its route."""

    def __init__(self, stream: RandomStream, route: Route, ahead: float = 0.0) -> None:
        board, goods, metal, parcel = _looks(stream, "wood", "any", "metal", "print")
        self._route, self._ahead = route, ahead
        wheel = MoverPart(CYLINDER, (_WHEEL, _WHEEL, 0.02), metal)
        post = MoverPart(CYLINDER, (0.015, 0.015, 0.42), metal)
        self.parts = (
            MoverPart(BOX, (0.38, 0.26, 0.02), board),
            MoverPart(BOX, (0.38, 0.26, 0.02), board),
            MoverPart(BOX, (0.25, 0.20, 0.17), goods),
            MoverPart(BOX, (0.16, 0.18, 0.12), parcel),
            *(post,) * 4,
            *(wheel,) * 4,
        )

    def poses(self, seconds: float) -> np.ndarray:
        """(12, 4, 4) float64 T_world_part."""
        roll = turned("x", 0.5 * np.pi) @ turned("z", -self._route.travelled(seconds) / _WHEEL)
        corners = [(x, y) for x in (-0.34, 0.34) for y in (-0.22, 0.22)]
        placed = [pose((0, 0, z)) for z in (0.2, 0.85, 0.39, 0.99)]
        placed += [pose((x, y, 0.55)) for x, y in corners]
        placed += [pose((x, y, _WHEEL), roll) for x, y in corners]
        return self._route.pose(seconds) @ pose((self._ahead, 0, 0)) @ np.stack(placed)


class Lamp(SteadyLooks):
    """A shade on a wire that swings in one plane below `hook` (3,)."""

    def __init__(
        self, stream: RandomStream, hook: Sequence[float], length: float, swing: float
    ) -> None:
        metal, shade = _looks(stream, "metal", "print")
        self._hook, self._length, self._swing = np.array(hook, float), length, swing
        self._plane, self._phase = stream.uniform(2, high=6.28)[0].tolist()
        self.parts = (
            MoverPart(CYLINDER, (0.012, 0.012, 0.5 * length), metal),
            MoverPart(CYLINDER, (0.22, 0.22, 0.12), shade),
            MoverPart(ELLIPSOID, (0.09, 0.09, 0.09), metal),
        )

    def poses(self, seconds: float) -> np.ndarray:
        """(3, 4, 4) float64 T_world_part."""
        phase = np.sqrt(_GRAVITY / self._length) * seconds + self._phase
        turn = turned("z", self._plane) @ turned("y", self._swing * np.sin(phase))
        down = [pose((0, 0, -z)) for z in (0.5 * self._length, self._length, self._length + 0.12)]
        return pose(self._hook, turn) @ np.stack(down)


class Screen:
    """A picture on a wall that changes every second or so and flickers between: nothing moves."""

    _SHOWN = 6

    def __init__(
        self, stream: RandomStream, centre: Sequence[float], facing: float, width: float = 1.2
    ) -> None:
        """`facing`: which way it shows, radians."""
        looks = material(stream, ("print", "print", "any"), self._SHOWN)[0]
        looks[:, EMISSION] = 0.8
        self._looks, self._every = looks, float(stream.uniform(1, low=0.4, high=1.6)[0, 0])
        self.parts: Sequence[MoverPart] = (
            MoverPart(BOX, (0.03, 0.5 * width, 0.28 * width), looks[0]),
        )
        self._pose = pose(centre, turned("z", facing))[None]
        # Prints of other shapes are spread over the screen's own face.
        self._spread = torch.tensor((1.0, 1.0 / width, 0.5 / (0.28 * width)))

    def poses(self, seconds: float) -> np.ndarray:
        """(1, 4, 4) float64 T_world_part, always the same."""
        return self._pose

    def materials(self, seconds: float) -> Tensor:
        """(1, M): what it shows now."""
        number = int(np.floor(seconds / self._every))
        now = self._looks[(7 * number + number // 3) % self._SHOWN].clone()
        now[10:13] = self._spread
        now[EMISSION] = 0.55 + 0.35 * np.sin(2.0 * np.pi * 3.1 * seconds)
        return now[None]
