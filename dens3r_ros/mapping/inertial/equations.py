# SPDX-License-Identifier: Apache-2.0
"""One estimate of all that a camera saw and its inertial sensor felt: the normal equations, a band
for what each moment has of its own beside what all moments share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dens3r_ros.imu import ImuNoise
from dens3r_ros.mapping.inertial.banded import OWN, SCALE, SHARED, Normal, Solved
from dens3r_ros.mapping.inertial.coupling import coupled
from dens3r_ros.mapping.inertial.passage import Gained, Passage
from dens3r_ros.mapping.inertial.preintegration import GRAVITY
from dens3r_ros.mapping.inertial.turns import Chain

PLACE, SPEED, FORCE_BIAS, _Q, _F = (slice(k, k + 3) for k in range(0, 15, 3))
"""Of every moment: where the sensor is and how fast it moves (metres), its force's bias, where the
camera believes to be but for what it errs by freely (in its unit), and how its axes are turned;
after these comes the logarithm of its units of a metre."""
_UNIT_WANDERS = 0.05
"""By which that logarithm changes within a second."""
_UNIT_CHANGES = 0.03
"""The same at a change of the keyframe."""
_RESCALED = 1.0
"""The same where another unit begins."""
_TAILS = 4.0
"""Degrees of freedom of such a change's distribution: some are much larger."""
_GROWTH = 0.005
"""Share of a second's way by which the camera's error grows within a second, and at a change of the
keyframe."""
_TURN_GROWTH = 5e-3
"""Radians by which its axes turn wrongly within a second, and at a change of the keyframe."""
_AXES_SIGMA = 0.03
"""Radians by which the camera's axes may be off at first."""
_TURN_BIAS = 0.02
"""rad/s, standard deviation of the gyroscope's bias beside what the camera saw on an average."""
_LEAST_TURN = 5e-4
"""Radians that it errs by freely at least."""
_UNSEEN, _UNSEEN_TURN = 1.0, 0.1
"""What nobody saw of a motion may have been, in seconds of the way and in radians."""
_OUTLIER = 3.0
"""Standard deviations from which on a frame counts less."""
_BIAS_TAILS = 3.0


@dataclass(frozen=True, eq=False)
class State:
    """The unknowns: `own` (N, 16) of the moments, `down` (3,) in the map and the gyroscope's bias
    (3,) beside that of the chain."""

    own: np.ndarray
    down: np.ndarray
    turn_bias: np.ndarray

    def moved(self, own: np.ndarray, shared: np.ndarray) -> State:
        """A step further."""
        down = GRAVITY * self.down + tangents_of(self.down) @ shared[:2]
        return State(self.own + own, down / np.linalg.norm(down), self.turn_bias + shared[2:])


