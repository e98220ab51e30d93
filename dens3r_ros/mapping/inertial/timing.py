# SPDX-License-Identifier: Apache-2.0
"""How much later readings are stamped than images, and whether both tell of the same turns."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from dens3r_ros.geometry.rotation import turn
from dens3r_ros.imu import ImuReadings

WIDEST_S = 0.3
"""Seconds of offset that are looked for, either way."""
_COARSE_S, _STEP_S = 0.02, 0.005
"""Steps of the search: all over, and around the best of these."""
_KEPT = 300
"""Turns that are compared."""
_ENOUGH = 45
_TURNING = 0.06
"""rad/s: root mean square of the turns, their mean taken away, without which nothing is said."""
_FITS = 0.25
"""Share of what the camera saw of its turns that may be left unexplained where all is well."""
_CONTRADICTS = 0.6
"""The same from which on the readings are left out."""
_OTHERWISE = 0.3
"""The same with the best mounting, up to which it is that which is wrong."""
_LONGEST_S = 0.4
_APART_S = 0.05
"""Seconds by which an offset that was told must be off to be called wrong."""


@dataclass(frozen=True, eq=False)
class OffsetFit:
    """How the turns that were seen and those that were felt agree: `offset_s`; `unexplained`: share
    of what was seen that the readings leave open, with the mounting that was told; `best`: the same
    with the mounting R_camera_imu (3, 3) that fits best; turn_bias (3,) rad/s: what was felt but
    not seen, on an average."""

    offset_s: float
    unexplained: float
    best: float
    R_camera_imu: np.ndarray
    turn_bias: np.ndarray

    @property
    def good(self) -> bool:
        """Whether the readings tell of what the camera saw."""
        return self.unexplained < _FITS

    @property
    def contradicts(self) -> bool:
        """Whether they tell of something else."""
        return self.unexplained > _CONTRADICTS

    def betters(self, told: OffsetFit) -> bool:
        """Whether another offset than what was told makes far more sense of the readings."""
        apart = abs(self.offset_s - told.offset_s) > _APART_S
        return self.good and apart and self.unexplained < 0.5 * told.unexplained

    def complaint(self, told: np.ndarray) -> str:
        """What is wrong with readings that tell of other turns than the camera saw, the mounting
        having been told as R_camera_imu (3, 3)."""
        if self.good:
            return (
                f"readings are stamped {self.offset_s * 1e3:+.0f} ms beside the images: set "
                "imu.time_offset to that, or to auto"
            )
        if self.best < _OTHERWISE:
            off = np.degrees(turn(self.R_camera_imu.T @ told))
            return (
                f"its axes do not fit: it seems to be mounted {off:.0f} degrees otherwise than TF "
                "or imu.camera_from_imu says"
            )
        return "its readings do not tell of the turns that the camera sees"


class Timing:
    """Remembers how the camera turned, piece by piece."""

    def __init__(self) -> None:
        self._begins: deque[int] = deque(maxlen=_KEPT)
        self._ends: deque[int] = deque(maxlen=_KEPT)
        self._turns: deque[np.ndarray] = deque(maxlen=_KEPT)
        self._since = 0

    def add(self, begin: int, end: int, R_begin_end: np.ndarray) -> None:
        """The camera turned so between two stamps (ns), as it was seen."""
        if 0 < end - begin < _LONGEST_S * 1e9:
            self._begins.append(begin)
            self._ends.append(end)
            self._turns.append(Rotation.from_matrix(R_begin_end).as_rotvec())
            self._since += 1

    @property
    def due(self) -> bool:
        """Whether there is enough that is new for another comparison."""
        return len(self._turns) >= _ENOUGH and self._since >= _ENOUGH // 2

    def compare(
        self, readings: ImuReadings, R_camera_imu: np.ndarray, offset_s: float | None
    ) -> OffsetFit | None:
        """Compare with readings that reach from before the first turn to after the last; without
        `offset_s` that is looked for too. None where the camera hardly turned."""
        self._since = 0
        seconds = (readings.stamps - readings.stamps[0]) * 1e-9
        begins, ends = (
            (np.array(side) - readings.stamps[0]) * 1e-9 for side in (self._begins, self._ends)
        )
        reach = WIDEST_S if offset_s is None else abs(offset_s)
        inside = (begins - reach > 0) & (ends + reach < seconds[-1])
        if inside.sum() < _ENOUGH:
            return None
        spans = (ends - begins)[inside]
        turns = np.array(self._turns)[inside]
        seen = _even(turns, spans)
        if np.sqrt(((seen / spans[:, None]) ** 2).sum(1).mean()) < _TURNING:
            return None
        total = _Integral(seconds, readings.turn)

        def felt(offset: float) -> np.ndarray:
            return total.between(begins[inside] + offset, ends[inside] + offset, spans)

        best = _best_offset(seen, felt) if offset_s is None else offset_s
        ends_at = begins[inside] + best, ends[inside] + best
        bias = (total.whole(*ends_at) - turns @ R_camera_imu).sum(0) / spans.sum()
        return _fit(seen, felt(best), best, R_camera_imu, bias)


class _Integral:
    """Of the rate of turn; over a frame's time it is the turn itself."""

    def __init__(self, seconds: np.ndarray, turn: np.ndarray) -> None:
        steps = 0.5 * (turn[1:] + turn[:-1]) * np.diff(seconds)[:, None]
        self._seconds = seconds
        self._sum = np.concatenate((np.zeros((1, 3)), steps.cumsum(0)))

    def between(self, begins: np.ndarray, ends: np.ndarray, spans: np.ndarray) -> np.ndarray:
        """(N, 3) turns, without what is the same all the time."""
        return _even(self.whole(begins, ends), spans)

    def whole(self, begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """(N, 3) turns."""
        turns = [
            np.interp(ends, self._seconds, self._sum[:, i])
            - np.interp(begins, self._seconds, self._sum[:, i])
            for i in range(3)
        ]
        return np.stack(turns, -1)


def _even(turns: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """Less the mean rate, which a gyroscope's bias adds to."""
    return turns - turns.sum(0) / spans.sum() * spans[:, None]


def _best_offset(seen: np.ndarray, felt) -> float:  # type: ignore[no-untyped-def]
    """The offset with which both agree best, however the sensor is mounted."""
    offsets = np.arange(-WIDEST_S, WIDEST_S + _COARSE_S / 2, _COARSE_S)
    rough = offsets[np.argmax([_agreement(seen, felt(offset)) for offset in offsets])]
    offsets = rough + np.arange(-_COARSE_S, _COARSE_S + _STEP_S / 2, _STEP_S)
    agree = np.array([_agreement(seen, felt(offset)) for offset in offsets])
    at = int(np.clip(agree.argmax(), 1, len(agree) - 2))
    before, here, after = agree[at - 1 : at + 2]
    bend = before - 2 * here + after
    shift = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return float(offsets[at] + np.clip(shift, -1, 1) * _STEP_S)


def _agreement(seen: np.ndarray, felt: np.ndarray) -> float:
    """Correlation under the best mounting."""
    U, s, Vt = np.linalg.svd(seen.T @ felt)
    s[2] *= np.sign(np.linalg.det(U @ Vt))
    return float(s.sum() / np.sqrt((felt**2).sum() * (seen**2).sum() + 1e-18))


def _fit(
    seen: np.ndarray, felt: np.ndarray, offset: float, R: np.ndarray, bias: np.ndarray
) -> OffsetFit:
    U, _, Vt = np.linalg.svd(seen.T @ felt)
    mounted = U @ np.diag([1.0, 1.0, np.sign(np.linalg.det(U @ Vt))]) @ Vt
    whole = (seen**2).sum()
    told, best = (((seen - felt @ M.T) ** 2).sum() / whole for M in (R, mounted))
    return OffsetFit(offset, float(told), float(best), mounted, bias)
