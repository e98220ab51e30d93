# SPDX-License-Identifier: Apache-2.0
"""The last frames that were placed, for the one that shows most of another's depth."""

from __future__ import annotations

from collections import deque

import numpy as np

from dens3r_ros.frame import Frame
from dens3r_ros.geometry.rotation import turn
from dens3r_ros.mapping.graph.graph import rigid

_KEPT = 12
_WIDE = 0.08
"""Distance between two views, as a share of the depth, beyond which more tells no more."""
_NARROW = 0.015
"""The same below which it tells too little."""
_TURNED = 0.5
"""Radians of turn between two views with which they have nothing in common."""


class RecentFrames:
    """Images, each with its T_keyframe_frame relative to one keyframe, in its unit."""

    def __init__(self) -> None:
        self._frames: deque[tuple[Frame, np.ndarray]] = deque(maxlen=_KEPT)

    def note(self, frame: Frame, T_keyframe_frame: np.ndarray) -> None:
        """The latest one."""
        self._frames.append((frame, T_keyframe_frame))

    def rebase(self, S_new_old: np.ndarray) -> None:
        """Go on relative to another keyframe, in its unit."""
        moved = [(frame, rigid(S_new_old @ T)) for frame, T in self._frames]
        self._frames = deque(moved, maxlen=_KEPT)

    def beside(
        self, frame: Frame, T_keyframe_frame: np.ndarray, depth: float
    ) -> tuple[Frame, np.ndarray] | None:
        """The image, and its T_keyframe_frame, that shows most of the depth of a frame which sees
        things about `depth` away; None where the camera has only turned."""
        here = np.linalg.inv(T_keyframe_frame)
        best, found = 0.0, None
        for other, T in self._frames:
            step = here @ T
            apart = np.linalg.norm(step[:3, 3]) / depth
            worth = min(apart, _WIDE) * (1 - turn(step[:3, :3]) / _TURNED)
            if other.stamp != frame.stamp and apart > _NARROW and worth > best:
                best, found = worth, (other, T)
        return found