class Equations:
    """Of one passage, around one state after another."""

    def __init__(self, passage: Passage, chain: Chain, arms: np.ndarray, noise: ImuNoise) -> None:
        motions, poses = passage.motions, passage.poses
        self._chain, self._arms, self._noise = chain, arms, noise
        self._gained = Gained.along(passage, chain)
        self._dt = self._gained.seconds
        self._R = poses[:, :3, :3]
        self.seen = poses[:, :3, 3] - poses[:, :3, 3].mean(0)
        self._changes, self._unseen, self._rescaled = (
            told.astype(float) for told in (passage.changes, passage.unseen, passage.rescaled)
        )
        numbers = np.concatenate(([0.0], passage.changes.cumsum()))
        self.of_last_unit = np.concatenate(([0], passage.rescaled.cumsum()))
        self.of_last_unit = self.of_last_unit == passage.rescaled.sum()
        D, self._place_noise = coupled(self.seen, chain.off, self._R, numbers)
        self._with_turn = self._R @ D @ self._R.transpose(0, 2, 1)
        self._turn_noise = max(_jitter(chain.off), _LEAST_TURN)
        self._pace = self._speed()
        R = chain.R[:-1]
        self._by_bias = np.zeros((len(motions), 6, 3))
        by_bias = np.array([motion.by_bias for motion in motions])
        self._by_bias[:, :3], self._by_bias[:, 3:] = R @ by_bias[:, :3], R @ by_bias[:, 3:]
        turn = np.zeros((len(motions), 6, 6))
        turn[:, :3, :3] = turn[:, 3:, 3:] = R
        covariance = np.array([motion.covariance for motion in motions])
        covariance = turn @ covariance @ turn.transpose(0, 2, 1) + 1e-14 * np.eye(6)
        self._felt_weight = np.linalg.inv(covariance)
        self._sight_weights = np.ones(len(poses))
        self._step_weights = np.ones(len(motions))
        self._unit_weights = np.ones(len(motions))
        self._bias_weight = 1.0

    def _speed(self) -> float:
        """Units of the map a second, by steps long enough for noise to count little."""
        way = np.linalg.norm(np.diff(self.seen[::10], axis=0), axis=1)
        return float(np.median(way) / (10 * self._dt.mean())) if len(way) else 1e-3

    def begin(self, scale: float, down: np.ndarray) -> State:
        """The state in which the camera saw everything right, in a unit of `scale` metres."""
        own = np.zeros((len(self.seen), OWN))
        own[:, PLACE] = scale * self.seen + self._arms
        own[:, SPEED] = np.gradient(
            own[:, PLACE], np.concatenate(([0.0], self._dt.cumsum())), axis=0
        )
        own[:, _Q], own[:, SCALE] = self.seen, -np.log(scale)
        return State(own, down, np.zeros(3))

    def solve(self, state: State) -> Solved:
        """The best step from a state; LinAlgError where there is none."""
        normal = Normal(len(self.seen))
        J, left = self._felt(state)
        self._weigh(left)
        normal.add_steps(J, self._weight(), left)
        normal.add_sights(*self._sights(state))
        self._add_known(state, normal)
        return normal.solve(self.of_last_unit)

    def _felt(self, state: State) -> tuple[np.ndarray, np.ndarray]:
        """(N - 1, 16, 37): how what does not fit from moment to moment changes with what is shared
        and with both ends' states; and (N - 1, 16) what does not fit."""
        x, dt, one = state.own, self._dt, np.eye(3)
        J = np.zeros((len(dt), OWN, SHARED + 2 * OWN))
        shared, here, there = np.split(J, (SHARED, SHARED + OWN), 2)
        left = np.diff(x, axis=0)
        tilt, by_turn = tangents_of(state.down), self._chain.by_bias[:-1]
        left[:, PLACE] -= dt[:, None] * x[:-1, SPEED]
        for rows, share, gained, by in (
            (PLACE, 0.5 * dt**2, self._gained.position, self._by_bias[:, :3]),
            (SPEED, dt, self._gained.velocity, self._by_bias[:, 3:]),
        ):
            turned = _cross(gained) @ by_turn
            left[:, rows] -= share[:, None] * GRAVITY * state.down + gained
            left[:, rows] += turned @ state.turn_bias
            left[:, rows] -= np.einsum("nij,nj->ni", by, x[:-1, FORCE_BIAS])
            shared[:, rows, :2] = -share[:, None, None] * tilt
            shared[:, rows, 2:] = turned
            here[:, rows, FORCE_BIAS] = -by
        for part in (PLACE, SPEED, FORCE_BIAS, _Q, _F):
            here[:, part, part], there[:, part, part] = -one, one
        here[:, PLACE, SPEED] = -dt[:, None, None] * one
        here[:, SCALE, SCALE], there[:, SCALE, SCALE] = -1.0, 1.0
        units = np.exp(x[:-1, SCALE])[:, None]
        way = units * np.diff(x[:, PLACE] - self._arms, axis=0)
        wrong = np.einsum("nij,nj->ni", self._with_turn[1:], left[:, _F])
        left[:, _Q] += np.cross(way, x[:-1, _F]) - way - wrong
        here[:, _Q, PLACE], there[:, _Q, PLACE] = units[..., None] * one, -units[..., None] * one
        here[:, _Q, _F] = _cross(way) + self._with_turn[1:]
        there[:, _Q, _F] = -self._with_turn[1:]
        here[:, _Q, SCALE] = -way
        return J, left

    def _variances(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(N - 1,) of the camera's steps, of its turns, and of its unit."""
        unseen, steps = self._unseen, self._dt + self._changes
        place = (_GROWTH * self._pace) ** 2 * steps + (_UNSEEN * self._pace) ** 2 * unseen
        turn = _TURN_GROWTH**2 * steps + _UNSEEN_TURN**2 * unseen
        unit = _UNIT_WANDERS**2 * self._dt + _UNIT_CHANGES**2 * self._changes
        return place + 1e-18, turn, unit + _RESCALED**2 * self._rescaled

    def _weigh(self, left: np.ndarray) -> None:
        """Let steps and changes of the unit that are far larger than usual count less."""
        place, _, unit = self._variances()
        far = np.sqrt((left[:, _Q] ** 2).mean(1) / place)
        self._step_weights = np.minimum(1.0, _OUTLIER / np.maximum(far, 1e-9))
        self._unit_weights = (_TAILS + 1) / (_TAILS + left[:, SCALE] ** 2 / unit)

    def _weight(self) -> np.ndarray:
        """(N - 1, 16, 16) inverse covariances of what does not fit."""
        weight = np.zeros((len(self._dt), OWN, OWN))
        weight[:, :6, :6] = self._felt_weight
        place, turn, unit = self._variances()
        inverse = (
            1 / (self._noise.force_walk**2 * self._dt),
            self._step_weights / place,
            1 / turn,
        )
        for begin, values in zip((6, 9, 12), inverse, strict=True):
            for row in range(begin, begin + 3):
                weight[:, row, row] = values
        weight[:, SCALE, SCALE] = self._unit_weights / unit
        return weight

    def _sights(self, state: State) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What the camera saw at each moment: derivatives (N, 6, 21), inverse covariances, and
        what does not fit (N, 6)."""
        x, by_bias, D = state.own, self._chain.by_bias, self._with_turn
        turned = self._chain.off - x[:, _F] - by_bias @ state.turn_bias
        off = self.seen - x[:, _Q] - np.einsum("nij,nj->ni", D, turned)
        J = np.zeros((len(x), 6, SHARED + OWN))
        to_q, to_f = slice(SHARED + 9, SHARED + 12), slice(SHARED + 12, SHARED + 15)
        J[:, :3, to_q] = J[:, 3:, to_f] = np.eye(3)
        J[:, :3, to_f], J[:, :3, 2:SHARED] = -D, -D @ by_bias
        J[:, 3:, 2:SHARED] = by_bias
        in_view = np.einsum("nji,nj->ni", self._R, off) / self._place_noise
        far = np.sqrt((in_view**2).mean(1))
        self._sight_weights = np.minimum(1.0, _OUTLIER / np.maximum(far, 1e-9))
        W = np.zeros((len(x), 6, 6))
        W[:, :3, :3] = self._R @ np.diag(self._place_noise**-2) @ self._R.transpose(0, 2, 1)
        W[:, 3:, 3:] = np.eye(3) / self._turn_noise**2
        W *= self._sight_weights[:, None, None]
        return J, W, np.concatenate((off, turned), 1)

    def _add_known(self, state: State, normal: Normal) -> None:
        """What is known beforehand."""
        first, sigma = state.own[0], self._noise.force_bias
        far = (first[FORCE_BIAS] ** 2).mean() / sigma**2
        known = np.zeros(OWN)
        # A bias five times as large as any should be is unlikely, but not impossible.
        known[FORCE_BIAS] = (_BIAS_TAILS + 1) / (_BIAS_TAILS + far) / sigma**2
        known[_F] = _AXES_SIGMA**-2
        normal.own[0] += np.diag(known)
        normal.right[0] -= known * first
        normal.own[0, PLACE, PLACE] += np.eye(3)  # Where all of it is, is free; a step is short.
        normal.own[0, SCALE, SCALE] += 1e-2
        normal.shared[[0, 1], [0, 1]] += GRAVITY**-2
        normal.shared[2:, 2:] += np.eye(3) / _TURN_BIAS**2
        normal.right_shared[2:] -= state.turn_bias / _TURN_BIAS**2


def _cross(v: np.ndarray) -> np.ndarray:
    """(N, 3, 3) matrices that multiply as (N, 3) vectors cross."""
    result = np.zeros((len(v), 3, 3))
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        result[:, j, k], result[:, k, j] = -v[:, i], v[:, i]
    return result


def _jitter(values: np.ndarray) -> float:
    """Standard deviation of what (N, 3) values err by freely, one by one."""
    bends = values[2:] - 2 * values[1:-1] + values[:-2]
    return float(np.median(np.abs(bends)) / 0.6745 / np.sqrt(6))


def tangents_of(direction: np.ndarray) -> np.ndarray:
    """(3, 2) unit vectors across a direction."""
    _, _, axes = np.linalg.svd(direction[None])
    return np.asarray(axes[1:].T)
