# SPDX-License-Identifier: Apache-2.0
"""What is aligned: where a camera saw itself from moment to moment, and what was felt between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dens3r_ros.mapping.inertial.preintegration import GRAVITY, FeltMotion
from dens3r_ros.mapping.inertial.turns import Chain

_STRIDE_S = 0.25
"""Seconds between the moments of a first guess."""
_FELT_S = 0.05
"""Seconds over which what was felt of a speed is worth as much as what was seen of a place."""


@dataclass(frozen=True, eq=False)
class Passage:
    """poses: T_map_camera (N, 4, 4) at N moments; the N - 1 motions between; which of these
    (N - 1,) end at another keyframe than they begin, were not seen by the camera, or lead into
    another length unit."""

    poses: np.ndarray
    motions: Sequence[FeltMotion]
    changes: np.ndarray
    unseen: np.ndarray
    rescaled: np.ndarray

    @property
    def seconds(self) -> np.ndarray:
        """(N - 1,) of every motion."""
        return np.array([motion.seconds for motion in self.motions])


@dataclass(frozen=True, eq=False)
class Gained:
    """What was felt from moment to moment, less gravity, in the map's axes and metres: position
    and velocity (N - 1, 3) gained, and seconds (N - 1,) between."""

    position: np.ndarray
    velocity: np.ndarray
    seconds: np.ndarray

    @staticmethod
    def along(passage: Passage, chain: Chain) -> Gained:
        """Of a passage whose sensor was turned so."""
        position, velocity = (
            np.einsum("nij,nj->ni", chain.R[:-1], np.array(felt))
            for felt in zip(*((m.position, m.velocity) for m in passage.motions), strict=True)
        )
        return Gained(position, velocity, passage.seconds)


def first_guess(
    seen: np.ndarray, arms: np.ndarray, gained: Gained
) -> tuple[float, np.ndarray] | None:
    """Metres of the map's unit and what is down (3,), as if nothing but places erred: `seen` (N, 3)
    of the camera in the map's unit, `arms` (N, 3) metres from there to the sensor. None where
    nothing fits."""
    times = np.concatenate(([0.0], gained.seconds.cumsum()))
    at = np.unique(np.searchsorted(times, np.arange(0, times[-1], _STRIDE_S)))
    at = at[at < len(times)]
    if len(at) < 6:
        return None
    speed = np.concatenate((np.zeros((1, 3)), gained.velocity.cumsum(0)))
    steps = gained.position + gained.seconds[:, None] * speed[:-1]
    way = np.concatenate((np.zeros((1, 3)), steps.cumsum(0)))
    T = np.diff(times[at])
    felt = np.diff(way[at], axis=0) - T[:, None] * speed[at[:-1]] - np.diff(arms[at], axis=0)
    faster = np.diff(speed[at], axis=0)
    rho, down = _fitted(np.diff(seen[at], axis=0), felt, faster, T)
    if rho <= 0:
        return None
    return 1.0 / rho, down / np.linalg.norm(down)


def _fitted(
    steps: np.ndarray, felt: np.ndarray, faster: np.ndarray, T: np.ndarray
) -> tuple[float, np.ndarray]:
    """The map's units of a metre, and gravity (3,) in them, with a velocity of its own at every
    moment: all linear, as steps alone err."""
    count = len(T)
    A, b = np.zeros((2 * count, 3, 4 + 3 * (count + 1))), np.zeros((2 * count, 3))
    one, weight = np.eye(3), 1.0 / _FELT_S
    for n in range(count):
        here, there = slice(4 + 3 * n, 7 + 3 * n), slice(7 + 3 * n, 10 + 3 * n)
        A[n, :, 0], A[n, :, 1:4], A[n, :, here] = felt[n], 0.5 * T[n] ** 2 * one, T[n] * one
        b[n] = steps[n]
        other = A[count + n]
        other[:, 0], other[:, 1:4] = faster[n] / weight, T[n] / weight * one
        other[:, here], other[:, there] = one / weight, -one / weight
    x = np.linalg.lstsq(A.reshape(-1, A.shape[2]), b.ravel(), rcond=None)[0]
    return float(x[0]), x[1:4] / max(abs(float(x[0])), 1e-12) / GRAVITY
