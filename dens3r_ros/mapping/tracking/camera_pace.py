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
"""Times the speed that a camera has kept up lately which it may have in the next frame, besides
what the accelerations below add."""
_FIRST = np.array([1.5, 6.0])
"""Speed of a camera of which nothing is known: depths of the scene and radians a second."""
_ACCELERATION = np.array([1.5, 20.0])
"""Depths of the scene and radians a second, gained a second."""
_ABSURD = 2.0
"""Times the largest motion that can be from which on one that was seen tells nothing at all."""


class MotionPace:
    """The latest motions of one camera from frame to frame, in its own axes; lengths in `odom`'s
    unit. A motion is a rigid (4, 4) T_before_after."""

    def __init__(self) -> None:
        self._twists: deque[np.ndarray] = deque(maxlen=_REMEMBERED)

    def go_on(self, seen: np.ndarray, seconds: float, depth: float) -> tuple[np.ndarray, bool]:
        """The motion that is believed where one was seen, and whether that is all of it, of a
        camera `depth` away from what it sees."""
        seconds = max(seconds, _SHORTEST_S)
        vector = _vector(seen)
        most = self._fastest(depth, seconds) * seconds
        share = float(np.min(most / np.maximum(_sizes(vector), 1e-12)))
        believed = seen if share >= 1 else _motion(share * vector)
        if share * _ABSURD < 1:
            believed = self.predicted(seconds)
        # If it goes on like that it was true after all: so what is absurd soon is not any more.
        self._twists.append(min(share, 1.0) * vector / seconds)
        return believed, share >= 1

    def _fastest(self, depth: float, seconds: float) -> np.ndarray:
        """(2,) speeds in `odom`'s unit and radians a second that the camera can have by now."""
        unit = np.array([depth, 1.0])
        if not self._twists:
            return unit * _FIRST
        speeds = np.sort([_sizes(twist) for twist in self._twists], axis=0)
        # The largest may be that of one frame that was placed wrongly.
        kept_up = speeds[max(len(speeds) - 2, 0)]
        return _FASTER * kept_up + unit * _ACCELERATION * min(seconds, _UNSEEN_S)

    def lengthen(self, factor: float) -> None:
        """What was seen has turned out to be `factor` times as large."""
        for twist in self._twists:
            twist[:3] *= factor

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
