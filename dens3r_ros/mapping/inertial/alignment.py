# SPDX-License-Identifier: Apache-2.0
"""Gravity, biases and the length of the map's unit, from poses that the camera saw and the motion
that its inertial sensor felt between them.

Everything is linear in one unknown vector when lengths are kept in the map's unit: positions and
velocities of all moments, gravity, the bias, and `rho`, the map's units of a metre. What the
camera saw counts as the noisy side, since the sensor is the better one over seconds; with the sides
swapped, noise of the camera would shrink the scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solveh_banded
from scipy.spatial.transform import Rotation

from dens3r_ros.mapping.inertial.preintegration import GRAVITY, FeltMotion

_ROUNDS = 4
_TURN_ROUNDS = 2
_SHARED = 9
"""Unknowns that all moments share: rho, gravity's tilt (2), and both sensors' biases (3 + 3)."""
_LEAST_BIAS = 1e-4
"""rad/s: standard deviation of the gyroscope's bias within the time looked at."""
_DRIFT = 0.3
"""Error of what the camera saw that grows from one moment to the next, as a share of its noise."""


@dataclass(frozen=True, eq=False)
class InertialAlignment:
    """scale: metres of one unit of the map; sigma: standard deviation of its logarithm; up (3,) in
    the map, and its standard deviation in radians; turn_bias (3,) rad/s and force_bias (3,) m/s^2,
    the former beside the one that the motions were integrated with; noise: standard deviation
    of what the camera saw, in metres; velocity (3,) m/s in the map's axes at the last moment."""

    scale: float
    sigma: float
    up: np.ndarray
    up_sigma: float
    turn_bias: np.ndarray
    force_bias: np.ndarray
    noise: float
    velocity: np.ndarray


def align(
    poses: np.ndarray, motions: Sequence[FeltMotion], T_camera_imu: np.ndarray, bias_sigma: float
) -> InertialAlignment | None:
    """From T_map_camera (N, 4, 4) at N moments and the N - 1 motions between; None where nothing
    fits."""
    chain = chained(poses[:, :3, :3] @ T_camera_imu[:3, :3], motions)
    seen = poses[:, :3, 3]
    arms = poses[:, :3, :3] @ T_camera_imu[:3, 3]
    down = -_felt_up(chain.R, motions)
    rho, noise = 1.0, 0.02 * float(np.sqrt(((seen - seen.mean(0)) ** 2).sum(1).mean()) + 1e-9)
    solved = None
    for _ in range(_ROUNDS):
        problem = _Problem(chain, seen, arms, motions, down, rho, noise, bias_sigma)
        solved = problem.solve()
        if solved is None or solved.x[0] <= 0:
            return None
        rho = float(solved.x[0])
        down = solved.down / np.linalg.norm(solved.down)
        noise = max(solved.noise, 1e-6)
    assert solved is not None
    scale = 1.0 / rho
    return InertialAlignment(
        scale,
        float(np.sqrt(solved.covariance[0, 0])) * scale,
        -down,
        float(np.sqrt(solved.covariance[1:3, 1:3].trace())) * scale / GRAVITY,
        chain.turn_bias + solved.x[6:9] * scale,
        solved.x[3:6] * scale,
        noise * scale,
        solved.velocity * scale,
    )


@dataclass(frozen=True, eq=False)
class Chain:
    """R_map_imu (N, 3, 3) of all moments; by_bias (N, 3, 3): how they turn, in the map's axes, with
    the gyroscope's bias beside `turn_bias` (3,), whose covariance is (3, 3)."""

    R: np.ndarray
    by_bias: np.ndarray
    turn_bias: np.ndarray
    covariance: np.ndarray


def chained(seen: np.ndarray, motions: Sequence[FeltMotion]) -> Chain:
    """Turned from moment to moment as the gyroscope felt, less the bias with which that agrees best
    with what the camera saw, R_map_imu (N, 3, 3), as a whole: over seconds it is far smoother."""
    bias, covariance = np.zeros(3), np.eye(3)
    R, A = _turned(motions, bias)
    R = _laid(seen, R)
    for _ in range(_TURN_ROUNDS):
        A = np.concatenate([np.zeros((1, 3, 3)), A[1:]])
        off = _apart(seen, R)
        J = np.concatenate([np.concatenate((np.eye(3), a), 1) for a in R[0] @ A])
        H = J.T @ J + 1e-9 * np.eye(6)
        bias = bias + np.linalg.solve(H, J.T @ off.ravel())[3:]
        noise = np.sqrt((off**2).mean())
        covariance = np.linalg.inv(H)[3:, 3:] * noise**2
        R, A = _turned(motions, bias)
        R = _laid(seen, R)
    return Chain(R, R[0] @ A, bias, covariance)


