# SPDX-License-Identifier: Apache-2.0
"""How a sensor was turned at every moment: by its gyroscope, laid on what the camera saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from dens3r_ros.mapping.inertial.preintegration import FeltMotion

_ROUNDS = 2


@dataclass(frozen=True, eq=False)
class Chain:
    """R_map_imu (N, 3, 3) of all moments; by_bias (N, 3, 3): how they turn, in the map's axes, with
    the gyroscope's bias beside `turn_bias` (3,), whose covariance is (3, 3); off (N, 3): rotations,
    in the map's axes, from these to what was seen."""

    R: np.ndarray
    by_bias: np.ndarray
    turn_bias: np.ndarray
    covariance: np.ndarray
    off: np.ndarray


def chained(seen: np.ndarray, motions: Sequence[FeltMotion]) -> Chain:
    """Turned from moment to moment as the gyroscope felt, less the bias with which that agrees best
    with what the camera saw, R_map_imu (N, 3, 3), as a whole: over seconds it is far smoother."""
    bias, covariance = np.zeros(3), np.eye(3)
    R, A = _turned(motions, bias)
    R = _laid(seen, R)
    for _ in range(_ROUNDS):
        off = _apart(seen, R)
        J = np.concatenate((np.broadcast_to(np.eye(3), A.shape), R[0] @ A), 2).reshape(-1, 6)
        H = J.T @ J + 1e-9 * np.eye(6)
        bias = bias + np.linalg.solve(H, J.T @ off.ravel())[3:]
        covariance = np.linalg.inv(H)[3:, 3:] * (off**2).mean()
        R, A = _turned(motions, bias)
        R = _laid(seen, R)
    return Chain(R, R[0] @ A, bias, covariance, _apart(seen, R))


def _turned(motions: Sequence[FeltMotion], bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3, 3) turns from the first moment on with another bias, and how they turn with it."""
    seconds = np.array([motion.seconds for motion in motions])
    felt = Rotation.from_matrix(np.array([motion.R for motion in motions])).as_rotvec()
    steps = Rotation.from_rotvec(felt - bias * seconds[:, None]).as_matrix()
    halves = Rotation.from_rotvec(0.5 * (felt - bias * seconds[:, None])).as_matrix()
    R = [np.eye(3)]
    for step in steps:
        R.append(R[-1] @ step)
    turned = np.array(R)
    # Halfway through, as the bias acts all the time.
    by_bias = -(turned[:-1] @ halves * seconds[:, None, None]).cumsum(0)
    return turned, np.concatenate((np.zeros((1, 3, 3)), by_bias))


def _laid(seen: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """The turns begun where they agree best with what was seen."""
    U, _, Vt = np.linalg.svd((seen @ turns.transpose(0, 2, 1)).mean(0))
    return np.asarray(U @ np.diag([1.0, 1.0, np.linalg.det(U @ Vt)]) @ Vt @ turns)


def _apart(seen: np.ndarray, R: np.ndarray) -> np.ndarray:
    """(N, 3) rotations, in the map's axes, from R to what was seen."""
    return Rotation.from_matrix(seen @ R.transpose(0, 2, 1)).as_rotvec()
