# SPDX-License-Identifier: Apache-2.0
"""Metres from the camera's known height above the floor that it sees."""

from __future__ import annotations

from collections import deque

import numpy as np

from dens3r_ros.mapping.metric.ratios import spread_of
from dens3r_ros.mapping.occupancy.floor import find_floor
from dens3r_ros.mapping.update import Update

ENOUGH = 8
"""Looks at the floor before the scale is believed."""
SPREAD = 0.1
"""Interquartile range of the ratios, over their median, up to which it is believed."""
_APART_S = 0.4
"""Seconds between two looks."""
_MOVED = 0.5
"""Heights of the camera that lie between the first place it looked from and the farthest: what is
seen from one place alone may be a table."""
_REMEMBERED = 40
_LEAST_SHARE = 0.4
"""Of the looks, how many must show a floor."""
_SYSTEMATIC = 0.01
"""Relative error that no number of looks averages out: the mounting's and the floor's own."""


class HeightScale:
    """Looks at the floor now and then; once sure, the scale is held for the epoch."""

    def __init__(self) -> None:
        self.scale: float | None = None
        """Metres of one length unit of `odom`; None until it is known."""
        self.sigma = 0.0
        """Standard deviation of its logarithm."""
        self._epoch = -1
        self._begin(-1)

    @property
    def looks(self) -> int:
        """How often the floor was seen."""
        return len(self._ratios)

    @property
    def spread(self) -> float:
        """Interquartile range of the ratios over their median; infinite before there are any."""
        return spread_of(self._ratios)

    def add(self, update: Update, camera_height: float) -> bool:
        """Take in a frame of the camera that is mounted so many metres above the floor; whether the
        scale has become known by it."""
        if update.epoch != self._epoch:
            self._begin(update.epoch)
        if self.scale is not None or not self._looks_at(update):
            return False
        self._look(update, camera_height)
        if self.looks < ENOUGH or self.spread > SPREAD or not self._trusted():
            return False
        self.scale = float(np.median(self._ratios))
        self.sigma = float(np.hypot(self.spread / 1.35 / np.sqrt(self.looks), _SYSTEMATIC))
        return True

    def progress(self) -> str:
        """One sentence on how far the scale is known."""
        if self.scale is not None:
            return f"from height: {self.scale:.4g} m for a unit of the mapper's odom"
        if not self.looks:
            return "waiting for height: no floor was seen yet; let the camera see some metres of it"
        if self.looks / self._tried < _LEAST_SHARE:
            return (
                f"waiting for height: a floor is seen in {self.looks} of {self._tried} looks only"
            )
        if self.looks >= ENOUGH and self.spread <= SPREAD:
            return "waiting for height: move on, all looks at the floor are from one place"
        return (
            f"waiting for height: {self.looks} looks at the floor, which spread by "
            f"{self.spread:.0%}"
        )

    def _begin(self, epoch: int) -> None:
        self.scale, self.sigma, self._epoch = None, 0.0, epoch
        self._ratios: deque[float] = deque(maxlen=_REMEMBERED)
        self._last: int | None = None
        self._tried = 0
        self._start: np.ndarray | None = None
        self._reach = 0.0

    def _looks_at(self, update: Update) -> bool:
        """Whether this frame is looked at."""
        if update.T_map_camera is None or update.T_odom_camera is None or update.maps is None:
            return False
        return self._last is None or update.stamp - self._last >= _APART_S * 1e9

    def _look(self, update: Update, camera_height: float) -> None:
        assert update.T_map_camera is not None and update.T_odom_camera is not None
        assert update.maps is not None
        self._last = update.stamp
        self._tried += 1
        up = update.T_map_camera[2, :3]
        floor = find_floor(update.maps.points, update.maps.confidence, up)
        if floor is None:
            return
        ratio = camera_height / floor.height
        self._ratios.append(ratio)
        here = update.T_odom_camera[:3, 3]
        self._start = here if self._start is None else self._start
        way = float(np.linalg.norm(here - self._start)) * ratio
        self._reach = max(self._reach, way / camera_height)

    def _trusted(self) -> bool:
        return self._reach >= _MOVED and self.looks >= _LEAST_SHARE * self._tried
