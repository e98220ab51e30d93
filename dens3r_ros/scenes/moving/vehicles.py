# SPDX-License-Identifier: Apache-2.0
"""Cars and buses: bodies, windows and wheels that roll."""

from __future__ import annotations

import numpy as np
import torch

from dens3r_ros.scenes.looks.materials import material
from dens3r_ros.scenes.moving.cast import MoverPart, SteadyLooks, pose, turned
from dens3r_ros.scenes.moving.routes import Route
from dens3r_ros.scenes.random import RandomStream
from dens3r_ros.scenes.rays.intersect import BOX, CYLINDER

CAR, BUS = (2.1, 0.87, 0.72), (5.2, 1.25, 1.45)
"""Half of length, width and height, metres."""


class Vehicle(SteadyLooks):
    """One that follows a route."""

    def __init__(
        self, stream: RandomStream, route: Route, half: tuple[float, float, float]
    ) -> None:
        self._route, self._half = route, half
        self._wheel = 0.31 if half == CAR else 0.48
        self.parts = _car(stream, half, self._wheel) if half == CAR else _bus(stream, self._wheel)

    def poses(self, seconds: float) -> np.ndarray:
        """(P, 4, 4) float64 T_world_part."""
        length, width, height = self._half
        radius = self._wheel
        roll = turned("x", 0.5 * np.pi) @ turned("z", -self._route.travelled(seconds) / radius)
        corners = [(x, y) for x in (-0.62, 0.62) for y in (-1.0, 1.0)]
        wheels = [pose((x * length, y * (width - 0.08), radius), roll) for x, y in corners]
        if self._half == CAR:
            middles = [(0, 0, 0.52), (-0.2, 0, 1.12), (-0.2, 0, 1.43), (length, 0, 0.55)]
        else:
            middles = [(0, 0, 0.3 + height), (0, 0, 2.05), (length, 0, 1.7), (0, 0, 0.75)]
        return self._route.pose(seconds) @ np.stack([*map(pose, middles), *wheels])


def _wheels(stream: RandomStream, radius: float) -> tuple[MoverPart, ...]:
    looks = material(stream, "print", 1)[0, 0]
    return (MoverPart(CYLINDER, (radius, radius, 0.1), looks),) * 4


def _car(
    stream: RandomStream, half: tuple[float, float, float], wheel: float
) -> tuple[MoverPart, ...]:
    names = ("any", "window", "plain", "metal")
    paint, window, roof, metal = torch.cat([material(stream, name, 1) for name in names], 1)[0]
    length, width, _ = half
    return (
        MoverPart(BOX, (length, width, 0.32), paint),
        MoverPart(BOX, (0.52 * length, 0.88 * width, 0.29), window),
        MoverPart(BOX, (0.5 * length, 0.86 * width, 0.03), roof),
        MoverPart(BOX, (0.04, 0.8 * width, 0.12), metal),
        *_wheels(stream, wheel),
    )


def _bus(stream: RandomStream, wheel: float) -> tuple[MoverPart, ...]:
    names = ("any", "window", "window", "print")
    paint, window, front, advert = torch.cat([material(stream, name, 1) for name in names], 1)[0]
    length, width, height = BUS
    return (
        MoverPart(BOX, (length, width, height), paint),
        MoverPart(BOX, (0.96 * length, width + 0.02, 0.45), window),
        MoverPart(BOX, (0.03, 0.9 * width, 0.9), front),
        MoverPart(BOX, (0.7 * length, width + 0.02, 0.3), advert),
        *_wheels(stream, wheel),
    )
