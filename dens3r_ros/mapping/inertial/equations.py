# SPDX-License-Identifier: Apache-2.0
"""The linear equations of a visual-inertial alignment: a band for what each moment has of its own,
and what all moments share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solveh_banded

from dens3r_ros.imu import ImuNoise
from dens3r_ros.mapping.inertial.preintegration import GRAVITY, FeltMotion
from dens3r_ros.mapping.inertial.turns import Chain

_SHARED = 6
"""rho, gravity's tilt (2), and the gyroscope's bias (3)."""
_OWN = 16
_P, _V, _B, _Q, _F, _L = (
    slice(0, 3),
    slice(3, 6),
    slice(6, 9),
    slice(9, 12),
    slice(12, 15),
    slice(15, 16),
)
"""Of every moment: where the sensor is, how fast it moves, its force's bias, where the camera
believes to be but for what it errs by freely, how its axes are turned, and how much longer its
unit is, as a logarithm."""
_LEAST_BIAS = 1e-4
"""rad/s: standard deviation of the gyroscope's bias within the time looked at."""
_UNIT_SIGMA = 0.03
"""Standard deviation of the logarithm of a keyframe's unit."""
_UNIT_SECONDS = 1.0
"""Over which it changes anyway."""
_GROWTH = 1.0
"""What the camera's error grows by within a second at one keyframe, in its free errors."""
_HAND_OVER = 1.0
"""The same at a change of the keyframe."""
_TURN_GROWTH = 5e-3
"""Radians by which its axes turn wrongly within a second."""
_TURN_OVER = 3e-3
"""The same at a change of the keyframe."""
_AXES_SIGMA = 0.03
"""Radians by which the camera's axes may be off at first."""
_UNSEEN = 1e3
"""What nobody saw of a motion may have been so many times what the camera errs by."""
_UNSEEN_TURN = 0.1
"""Radians, for the axes."""
_OUTLIER = 3.0
"""Standard deviations from which on a frame counts less."""


@dataclass(frozen=True, eq=False)
class Passage:
    """What is aligned: T_map_camera (N, 4, 4) at N moments, the N - 1 motions between, and which of
    these (N - 1,) end at another keyframe than they begin, or were not seen by the camera."""

    poses: np.ndarray
    motions: Sequence[FeltMotion]
    changes: np.ndarray
    unseen: np.ndarray


@dataclass(frozen=True, eq=False)
class Guess:
    """What is believed so far: rho; down (3,); the free errors of what the camera saw, in the map's
    unit and in radians; and its path (N, 3)."""

    rho: float
    down: np.ndarray
    noise: float
    turn_noise: float
    path: np.ndarray


@dataclass(frozen=True, eq=False)
class Solved:
    """The best unknowns, lengths in the map's unit; covariance (6, 6) of rho, gravity's tilt and
    the gyroscope's bias; misfit: mean square of what does not fit, in standard deviations."""

    rho: float
    covariance: np.ndarray
    down: np.ndarray
    turn_bias: np.ndarray
    force_bias: np.ndarray
    velocity: np.ndarray
    path: np.ndarray
    misfit: float


