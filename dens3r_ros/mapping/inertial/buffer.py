# SPDX-License-Identifier: Apache-2.0
"""The latest readings, filled by one thread and read by another."""

from __future__ import annotations

import threading

import numpy as np

from dens3r_ros.imu import ImuReadings

_ROOM = 1 << 15
"""Readings kept at least: 30 s at 1000 Hz."""
_AGAIN_NS = 1_000_000_000
"""Nanoseconds that stamps must go back to count as a new start rather than as a late reading."""


class ImuBuffer:
    """Readings in the order of their stamps. One that is stamped before the last one is left out,
    and counted; where stamps go back by a second, everything begins anew."""

    def __init__(self) -> None:
        self._stamps = np.zeros(2 * _ROOM, np.int64)
        self._values = np.zeros((2 * _ROOM, 6))
        self._end = 0
        self._changing = threading.Lock()
        self.received = self.refused = self.restarts = 0

    def add(self, stamp: int, turn: tuple[float, ...], force: tuple[float, ...]) -> None:
        """One reading: nanoseconds, rad/s, m/s^2."""
        with self._changing:
            self.received += 1
            last = self._stamps[self._end - 1] if self._end else -(1 << 62)
            if stamp <= last and last - stamp < _AGAIN_NS:
                self.refused += 1
                return
            if stamp <= last:
                self._end = 0
                self.restarts += 1
            if self._end == len(self._stamps):
                self._stamps[:_ROOM] = self._stamps[_ROOM:]
                self._values[:_ROOM] = self._values[_ROOM:]
                self._end = _ROOM
            self._stamps[self._end] = stamp
            self._values[self._end, :3], self._values[self._end, 3:] = turn, force
            self._end += 1

    def extend(self, readings: ImuReadings) -> None:
        """Many at once."""
        for stamp, turn, force in zip(
            readings.stamps.tolist(), readings.turn.tolist(), readings.force.tolist(), strict=True
        ):
            self.add(stamp, turn, force)

    def __len__(self) -> int:
        with self._changing:
            return self._end

    @property
    def latest(self) -> int | None:
        """Stamp of the last reading."""
        with self._changing:
            return int(self._stamps[self._end - 1]) if self._end else None

    def between(self, begin: int, end: int, gap_ns: int = 100_000_000) -> ImuReadings | None:
        """From one stamp to another, both ends included, by interpolation; None where readings do
        not reach so far, or leave out more than `gap_ns`."""
        with self._changing:
            stamps = self._stamps[: self._end]
            first = int(np.searchsorted(stamps, begin, "right")) - 1
            last = int(np.searchsorted(stamps, end, "left"))
            if first < 0 or last >= len(stamps) or end <= begin:
                return None
            stamps = stamps[first : last + 1].copy()
            values = self._values[first : last + 1].copy()
        if np.diff(stamps).max() > gap_ns:
            return None
        inside = stamps[(stamps > begin) & (stamps < end)]
        wanted = np.concatenate(([begin], inside, [end]))
        offsets = (stamps - begin).astype(float)
        at = (wanted - begin).astype(float)
        read = np.stack([np.interp(at, offsets, values[:, i]) for i in range(6)], -1)
        return ImuReadings(wanted, read[:, :3], read[:, 3:])

    def reaching(self, begin: int, end: int, ahead_ns: int) -> ImuReadings | None:
        """The same, where the last reading may be believed to go on for so long."""
        latest = self.latest
        if latest is None or latest >= end or end - latest > ahead_ns:
            return self.between(begin, end)
        if latest > begin:
            known = self.between(begin, latest)
        else:
            last = self.last(1)
            known = ImuReadings(np.array([begin]), last.turn, last.force)
        if known is None:
            return None
        return ImuReadings(
            np.append(known.stamps, end),
            np.concatenate((known.turn, known.turn[-1:])),
            np.concatenate((known.force, known.force[-1:])),
        )

    def last(self, count: int) -> ImuReadings:
        """The last so many."""
        with self._changing:
            part = slice(max(self._end - count, 0), self._end)
            values = self._values[part].copy()
            return ImuReadings(self._stamps[part].copy(), values[:, :3], values[:, 3:])


def turned(readings: ImuReadings, bias: np.ndarray) -> np.ndarray:
    """(3, 3) R_first_last: takes directions in the last reading's frame to the first one's."""
    from scipy.spatial.transform import Rotation

    seconds = np.diff(readings.stamps) * 1e-9
    rate = 0.5 * (readings.turn[1:] + readings.turn[:-1]) - bias
    R = np.eye(3)
    for step in Rotation.from_rotvec(rate * seconds[:, None]).as_matrix():
        R = R @ step
    return R