def _turned(motions: Sequence[FeltMotion], bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3, 3) turns from the first moment on with another bias, and how they turn with it."""
    R, A = [np.eye(3)], [np.zeros((3, 3))]
    for motion in motions:
        # Halfway through, as the bias acts all the time.
        turn = Rotation.from_matrix(motion.R).as_rotvec()
        half = R[-1] @ Rotation.from_rotvec(turn / 2).as_matrix()
        A.append(A[-1] - half * motion.seconds)
        less = Rotation.from_rotvec(-half.T @ R[-1] @ bias * motion.seconds).as_matrix()
        R.append(R[-1] @ motion.R @ less)
    return np.array(R), np.array(A)


def _laid(seen: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """The turns begun where they agree best with what was seen."""
    U, _, Vt = np.linalg.svd((seen @ turns.transpose(0, 2, 1)).mean(0))
    return np.asarray(U @ np.diag([1.0, 1.0, np.linalg.det(U @ Vt)]) @ Vt @ turns)


def _apart(seen: np.ndarray, R: np.ndarray) -> np.ndarray:
    """(N, 3) rotations, in the map's axes, from R to what was seen."""
    return Rotation.from_matrix(seen @ R.transpose(0, 2, 1)).as_rotvec()


def _felt_up(R: np.ndarray, motions: Sequence[FeltMotion]) -> np.ndarray:
    """(3,) the direction of the mean force in the map."""
    total = sum(R[i] @ motion.velocity for i, motion in enumerate(motions))
    return np.asarray(total / np.linalg.norm(total))


@dataclass(frozen=True, eq=False)
class _Solved:
    x: np.ndarray
    covariance: np.ndarray
    down: np.ndarray
    noise: float
    velocity: np.ndarray


