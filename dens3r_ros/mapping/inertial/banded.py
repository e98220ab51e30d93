# SPDX-License-Identifier: Apache-2.0
"""Normal equations whose unknowns are tied to their neighbours in time, and to a few that all
share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solveh_banded

from dens3r_ros.mapping.inertial.preintegration import GRAVITY

SHARED = 5
"""Gravity's tilt (2) and the gyroscope's bias (3)."""
OWN = 16
"""Of every moment; `SCALE` is the logarithm of the map's units of a metre."""
SCALE = 15


@dataclass(frozen=True, eq=False)
class Solved:
    """A step of the moments' unknowns (N, 16) and of the shared ones (5,), and what is known after
    it: standard deviations of a mean of logarithms of scale and of the last one, and of what is
    down (radians); cost: what did not fit before it, squared, in standard deviations."""

    own: np.ndarray
    shared: np.ndarray
    sigma: float
    last_sigma: float
    down_sigma: float
    cost: float


class Normal:
    """Of `count` moments; filled by those who know something.

    own (N, 16, 16) of moments; following (N - 1, 16, 16) of a moment with the next; tied
    (N, 16, 5) of moments with what is shared; shared (5, 5); right (N, 16), right_shared (5,).
    """

    def __init__(self, count: int) -> None:
        self.own, self.tied = np.zeros((count, OWN, OWN)), np.zeros((count, OWN, SHARED))
        self.following = np.zeros((count - 1, OWN, OWN))
        self.shared = np.zeros((SHARED, SHARED))
        self.right, self.right_shared = np.zeros((count, OWN)), np.zeros(SHARED)
        self.cost = 0.0

    def add_steps(self, J: np.ndarray, W: np.ndarray, left: np.ndarray) -> None:
        """What leads from moment to moment: J (N - 1, m, 5 + 16 + 16) of what does not fit, by what
        is shared and by both ends; inverse covariances W (N - 1, m, m); `left` (N - 1, m)."""
        weighed = J.transpose(0, 2, 1) @ W
        H, g = weighed @ J, -np.einsum("nij,nj->ni", weighed, left)
        here, there = slice(SHARED, SHARED + OWN), slice(SHARED + OWN, None)
        for part, ends in ((here, slice(None, -1)), (there, slice(1, None))):
            self.own[ends] += H[:, part, part]
            self.tied[ends] += H[:, part, :SHARED]
            self.right[ends] += g[:, part]
        self.following += H[:, here, there]
        self.shared += H[:, :SHARED, :SHARED].sum(0)
        self.right_shared += g[:, :SHARED].sum(0)
        self.cost += float(np.einsum("ni,nij,nj->", left, W, left))

    def add_sights(self, J: np.ndarray, W: np.ndarray, left: np.ndarray) -> None:
        """What each moment tells: J (N, m, 5 + 16) of what is measured, and what is `left` of the
        measurement (N, m)."""
        weighed = J.transpose(0, 2, 1) @ W
        H, g = weighed @ J, np.einsum("nij,nj->ni", weighed, left)
        self.own += H[:, SHARED:, SHARED:]
        self.tied += H[:, SHARED:, :SHARED]
        self.right += g[:, SHARED:]
        self.shared += H[:, :SHARED, :SHARED].sum(0)
        self.right_shared += g[:, :SHARED].sum(0)
        self.cost += float(np.einsum("ni,nij,nj->", left, W, left))

    def solve(self, among: np.ndarray) -> Solved:
        """The best step, and how well it tells the mean logarithm of scale `among` moments (N,);
        LinAlgError where it is not determined."""
        count = len(self.own)
        asked = np.zeros((2, count, OWN))
        asked[0, :, SCALE], asked[1, -1, SCALE] = among / among.sum(), 1.0
        tied, flat = self.tied.reshape(-1, SHARED), asked.reshape(2, -1)
        columns = np.concatenate((tied, self.right.reshape(-1, 1), flat.T), 1)
        solved = solveh_banded(_band(self.own, self.following), columns)
        covariance = np.linalg.inv(self.shared - tied.T @ solved[:, :SHARED])
        x = covariance @ (self.right_shared - tied.T @ solved[:, SHARED])
        states = (solved[:, SHARED] - solved[:, :SHARED] @ x).reshape(-1, OWN)
        told = solved[:, SHARED + 1 :]
        through = tied.T @ told
        variance = np.einsum("ij,ji->i", flat, told)
        variance += np.einsum("ij,ik,kj->j", through, covariance, through)
        sigma, last = np.sqrt(np.maximum(variance, 0.0)).tolist()
        tilt = float(np.sqrt(max(covariance[:2, :2].trace(), 0.0))) / GRAVITY
        return Solved(states, x, sigma, last, tilt, self.cost)


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
