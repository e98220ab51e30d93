# SPDX-License-Identifier: Apache-2.0
"""Where a camera was in its last frame, and where it will be next if it goes on as it went."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dens3r_ros.geometry import tangents
from dens3r_ros.geometry.rotation import turn
from dens3r_ros.mapping.front_end.turning import turned
from dens3r_ros.mapping.graph.graph import rigid, scale_of
from dens3r_ros.mapping.reference import Reference
from dens3r_ros.mapping.tracking.landmarks import Landmarks

_LONGEST_S = 0.5
"""Seconds over which a motion is believed to go on."""
_FASTEST = 12.0
"""Radians a second beyond which a turn is taken for an error."""


class Motion:
    """The last frame's pose relative to a keyframe, what was found in it (`before`, in its own
    optical frame and the keyframe's unit), and how fast the camera moved.

    beside: per keyframe, by how many pixels (M, 2) its landmarks lay beside their points, by their
    numbers: what is wrong with a point's depth is wrong in the next frame too.
    """

    def __init__(self) -> None:
        self.T_keyframe_frame = np.eye(4)
        self.before: Landmarks | None = None
        self.beside: dict[int, np.ndarray] = {}
        self._stamp: int | None = None
        self._pace = np.zeros(6)

    def place(
        self,
        stamp: int,
        T_keyframe_frame: np.ndarray,
        found: Landmarks,
        beside: dict[int, np.ndarray] | None = None,
    ) -> None:
        """The camera was here at a stamp in nanoseconds, and saw this."""
        if self._stamp is not None and stamp > self._stamp:
            seconds = (stamp - self._stamp) * 1e-9
            step = np.linalg.inv(self.T_keyframe_frame) @ T_keyframe_frame
            wild = turn(step[:3, :3]) > _FASTEST * seconds or seconds > _LONGEST_S
            self._pace = np.zeros(6) if wild else tangents.log(step)[:6] / seconds
        self._stamp, self.T_keyframe_frame, self.before = stamp, T_keyframe_frame, found
        self.beside = beside or {}

    @property
    def stamp(self) -> int | None:
        """Of the last frame that has a place; None where what followed has none."""
        return self._stamp

    def likely(self, landmarks: Landmarks) -> np.ndarray:
        """(N, 2) pixels by which a keyframe's landmarks are likely to lie beside their points."""
        known = self.beside.get(landmarks.keyframe_id)
        result = np.zeros((len(landmarks), 2))
        if known is not None:
            there = landmarks.numbers < len(known)
            result[there] = known[landmarks.numbers[there]]
        return result

    def predicted(self, stamp: int) -> np.ndarray:
        """T_keyframe_frame (4, 4) at a later stamp, by the pace of the last two frames."""
        if self._stamp is None:
            return self.T_keyframe_frame
        seconds = min((stamp - self._stamp) * 1e-9, _LONGEST_S)
        return self.T_keyframe_frame @ tangents.exp(self._pace * seconds)

    def rebase(self, S_new_old: np.ndarray) -> None:
        """Go on relative to another keyframe, in its length unit."""
        scale = scale_of(S_new_old)
        self.T_keyframe_frame = rigid(S_new_old @ self.T_keyframe_frame)
        self._pace[:3] *= scale
        if self.before is not None:
            points, depth = self.before.points * scale, self.before.depth * scale
            self.before = replace(self.before, points=points, depth=depth)

    def halt(self) -> None:
        """Forget the pace; the place stays."""
        self._pace, self._stamp = np.zeros(6), None


def turned_view(
    grey: np.ndarray, reference: Reference, motion: Motion, expected: np.ndarray
) -> np.ndarray | None:
    """T_keyframe_frame of a frame that has gone on as `expected`, but turned as its image tells."""
    before = motion.before
    if before is None:
        return None
    step = np.linalg.inv(motion.T_keyframe_frame) @ expected
    R = turned(before.grey, grey, reference.sight.camera, step[:3, :3])
    if R is None:
        return None
    step[:3, :3] = R
    return motion.T_keyframe_frame @ step
