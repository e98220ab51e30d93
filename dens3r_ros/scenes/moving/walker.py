# SPDX-License-Identifier: Apache-2.0
"""A person who walks: seventeen textured parts on joints, driven by the way travelled."""

from __future__ import annotations

import numpy as np
import torch

from dens3r_ros.scenes.looks.materials import material
from dens3r_ros.scenes.moving.cast import MoverPart, SteadyLooks, pose, turned
from dens3r_ros.scenes.moving.routes import Route
from dens3r_ros.scenes.random import RandomStream
from dens3r_ros.scenes.rays.intersect import BOX, CYLINDER, ELLIPSOID

TALL = 1.75
"""Metres that the measures below are for."""
_THIGH, _SHANK, _FOOT = 0.44, 0.42, 0.07
_UPPER_ARM, _FOREARM = 0.30, 0.27
_HIP, _SHOULDER = 0.10, 0.21
"""Half of what is between the joints, to the sides."""
_STRIDE = 1.45
"""Metres of two steps."""
_BRISK = 1.1
"""Metres a second from which the legs swing fully."""


class Walker(SteadyLooks):
    """One of `size` metres who follows a route."""

    def __init__(self, stream: RandomStream, route: Route, size: float = TALL) -> None:
        self.route = route
        self._scale = size / TALL
        self._phase = float(stream.uniform(1, high=6.28)[0, 0])
        self.parts = _parts(stream, self._scale)

    def poses(self, seconds: float) -> np.ndarray:
        """(17, 4, 4) float64 T_world_part."""
        swing = 0.48 * min(1.0, self.route.speed(seconds) / _BRISK)
        step = self.route.travelled(seconds) / (_STRIDE * self._scale)
        phase = 2.0 * np.pi * step + self._phase
        body = self.route.pose(seconds)
        placed = np.stack(_body(phase, swing))
        placed[:, :3, 3] *= self._scale
        return body @ placed


def _parts(stream: RandomStream, scale: float) -> tuple[MoverPart, ...]:
    looks = torch.cat(
        [material(stream, name, 1) for name in ("fabric", "any", "fabric", "plain", "wood")], 1
    )[0]
    shirt, print_, trousers, skin, hair = looks
    limb = [
        (CYLINDER, (0.075, 0.075, 0.5 * _THIGH), trousers),
        (CYLINDER, (0.055, 0.055, 0.5 * _SHANK), trousers),
        (BOX, (0.13, 0.045, 0.035), hair),
        (CYLINDER, (0.05, 0.05, 0.5 * _UPPER_ARM), shirt),
        (CYLINDER, (0.04, 0.04, 0.5 * _FOREARM), skin),
        (ELLIPSOID, (0.04, 0.03, 0.08), skin),
    ]
    trunk = [
        (ELLIPSOID, (0.13, 0.18, 0.15), trousers),
        (CYLINDER, (0.12, 0.19, 0.25), print_),
        (ELLIPSOID, (0.11, 0.24, 0.12), shirt),
        (ELLIPSOID, (0.10, 0.08, 0.13), skin),
        (ELLIPSOID, (0.105, 0.085, 0.09), hair),
    ]
    made = trunk + limb + limb
    return tuple(
        MoverPart(kind, tuple(scale * value for value in half), looks)  # type: ignore[arg-type]
        for kind, half, looks in made
    )


def _body(phase: float, swing: float) -> list[np.ndarray]:
    """T_body_part of all parts: trunk, then each side's leg and arm."""
    legs = [_leg_angles(phase + shift, swing) for shift in (0.0, np.pi)]
    # The lower foot stands on the ground.
    hips = max(_THIGH * np.cos(hip) + _SHANK * np.cos(hip - knee) + _FOOT for hip, knee in legs)
    placed = [
        pose((0, 0, hips + 0.04)),
        pose((0.01, 0, hips + 0.27)),
        pose((0, 0, hips + 0.47)),
        pose((0.02, 0, hips + 0.70)),
        pose((-0.01, 0, hips + 0.76)),
    ]
    for side, (hip, knee) in zip((1.0, -1.0), legs, strict=True):
        placed += _leg(hips, side * _HIP, hip, knee)
        placed += _arm(hips + 0.50, side * _SHOULDER, -0.75 * hip, 0.25 + 0.4 * swing)
    return placed


def _leg_angles(phase: float, swing: float) -> tuple[float, float]:
    """How far the hip swings ahead and the knee bends, radians; it bends on the way forward."""
    return swing * np.sin(phase), 0.06 + 1.5 * swing * max(0.0, np.cos(phase)) ** 1.5


def _hanging(joint: np.ndarray, angle: float, length: float) -> tuple[np.ndarray, np.ndarray]:
    """T of a limb that hangs from a joint and swings ahead by an angle, and where it ends."""
    R = turned("y", -angle)
    way = -R[:, 2] * length
    return pose(joint + 0.5 * way, R), joint + way


def _leg(height: float, side: float, hip: float, knee: float) -> list[np.ndarray]:
    thigh, at_knee = _hanging(np.array((0.0, side, height)), hip, _THIGH)
    shank, ankle = _hanging(at_knee, hip - knee, _SHANK)
    tilt = turned("y", -0.5 * (hip - knee))
    return [thigh, shank, pose(ankle + tilt @ (0.06, 0.0, -0.035), tilt)]


def _arm(height: float, side: float, shoulder: float, elbow: float) -> list[np.ndarray]:
    upper, at_elbow = _hanging(np.array((0.0, side, height)), shoulder, _UPPER_ARM)
    lower, wrist = _hanging(at_elbow, shoulder + elbow, _FOREARM)
    hand, _ = _hanging(wrist, shoulder + elbow, 0.14)
    return [upper, lower, hand]
