# SPDX-License-Identifier: Apache-2.0
"""The latest moments that a camera was seen at, and what was felt between them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import numpy as np

from dens3r_ros.mapping.inertial.passage import Passage
from dens3r_ros.mapping.inertial.preintegration import FeltMotion
from dens3r_ros.mapping.update import Update

SPAN_S = 25.0
"""Seconds that are kept; a longer span tells little more, and costs more."""
_APART_NS = 30_000_000
"""Nanoseconds between two, at least."""


@dataclass(frozen=True, eq=False)
class Sighted:
    """A frame's place, at a stamp in nanoseconds; `seen`: whether the motion to it was, and
    `rescaled`: whether another length unit began with it. T_keyframe_camera (4, 4) is in the
    keyframe's unit, which is `unit` units of `odom`."""

    stamp: int
    T_odom_camera: np.ndarray
    keyframe_id: int
    seen: bool = True
    rescaled: bool = False
    T_keyframe_camera: np.ndarray | None = None
    unit: float = 1.0

    @staticmethod
    def of(update: Update, rescaled: bool) -> Sighted:
        """Of a frame that has a place."""
        assert update.T_odom_camera is not None and update.keyframe_id is not None
        return Sighted(
            update.stamp,
            update.T_odom_camera,
            update.keyframe_id,
            update.motion_seen,
            rescaled,
            update.T_keyframe_camera,
            update.keyframe_unit,
        )


class FeltMoments:
    """Sights and motions in the order of time."""

    def __init__(self) -> None:
        self.sights: deque[Sighted] = deque()
        self._motions: deque[FeltMotion] = deque()
        self._unseen = self._rescaled = False
        """Whether such a frame was passed over."""

    @property
    def last(self) -> Sighted | None:
        """The latest."""
        return self.sights[-1] if self.sights else None

    def due(self, sight: Sighted) -> bool:
        """Whether a frame is far enough from the latest to be another."""
        self._unseen = self._unseen or not sight.seen
        self._rescaled = self._rescaled or sight.rescaled
        return self.last is None or sight.stamp - self.last.stamp >= _APART_NS

    def add(self, sight: Sighted, motion: FeltMotion | None = None) -> None:
        """One more, and the motion to it; none with the first."""
        self.sights.append(replace(sight, seen=not self._unseen, rescaled=self._rescaled))
        self._unseen = self._rescaled = False
        if motion is not None:
            self._motions.append(motion)
        while self.seconds > SPAN_S:
            self.sights.popleft()
            self._motions.popleft()

    @property
    def seconds(self) -> float:
        """From the first to the last."""
        if not self.sights:
            return 0.0
        return (self.sights[-1].stamp - self.sights[0].stamp) * 1e-9

    @property
    def liveliness(self) -> float:
        """Standard deviation of the force that was felt, m/s^2."""
        if not self._motions:
            return 0.0
        felt = np.array([motion.velocity / motion.seconds for motion in self._motions])
        return float(np.linalg.norm(felt, axis=1).std())

    def passage(self) -> Passage:
        """All of them."""
        ids = np.array([sight.keyframe_id for sight in self.sights])
        return Passage(
            np.array([sight.T_odom_camera for sight in self.sights]),
            list(self._motions),
            ids[1:] != ids[:-1],
            np.array([not sight.seen for sight in list(self.sights)[1:]]),
            np.array([sight.rescaled for sight in list(self.sights)[1:]]),
        )
