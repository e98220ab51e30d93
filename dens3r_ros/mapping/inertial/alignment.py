# SPDX-License-Identifier: Apache-2.0
"""Gravity, biases and the length of the map's unit, from poses that the camera saw and the motion
that its inertial sensor felt between them.

Lengths are kept in the map's unit, in which all is linear: what the sensor felt is then multiplied
by `rho`, the map's units of a metre. What the camera saw errs in three ways, each with unknowns of
its own at every moment: freely from frame to frame, in the length of its unit from keyframe to
keyframe, and in where it goes on at a new keyframe. The force's bias wanders from moment to moment.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dens3r_ros.imu import ImuNoise
from dens3r_ros.mapping.inertial.equations import Equations, Guess, Passage, Solved
from dens3r_ros.mapping.inertial.preintegration import GRAVITY
from dens3r_ros.mapping.inertial.turns import chained

_ROUNDS = 4
_LEAST_SHARE = 1e-4
"""Of the way's extent, that the camera errs by at least."""
_MODEST = 1.5
"""By how much larger the deviations are than the equations say, which know nothing of errors that
keyframes share."""
_LEAST_TURN = 5e-4
"""Radians that it errs by at least."""


@dataclass(frozen=True, eq=False)
class InertialAlignment:
    """scale: metres of one unit of the map; sigma: standard deviation of its logarithm, larger
    where camera and sensor fit badly; up (3,) in the map, and its standard deviation in radians;
    turn_bias (3,) rad/s and force_bias (3,) m/s^2 at the last moment; noise: standard deviation of
    what the camera saw, in metres; misfit: mean square of what does not fit, 1 where all is as was
    expected; velocity (3,) m/s in the map's axes at the last moment."""

    scale: float
    sigma: float
    up: np.ndarray
    up_sigma: float
    turn_bias: np.ndarray
    force_bias: np.ndarray
    noise: float
    misfit: float
    velocity: np.ndarray


def align(
    passage: Passage, T_camera_imu: np.ndarray, noise: ImuNoise, bias_sigma: float
) -> InertialAlignment | None:
    """Fit a passage, with a force's bias of that standard deviation (m/s^2); None where nothing
    fits."""
    poses, motions = passage.poses, passage.motions
    chain = chained(poses[:, :3, :3] @ T_camera_imu[:3, :3], motions)
    seen = poses[:, :3, 3]
    arms = poses[:, :3, :3] @ T_camera_imu[:3, 3]
    felt = sum(chain.R[i] @ motion.velocity for i, motion in enumerate(motions))
    extent = float(np.sqrt(((seen - seen.mean(0)) ** 2).sum(1).mean())) + 1e-9
    seen = seen - seen.mean(0)
    noise_m = max(_jitter(seen), _LEAST_SHARE * extent)
    turn_noise = max(_jitter(chain.off), _LEAST_TURN)
    guess = Guess(1.0, -felt / np.linalg.norm(felt), noise_m, turn_noise, seen)
    equations = Equations(passage, chain, seen, arms, noise, bias_sigma)
    solved: Solved | None = None
    for _ in range(_ROUNDS):
        solved = equations.solve(guess)
        if solved is None or solved.rho <= 0:
            return None
        guess = Guess(
            solved.rho,
            solved.down / np.linalg.norm(solved.down),
            noise_m,
            turn_noise,
            solved.path,
        )
    assert solved is not None
    scale, worse = 1.0 / solved.rho, _MODEST * max(1.0, solved.misfit) ** 0.5
    return InertialAlignment(
        scale,
        float(np.sqrt(solved.covariance[0, 0])) * scale * worse,
        -guess.down,
        float(np.sqrt(solved.covariance[1:3, 1:3].trace())) * scale * worse / GRAVITY,
        chain.turn_bias + solved.turn_bias * scale,
        solved.force_bias * scale,
        noise_m * scale,
        solved.misfit,
        solved.velocity * scale,
    )


def _jitter(values: np.ndarray) -> float:
    """Standard deviation of what (N, 3) values err by freely, one by one."""
    bends = values[2:] - 2 * values[1:-1] + values[:-2]
    return float(np.median(np.abs(bends)) / 0.6745 / np.sqrt(6))