class _Problem:
    """The normal equations of one round: what all moments share, a band for what each has of its
    own, and what ties both."""

    def __init__(
        self,
        chain: Chain,
        seen: np.ndarray,
        arms: np.ndarray,
        motions: Sequence[FeltMotion],
        down: np.ndarray,
        rho: float,
        noise: float,
        bias_sigma: float,
    ) -> None:
        self._seen, self._arms, self._down, self._noise = seen, arms, down, noise
        self._tilt = _tangents(down)
        count = len(seen)
        self._own = np.zeros((count, 6, 6))
        self._next = np.zeros((count - 1, 6, 6))
        self._tied = np.zeros((count, 6, _SHARED))
        self._shared = _prior(chain, rho, bias_sigma)
        self._add_sights()
        self._add_motions(chain, motions, rho)

    def _add_sights(self) -> None:
        """The sensor is where the camera is, but for its arm."""
        weight = 1 / self._noise**2
        self._own[:, [0, 1, 2], [0, 1, 2]] += weight
        self._tied[:, :3, 0] -= weight * self._arms
        self._shared[0, 0] += weight * (self._arms**2).sum()

    def _add_motions(self, chain: Chain, motions: Sequence[FeltMotion], rho: float) -> None:
        """Position and velocity go on as was felt."""
        J = self._derivatives(chain, motions)
        turn = np.zeros((len(motions), 6, 6))
        turn[:, :3, :3] = turn[:, 3:, 3:] = chain.R[:-1]
        covariance = np.array([motion.covariance for motion in motions]) * rho**2
        covariance = turn @ covariance @ turn.transpose(0, 2, 1) + 1e-16 * np.eye(6)
        covariance[:, :3, :3] += (_DRIFT * self._noise) ** 2 * np.eye(3)
        H = J.transpose(0, 2, 1) @ np.linalg.solve(covariance, J)
        here, there = slice(_SHARED, _SHARED + 6), slice(_SHARED + 6, None)
        self._shared += H[:, :_SHARED, :_SHARED].sum(0)
        self._own[:-1] += H[:, here, here]
        self._own[1:] += H[:, there, there]
        self._next += H[:, here, there]
        self._tied[:-1] += H[:, here, :_SHARED]
        self._tied[1:] += H[:, there, :_SHARED]

    def _derivatives(self, chain: Chain, motions: Sequence[FeltMotion]) -> np.ndarray:
        """(N - 1, 6, 21): of what does not fit, by what is shared and by both ends' states."""
        R = chain.R[:-1]
        dt = np.array([motion.seconds for motion in motions])
        by_bias = np.array([motion.by_bias for motion in motions])
        J = np.zeros((len(motions), 6, _SHARED + 12))
        for rows, share, felt in (
            (slice(0, 3), 0.5 * dt**2, [motion.position for motion in motions]),
            (slice(3, 6), dt, [motion.velocity for motion in motions]),
        ):
            turned = np.einsum("nij,nj->ni", R, np.array(felt))
            J[:, rows, 0] = -share[:, None] * GRAVITY * self._down - turned
            J[:, rows, 1:3] = -share[:, None, None] * self._tilt
            J[:, rows, 3:6] = -R @ by_bias[:, rows]
            J[:, rows, 6:9] = _cross(turned) @ chain.by_bias[:-1]
        here, there, one = _SHARED, _SHARED + 6, np.eye(3)
        J[:, :3, here : here + 3], J[:, :3, there : there + 3] = -one, one
        J[:, :3, here + 3 : here + 6] = -dt[:, None, None] * one
        J[:, 3:, here + 3 : here + 6], J[:, 3:, there + 3 :] = -one, one
        return J

    def solve(self) -> _Solved | None:
        """The best unknowns."""
        count = len(self._seen)
        wanted = np.zeros((count, 6))
        wanted[:, :3] = self._seen / self._noise**2
        shared = np.zeros(_SHARED)
        shared[0] = -(self._arms * self._seen).sum() / self._noise**2
        tied = self._tied.reshape(-1, _SHARED)
        right = np.concatenate((tied, wanted.reshape(-1, 1)), 1)
        try:
            solved = solveh_banded(_band(self._own, self._next), right)
            left = self._shared - tied.T @ solved[:, :-1]
            covariance = np.linalg.inv(left)
        except np.linalg.LinAlgError:
            return None
        x = covariance @ (shared - tied.T @ solved[:, -1])
        states = (solved[:, -1] - solved[:, :-1] @ x).reshape(-1, 6)
        off = states[:, :3] - x[0] * self._arms - self._seen
        noise = float(np.sqrt((off**2).mean()))
        down = GRAVITY * x[0] * self._down + self._tilt @ x[1:3]
        return _Solved(x, covariance, down, noise, states[-1, 3:])


def _prior(chain: Chain, rho: float, bias_sigma: float) -> np.ndarray:
    """What is known of the shared unknowns beforehand."""
    H = np.zeros((_SHARED, _SHARED))
    H[[1, 2], [1, 2]] = 1 / (rho * GRAVITY) ** 2
    H[[3, 4, 5], [3, 4, 5]] = 1 / (rho * bias_sigma) ** 2
    H[6:, 6:] = np.linalg.inv(chain.covariance + _LEAST_BIAS**2 * np.eye(3)) / rho**2
    return H


def _band(own: np.ndarray, following: np.ndarray) -> np.ndarray:
    """(12, 6 N): the upper band of a matrix with blocks on its diagonal and beside it."""
    count = len(own)
    band = np.zeros((12, count, 6))
    for i in range(6):
        for j in range(i, 6):
            band[11 + i - j, :, j] = own[:, i, j]
        for j in range(6):
            band[5 + i - j, 1:, j] = following[:, i, j]
    return band.reshape(12, -1)


def _cross(v: np.ndarray) -> np.ndarray:
    """(N, 3, 3) matrices that multiply as (N, 3) vectors cross."""
    result = np.zeros((len(v), 3, 3))
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        result[:, j, k], result[:, k, j] = -v[:, i], v[:, i]
    return result


def _tangents(direction: np.ndarray) -> np.ndarray:
    """(3, 2) unit vectors across a direction."""
    _, _, axes = np.linalg.svd(direction[None])
    return axes[1:].T
