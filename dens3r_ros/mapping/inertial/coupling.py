# SPDX-License-Identifier: Apache-2.0
"""How a camera's wrong turns and wrong steps go together: what is far away looks almost the same
from a step aside as after a small turn, so that one error brings the other."""

from __future__ import annotations

import numpy as np

_ROUNDS = 8
_TAILS = 4.0
"""Degrees of freedom of the errors' distribution."""


def coupled(
    seen: np.ndarray, off: np.ndarray, R: np.ndarray, keyframes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """From places (N, 3) that a camera believed to be at and rotations (N, 3) from what was felt to
    what it saw, the axes of the map both, with R_map_camera (N, 3, 3) and the number of the
    keyframe (N,): (3, 3) displacement that goes with a wrong turn, in the camera's axes, and (3,)
    standard deviation of what is wrong beside that. Both in the map's unit."""
    same = keyframes[2:] == keyframes[:-2]
    x, y = (np.einsum("nji,nj->ni", R[1:-1], _bend(v))[same] for v in (off, seen))
    if len(x) < 8:
        bend = _bend(seen)
        return np.zeros((3, 3)), np.full(3, _spread(bend.ravel()[:, None])[0] + 1e-12)
    weights = np.ones(len(x))
    for _ in range(_ROUNDS):
        weighed = x * weights[:, None]
        D = np.linalg.solve(weighed.T @ x + 1e-12 * np.eye(3), weighed.T @ y).T
        left = y - x @ D.T
        sigma = _spread(left) + 1e-12
        far = ((left / (sigma * np.sqrt(6))) ** 2).mean(1)
        weights = (_TAILS + 3) / (_TAILS + 3 * far)
    return D, sigma


def _bend(values: np.ndarray) -> np.ndarray:
    """(N - 2, 3) second differences: what a smooth motion has little of."""
    return np.asarray(values[2:] - 2 * values[1:-1] + values[:-2])


def _spread(bends: np.ndarray) -> np.ndarray:
    """Standard deviation of single values, by column, from their second differences."""
    return np.asarray(np.median(np.abs(bends), axis=0) / 0.6745 / np.sqrt(6))