class Equations:
    """Of one passage; solved again and again with better guesses."""

    def __init__(
        self,
        passage: Passage,
        chain: Chain,
        seen: np.ndarray,
        arms: np.ndarray,
        noise: ImuNoise,
        bias_sigma: float,
    ) -> None:
        motions = passage.motions
        self._chain, self._seen, self._arms = chain, seen, arms
        self._walk, self._bias_sigma = noise.force_walk, bias_sigma
        self._changes, self._unseen = passage.changes.astype(float), passage.unseen.astype(float)
        self._dt = np.array([motion.seconds for motion in motions])
        R = chain.R[:-1]
        self._gained = [
            np.einsum("nij,nj->ni", R, np.array(felt))
            for felt in zip(*((m.position, m.velocity) for m in motions), strict=True)
        ]
        self._by_bias = np.array([motion.by_bias for motion in motions])
        turn = np.zeros((len(motions), 6, 6))
        turn[:, :3, :3] = turn[:, 3:, 3:] = R
        covariance = np.array([motion.covariance for motion in motions])
        self._covariance = turn @ covariance @ turn.transpose(0, 2, 1) + 1e-14 * np.eye(6)
        self._weights = np.ones(len(seen))

    def solve(self, guess: Guess) -> Solved | None:
        """The best unknowns; None where they are not determined."""
        own, following, tied, shared = self._between(guess)
        right, right_shared = self._add_sights(guess, own, tied, shared)
        tied = tied.reshape(-1, _SHARED)
        try:
            columns = np.concatenate((tied, right.reshape(-1, 1)), 1)
            solved = solveh_banded(_band(own, following), columns)
            covariance = np.linalg.inv(shared - tied.T @ solved[:, :-1])
        except np.linalg.LinAlgError:
            return None
        x = covariance @ (right_shared - tied.T @ solved[:, -1])
        states = (solved[:, -1] - solved[:, :-1] @ x).reshape(-1, _OWN)
        return self._solved(guess, x, covariance, states)

    def _solved(
        self, guess: Guess, x: np.ndarray, covariance: np.ndarray, states: np.ndarray
    ) -> Solved:
        off = self._seen - states[:, _Q]
        turned = self._chain.off - states[:, _F] - self._chain.by_bias @ x[3:] / guess.rho
        far = np.sqrt((off**2).sum(1) / 3) / guess.noise
        self._weights = np.minimum(1.0, _OUTLIER / np.maximum(far, 1e-9))
        here, there = states[:-1], states[1:]
        shared = np.broadcast_to(x, (len(here), _SHARED))
        left = np.einsum("nij,nj->ni", self._J, np.concatenate((shared, here, there), 1))
        cost = np.einsum("ni,nij,nj->", left, self._W, left)
        cost += (off**2).sum() / guess.noise**2 + (turned**2).sum() / guess.turn_noise**2
        down = GRAVITY * x[0] * guess.down + _tangents(guess.down) @ x[1:3]
        last = states[-1]
        return Solved(
            float(x[0]),
            covariance,
            down,
            x[3:],
            last[_B],
            last[_V],
            states[:, _P] - x[0] * self._arms,
            float(cost) / (6 * len(states)),
        )

    def _between(self, guess: Guess) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Normal equations of what leads from moment to moment, and of what is known beforehand:
        per moment, of neighbours, of moments with what is shared, and of that alone."""
        J, weight = self._J, self._W = self._derivatives(guess), self._weight(guess)
        H = J.transpose(0, 2, 1) @ weight @ J
        count = len(self._seen)
        own, tied = np.zeros((count, _OWN, _OWN)), np.zeros((count, _OWN, _SHARED))
        here, there = slice(_SHARED, _SHARED + _OWN), slice(_SHARED + _OWN, None)
        own[:-1] += H[:, here, here]
        own[1:] += H[:, there, there]
        tied[:-1] += H[:, here, :_SHARED]
        tied[1:] += H[:, there, :_SHARED]
        shared = H[:, :_SHARED, :_SHARED].sum(0)
        rho = guess.rho
        first = np.zeros(_OWN)
        first[_P] = guess.noise**-2  # Only steps are compared: where the first is, is free.
        first[_B], first[_F] = (rho * self._bias_sigma) ** -2, _AXES_SIGMA**-2
        first[_L] = _UNIT_SIGMA**-2
        own[0] += np.diag(first)
        shared[[1, 2], [1, 2]] += (rho * GRAVITY) ** -2
        known = np.linalg.inv(self._chain.covariance + _LEAST_BIAS**2 * np.eye(3))
        shared[3:, 3:] += known / rho**2
        return own, H[:, here, there], tied, shared

    def _derivatives(self, guess: Guess) -> np.ndarray:
        """(N - 1, 16, 38): of what does not fit, by what is shared and by both ends' states."""
        dt, R, one = self._dt, self._chain.R[:-1], np.eye(3)
        J = np.zeros((len(dt), _OWN, _SHARED + 2 * _OWN))
        shared, here, there = (
            J[:, :, :_SHARED],
            J[:, :, _SHARED : _SHARED + _OWN],
            J[:, :, _SHARED + _OWN :],
        )
        tilt = _tangents(guess.down)
        for rows, share, turned in zip((_P, _V), (0.5 * dt**2, dt), self._gained, strict=True):
            shared[:, rows, 0] = -share[:, None] * GRAVITY * guess.down - turned
            shared[:, rows, 1:3] = -share[:, None, None] * tilt
            shared[:, rows, 3:6] = _cross(turned) @ self._chain.by_bias[:-1]
            here[:, rows, _B] = -R @ self._by_bias[:, rows]
        for part in (_P, _V, _B, _Q, _F):
            here[:, part, part], there[:, part, part] = -one, one
        here[:, _P, _V] = -dt[:, None, None] * one
        here[:, _Q, _P], there[:, _Q, _P] = one, -one
        shared[:, _Q, 0] = np.diff(self._arms, axis=0)
        way = np.diff(guess.path, axis=0)
        here[:, _Q, _F] = _cross(way)
        here[:, _Q, 15] = -way
        here[:, 15, 15], there[:, 15, 15] = -self._unit_kept, 1.0
        return J

    @property
    def _unit_kept(self) -> np.ndarray:
        """(N - 1,) how much of a unit's error stays."""
        kept = np.exp(-self._dt / _UNIT_SECONDS)
        return np.asarray(np.where(self._changes > 0, 0.5 * kept, kept))

    def _weight(self, guess: Guess) -> np.ndarray:
        """(N - 1, 16, 16) inverse covariances of what does not fit."""
        dt, changes, rho = self._dt, self._changes, guess.rho
        weight = np.zeros((len(dt), _OWN, _OWN))
        weight[:, :6, :6] = np.linalg.inv(rho**2 * self._covariance)
        leap = _UNSEEN**2 * self._unseen
        variances = {
            6: (rho * self._walk) ** 2 * dt,
            9: guess.noise**2 * (_GROWTH**2 * dt + _HAND_OVER**2 * changes + leap),
            12: _TURN_GROWTH**2 * dt + _TURN_OVER**2 * changes + _UNSEEN_TURN**2 * self._unseen,
        }
        for begin, variance in variances.items():
            for row in range(begin, begin + 3):
                weight[:, row, row] = 1 / variance
        weight[:, 15, 15] = 1 / (_UNIT_SIGMA**2 * (1 - self._unit_kept**2))
        return weight

    def _add_sights(
        self, guess: Guess, own: np.ndarray, tied: np.ndarray, shared: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Add what the camera saw; the right sides that go with it."""
        place = self._weights / guess.noise**2
        turned = self._weights / guess.turn_noise**2
        own[:, [9, 10, 11], [9, 10, 11]] += place[:, None]
        own[:, [12, 13, 14], [12, 13, 14]] += turned[:, None]
        by_bias = self._chain.by_bias / guess.rho
        weighed = turned[:, None, None] * by_bias
        tied[:, _F, 3:] += weighed
        shared[3:, 3:] += (by_bias.transpose(0, 2, 1) @ weighed).sum(0)
        right, right_shared = np.zeros((len(own), _OWN)), np.zeros(_SHARED)
        right[:, _Q] = place[:, None] * self._seen
        right[:, _F] = turned[:, None] * self._chain.off
        right_shared[3:] = np.einsum("nij,ni->j", weighed, self._chain.off)
        return right, right_shared


def _band(own: np.ndarray, following: np.ndarray) -> np.ndarray:
    """The upper band of a matrix with blocks on its diagonal and beside it."""
    count, size = len(own), own.shape[1]
    band = np.zeros((2 * size, count, size))
    for i in range(size):
        for j in range(i, size):
            band[2 * size - 1 + i - j, :, j] = own[:, i, j]
        for j in range(size):
            band[size - 1 + i - j, 1:, j] = following[:, i, j]
    return band.reshape(2 * size, -1)


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
