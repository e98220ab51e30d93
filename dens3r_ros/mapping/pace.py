# SPDX-License-Identifier: Apache-2.0
"""How a camera has been moving: what its next motion may be, and what it is taken to be unseen."""

from __future__ import annotations

from collections import deque

import numpy as np
from scipy.spatial.transform import Rotation

_REMEMBERED = 8
_SHORTEST_S = 1 / 120
"""Frames closer in time than this count as that far apart: stamps may be made up."""
_UNSEEN_S = 0.5
"""Longest time for which an unseen camera is taken to go on as before."""
_FASTER = 1.5
"""Times its largest recent speed that a camera may have from one frame to the next, besides what
the accelerations below add."""
_FIRST = np.array([3.0, 6.0])
"""Speed of a camera of which nothing is known: depths of the scene and radians a second."""
_ACCELERATION = np.array([2.0, 20.0])
"""Depths of the scene and radians a second, gained a second."""


class Pace:
    """The latest motions of one camera from frame to frame, in its own axes; lengths in `odom`'s
    unit. A motion is a rigid (4, 4) T_before_after."""

    def __init__(self) -> None:
        self._twists: deque[np.ndarray] = deque(maxlen=_REMEMBERED)

    def add(self, motion: np.ndarray, seconds: float) -> None:
        """Remember a motion that took so long."""
        self._twists.append(_vector(motion) / max(seconds, _SHORTEST_S))

    def lengthen(self, factor: float) -> None:
        """What was seen has turned out to be `factor` times as large."""
        for twist in self._twists:
            twist[:3] *= factor

    def bounded(self, motion: np.ndarray, seconds: float, depth: float) -> np.ndarray:
        """The motion, or as much of it as a camera `depth` from what it sees can have made in so
        many seconds."""
        seconds = max(seconds, _SHORTEST_S)
        unit = np.array([depth, 1.0])
        fastest = unit * _FIRST
        if self._twists:
            gained = unit * _ACCELERATION * min(seconds, _UNSEEN_S)
            fastest = _FASTER * np.max([_sizes(twist) for twist in self._twists], axis=0) + gained
        vector = _vector(motion)
        share = float(np.min(fastest * seconds / np.maximum(_sizes(vector), 1e-12)))
        return motion if share >= 1 else _motion(share * vector)

    def predicted(self, seconds: float) -> np.ndarray:
        """Where a camera goes that nobody sees: on as before, but not for long."""
        if not self._twists:
            return np.eye(4)
        usual = np.median(self._twists, axis=0)
        return _motion(usual * min(seconds, _UNSEEN_S))


def _vector(motion: np.ndarray) -> np.ndarray:
    """(6,) translation and rotation vector of a rigid motion."""
    turn = Rotation.from_matrix(motion[:3, :3]).as_rotvec()
    return np.concatenate((motion[:3, 3], turn))


def _motion(vector: np.ndarray) -> np.ndarray:
    T = np.eye(4)
    T[:3, 3], T[:3, :3] = vector[:3], Rotation.from_rotvec(vector[3:]).as_matrix()
    return T


def _sizes(vector: np.ndarray) -> np.ndarray:
    """(2,) lengths of translation and rotation."""
    return np.linalg.norm(vector.reshape(2, 3), axis=1)
