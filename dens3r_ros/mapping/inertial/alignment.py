# SPDX-License-Identifier: Apache-2.0
"""Gravity, biases and the length of the map's unit, from poses that the camera saw and the motion
that its inertial sensor felt between them.

What the camera saw errs in several ways, each with unknowns of its own at every moment: freely
from frame to frame, wrong turns and wrong steps going together; in where it goes on from moment to
moment and from keyframe to keyframe; and in the length of its unit. The force's bias wanders.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from dens3r_ros.imu import ImuNoise
from dens3r_ros.mapping.inertial.banded import SCALE, Solved
from dens3r_ros.mapping.inertial.equations import FORCE_BIAS, PLACE, SPEED, Equations, State
from dens3r_ros.mapping.inertial.passage import Gained, Passage, first_guess
from dens3r_ros.mapping.inertial.turns import Chain, chained

_ROUNDS = 8
_STILL = 0.01
"""Change of any logarithm of scale by a round from which on another one is not worth while."""
_LONGEST = 0.5
"""The same that one round may make."""
_MODEST = 1.25
"""By how much larger the deviations are than the equations say, which know nothing of errors that
last for long."""
_LEAST_SIGMA = 0.01
"""Of the logarithm of the scale: what lenses and clocks err by is not in the equations."""


@dataclass(frozen=True, eq=False)
class InertialAlignment:
    """scale: metres of one unit of the map, a mean over all moments since that was last another,
    and sigma, standard deviation of its logarithm; last_sigma: the same at the last moment; up
    (3,) in the map, and its standard deviation in radians; turn_bias (3,) rad/s, force_bias (3,)
    m/s^2 and velocity (3,) m/s in the map's axes at the last moment; misfit: mean square of what
    does not fit, 1 where all is as was expected.

    scales (N,) metres of a unit, and T_level_camera (N, 4, 4) in metres, at all moments: where the
    camera was by both senses, in a frame with the map's axes."""

    scale: float
    sigma: float
    last_sigma: float
    up: np.ndarray
    up_sigma: float
    turn_bias: np.ndarray
    force_bias: np.ndarray
    misfit: float
    velocity: np.ndarray
    scales: np.ndarray
    T_level_camera: np.ndarray


def align(passage: Passage, T_camera_imu: np.ndarray, noise: ImuNoise) -> InertialAlignment | None:
    """Fit a passage; None where nothing fits."""
    R = passage.poses[:, :3, :3]
    chain = chained(R @ T_camera_imu[:3, :3], passage.motions)
    arms = R @ T_camera_imu[:3, 3]
    equations = Equations(passage, chain, arms, noise)
    guess = first_guess(equations.seen, arms, Gained.along(passage, chain))
    if guess is None:
        return None
    state, solved = equations.begin(*guess), None
    for _ in range(_ROUNDS):
        try:
            solved = equations.solve(state)
        except np.linalg.LinAlgError:
            return None
        largest = float(np.abs(solved.own[:, SCALE]).max())
        share = min(1.0, _LONGEST / max(largest, 1e-12))
        state = state.moved(share * solved.own, share * solved.shared)
        if largest < _STILL:
            break
    assert solved is not None
    return _told(equations, chain, state, solved, T_camera_imu)


def _told(
    equations: Equations, chain: Chain, state: State, solved: Solved, T_camera_imu: np.ndarray
) -> InertialAlignment:
    """What a state says of the camera."""
    own, count = state.own, len(state.own)
    misfit = solved.cost / (6 * count)
    worse = _MODEST * max(1.0, misfit) ** 0.5
    scales = np.exp(-own[:, SCALE])
    T = np.tile(np.eye(4), (count, 1, 1))
    turned = Rotation.from_rotvec(chain.by_bias @ state.turn_bias).as_matrix() @ chain.R
    T[:, :3, :3] = turned @ T_camera_imu[:3, :3].T
    T[:, :3, 3] = own[:, PLACE] - T[:, :3, :3] @ T_camera_imu[:3, 3]
    return InertialAlignment(
        scale=float(np.exp(np.log(scales[equations.of_last_unit]).mean())),
        sigma=float(np.hypot(worse * solved.sigma, _LEAST_SIGMA)),
        last_sigma=float(np.hypot(worse * solved.last_sigma, _LEAST_SIGMA)),
        up=-state.down,
        up_sigma=worse * solved.down_sigma,
        turn_bias=chain.turn_bias + state.turn_bias,
        force_bias=own[-1, FORCE_BIAS],
        misfit=misfit,
        velocity=own[-1, SPEED],
        scales=scales,
        T_level_camera=T,
    )
