# SPDX-License-Identifier: Apache-2.0
"""Metres from the robot's own motion: how far it says it went over how far the camera saw it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from dens3r_ros.geometry.rotation import turn
from dens3r_ros.mapping.metric.ratios import spread_of
from dens3r_ros.mapping.update import Update

TRAVEL = 0.25
"""Metres between the ends of a stretch."""
LONGEST_S = 10.0
"""Seconds after which a stretch that did not get that far is given up: the robot stands."""
TURN = 0.26
"""Radians beyond which a stretch is not used: wheels slip and lever arms count in turns."""
ENOUGH = 8
"""Stretches before the scale is believed."""
SPREAD = 0.15
"""Interquartile range of their ratios, over their median, up to which it is believed."""
_REMEMBERED = 40
_WAITING = 30

Where = Callable[[int], "np.ndarray | None"]
"""Stamp in nanoseconds to the camera's (3,) position by the robot; None while it is not known."""


@dataclass(frozen=True, eq=False)
class _Sight:
    """A tracked frame whose position by the robot is not known yet."""

    stamp: int
    T_odom_camera: np.ndarray
    piece: int
    """Between frames of one piece there was no loss, nor a motion that nobody saw."""


@dataclass(frozen=True, eq=False)
class _Start:
    sight: _Sight
    position: np.ndarray


class ScaleEstimator:
    """Compares straight distances over stretches of the way; once sure, the scale is held.

    A new epoch of the mapper has a new length unit, so everything begins anew with it.
    """

    def __init__(self) -> None:
        self.scale: float | None = None
        """Metres of one length unit of `odom`; None until it is known."""
        self._epoch = -1
        self._piece = 0
        self._start: _Start | None = None
        self._sights: deque[_Sight] = deque(maxlen=_WAITING)
        self._ratios: deque[float] = deque(maxlen=_REMEMBERED)

    @property
    def stretches(self) -> int:
        """How many stretches have been compared."""
        return len(self._ratios)

    @property
    def spread(self) -> float:
        """Interquartile range of the ratios over their median; infinite before there are any."""
        return spread_of(self._ratios)

    @property
    def sigma(self) -> float:
        """Standard deviation of the logarithm of the median of the ratios."""
        return self.spread / 1.35 * 1.25 / max(self.stretches, 1) ** 0.5

    def add(self, update: Update, where: Where) -> bool:
        """Take a frame's update into account; whether the scale has become known by it."""
        if update.epoch != self._epoch:
            self._begin(update.epoch)
        if self.scale is not None:
            return False
        if update.T_odom_camera is None or not update.motion_seen:
            self._piece += 1
        if update.T_odom_camera is not None:
            self._sights.append(_Sight(update.stamp, update.T_odom_camera, self._piece))
        self._compare(where)
        if self.stretches < ENOUGH or self.spread > SPREAD:
            return False
        self.scale = float(np.median(self._ratios))
        return True

    def _begin(self, epoch: int) -> None:
        self.scale, self._start, self._epoch = None, None, epoch
        self._sights.clear()
        self._ratios.clear()

    def _compare(self, where: Where) -> None:
        known = [(i, where(sight.stamp)) for i, sight in enumerate(self._sights)]
        placed = [(i, position) for i, position in known if position is not None]
        for i, position in placed:
            self._extend(self._sights[i], position)
        if placed:
            # What lies before a known position will not become known any more.
            for _ in range(placed[-1][0] + 1):
                self._sights.popleft()

    def _extend(self, sight: _Sight, position: np.ndarray) -> None:
        start = self._start
        if start is None or start.sight.piece != sight.piece or _stands(start, sight):
            self._start = _Start(sight, position)
            return
        travelled = float(np.linalg.norm(position - start.position))
        if travelled < TRAVEL:
            return
        step = np.linalg.inv(start.sight.T_odom_camera) @ sight.T_odom_camera
        seen = float(np.linalg.norm(step[:3, 3]))
        if seen > 0 and turn(step[:3, :3]) < TURN:
            self._ratios.append(travelled / seen)
        self._start = _Start(sight, position)


def _stands(start: _Start, sight: _Sight) -> bool:
    return sight.stamp - start.sight.stamp > LONGEST_S * 1e9


def in_metres(update: Update, scale: float, epochs: int, sigma: float = 0.0) -> Update:
    """The update with every length `scale` times as long, its epoch `epochs` later; `sigma` is the
    standard deviation of the scale's logarithm."""
    covariance = update.covariance
    if covariance is not None:
        units = np.array([scale] * 3 + [1.0] * 3)
        covariance = covariance * units[:, None] * units
    return replace(
        update,
        T_odom_camera=_lengthened(update.T_odom_camera, scale),
        T_map_camera=_lengthened(update.T_map_camera, scale),
        T_map_odom=lengthened(update.T_map_odom, scale),
        covariance=covariance,
        maps=update.maps and replace(update.maps, scale=update.maps.scale * scale),
        epoch=update.epoch + epochs,
        metric=True,
        scale_sigma=sigma,
    )


def lengthened(T: np.ndarray, scale: float) -> np.ndarray:
    """A rigid (4, 4) transform in a length unit of which `scale` make one of its present ones."""
    scaled = T.copy()
    scaled[:3, 3] *= scale
    return scaled


def _lengthened(T: np.ndarray | None, scale: float) -> np.ndarray | None:
    return None if T is None else lengthened(T, scale)
