# SPDX-License-Identifier: Apache-2.0
"""A person who walks: seventeen textured parts on joints, driven by the way travelled."""

from __future__ import annotations

import numpy as np
import torch

from dens3r_ros.scenes.looks.materials import material
from dens3r_ros.scenes.moving.cast import MoverPart, SteadyLooks, at, pose, turned
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


LOOKS = ("fabric", "any", "fabric", "plain", "wood")
"""Materials of shirt, body, trousers, skin and hair."""
_SHIRT, _BODY, _TROUSERS, _SKIN, _HAIR = range(5)
_LIMBS = (
    (CYLINDER, (0.075, 0.075, 0.5 * _THIGH), _TROUSERS),
    (CYLINDER, (0.055, 0.055, 0.5 * _SHANK), _TROUSERS),
    (BOX, (0.13, 0.045, 0.035), _HAIR),
    (CYLINDER, (0.05, 0.05, 0.5 * _UPPER_ARM), _SHIRT),
    (CYLINDER, (0.04, 0.04, 0.5 * _FOREARM), _SKIN),
    (ELLIPSOID, (0.04, 0.03, 0.08), _SKIN),
)
PARTS = (
    (ELLIPSOID, (0.13, 0.18, 0.15), _TROUSERS),
    (CYLINDER, (0.12, 0.19, 0.25), _BODY),
    (ELLIPSOID, (0.11, 0.24, 0.12), _SHIRT),
    (ELLIPSOID, (0.10, 0.08, 0.13), _SKIN),
    (ELLIPSOID, (0.105, 0.085, 0.09), _HAIR),
    *_LIMBS,
    *_LIMBS,
)
"""Kind, reach in metres and look of each part of somebody who is TALL."""


class Walker(SteadyLooks):
    """One of `size` metres who follows a route."""

    def __init__(self, stream: RandomStream, route: Route, size: float = TALL) -> None:
        self.route = route
        self._scale = size / TALL
        self._phase = float(stream.uniform(1, high=6.28)[0, 0])
        self.parts = _parts(stream, self._scale)

    def poses(self, seconds: float) -> np.ndarray:
        """(17, 4, 4) float64 T_world_part."""
        placed = body(
            steps(self.route.travelled(seconds), self._scale) + self._phase,
            self.route.speed(seconds),
        )
        placed[:, :3, 3] *= self._scale
        return self.route.pose(seconds) @ placed


def steps(travelled: float | np.ndarray, scale: float | np.ndarray) -> float | np.ndarray:
    """Radians of the legs' swing after metres."""
    return 2.0 * np.pi * travelled / (_STRIDE * scale)


def body(phase: float | np.ndarray, speed: float | np.ndarray) -> np.ndarray:
    """(..., 17, 4, 4) T_body_part of somebody who is TALL, at a phase of the legs' swing (...) and
    a speed (...), metres a second: trunk, then each side's leg and arm."""
    swing = 0.48 * np.minimum(1.0, np.asarray(speed) / _BRISK)
    return np.stack(_body(np.asarray(phase), swing), -3)


def _parts(stream: RandomStream, scale: float) -> tuple[MoverPart, ...]:
    looks = torch.cat([material(stream, name, 1) for name in LOOKS], 1)[0]
    return tuple(
        MoverPart(kind, tuple(scale * value for value in half), looks[look])  # type: ignore[arg-type]
        for kind, half, look in PARTS
    )


def _body(phase: np.ndarray, swing: np.ndarray) -> list[np.ndarray]:
    legs = [_leg_angles(phase + shift, swing) for shift in (0.0, np.pi)]
    # The lower foot stands on the ground.
    reach = [_THIGH * np.cos(hip) + _SHANK * np.cos(hip - knee) + _FOOT for hip, knee in legs]
    hips = np.maximum(*reach)
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


def _leg_angles(phase: np.ndarray, swing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far the hip swings ahead and the knee bends, radians; it bends on the way forward."""
    return swing * np.sin(phase), 0.06 + 1.5 * swing * np.maximum(0.0, np.cos(phase)) ** 1.5


def _hanging(joint: np.ndarray, angle: np.ndarray, length: float) -> tuple[np.ndarray, np.ndarray]:
    """T of a limb that hangs from a joint and swings ahead by an angle, and where it ends."""
    R = turned("y", -angle)
    way = -R[..., :, 2] * length
    return pose(joint + 0.5 * way, R), joint + way


def _leg(height: np.ndarray, side: float, hip: np.ndarray, knee: np.ndarray) -> list[np.ndarray]:
    thigh, at_knee = _hanging(at(0.0, side, height), hip, _THIGH)
    shank, ankle = _hanging(at_knee, hip - knee, _SHANK)
    tilt = turned("y", -0.5 * (hip - knee))
    return [thigh, shank, pose(ankle + tilt @ (0.06, 0.0, -0.035), tilt)]


def _arm(
    height: np.ndarray, side: float, shoulder: np.ndarray, elbow: np.ndarray
) -> list[np.ndarray]:
    upper, at_elbow = _hanging(at(0.0, side, height), shoulder, _UPPER_ARM)
    lower, wrist = _hanging(at_elbow, shoulder + elbow, _FOREARM)
    hand, _ = _hanging(wrist, shoulder + elbow, 0.14)
    return [upper, lower, hand]
