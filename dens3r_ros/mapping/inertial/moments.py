# SPDX-License-Identifier: Apache-2.0
"""The latest moments that a camera was seen at, and what was felt between them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import numpy as np

from dens3r_ros.mapping.inertial.equations import Passage
from dens3r_ros.mapping.inertial.preintegration import FeltMotion

SPAN_S = 20.0
"""Seconds that are kept: longer ago the unit of what the camera saw was another."""
_APART_NS = 30_000_000
"""Nanoseconds between two, at least."""


@dataclass(frozen=True, eq=False)
class Sighted:
    """A frame's place, at a stamp in nanoseconds; `seen`: whether the motion to it was."""

    stamp: int
    T_odom_camera: np.ndarray
    keyframe_id: int
    seen: bool


class FeltMoments:
    """Sights and motions in the order of time."""

    def __init__(self) -> None:
        self._sights: deque[Sighted] = deque()
        self._motions: deque[FeltMotion] = deque()
        self._unseen = False
        """Whether a frame that nobody saw the motion to was passed over."""

    @property
    def last(self) -> Sighted | None:
        """The latest."""
        return self._sights[-1] if self._sights else None

    def due(self, sight: Sighted) -> bool:
        """Whether a frame is far enough from the latest to be another."""
        self._unseen = self._unseen or not sight.seen
        return self.last is None or sight.stamp - self.last.stamp >= _APART_NS

    def add(self, sight: Sighted, motion: FeltMotion | None = None) -> None:
        """One more, and the motion to it; none with the first."""
        self._sights.append(replace(sight, seen=not self._unseen))
        self._unseen = False
        if motion is not None:
            self._motions.append(motion)
        while self.seconds > SPAN_S:
            self._sights.popleft()
            self._motions.popleft()

    @property
    def seconds(self) -> float:
        """From the first to the last."""
        if not self._sights:
            return 0.0
        return (self._sights[-1].stamp - self._sights[0].stamp) * 1e-9

    @property
    def liveliness(self) -> float:
        """Standard deviation of the force that was felt, m/s^2."""
        if not self._motions:
            return 0.0
        felt = np.array([motion.velocity / motion.seconds for motion in self._motions])
        return float(np.linalg.norm(felt, axis=1).std())

    def passage(self) -> Passage:
        """All of them."""
        ids = np.array([sight.keyframe_id for sight in self._sights])
        return Passage(
            np.array([sight.T_odom_camera for sight in self._sights]),
            list(self._motions),
            ids[1:] != ids[:-1],
            np.array([not sight.seen for sight in list(self._sights)[1:]]),
        )
