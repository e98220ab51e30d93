# SPDX-License-Identifier: Apache-2.0
"""Which image stamps can be believed, and when time has begun anew."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

NANOSECONDS = 1_000_000_000


class StampVerdict(enum.Enum):
    """What to do with an image because of its stamp; the value is a counter's name."""

    ACCEPT = "accepted"
    REPEATED = "repeated_stamp"
    LATE = "late_stamp"
    FUTURE = "future_stamp"
    RESTART = "time_went_back"


@dataclass
class StampGuard:
    """Follows the stamps of each camera, in nanoseconds.

    A step back of more than `restart_after_s` is a bag that begins again: the caller resets. A
    smaller one is an image out of order. `future_s` is how far a stamp may run ahead of the clock.
    """

    restart_after_s: float = 1.0
    future_s: float = 10.0
    _last: dict[str, int] = field(default_factory=dict)

    def judge(self, camera: str, stamp: int, now: int) -> StampVerdict:
        """Judge one image's stamp; `now` is the node's clock, 0 before simulated time runs."""
        if now and stamp - now > self.future_s * NANOSECONDS:
            return StampVerdict.FUTURE
        last = self._last.get(camera)
        if last is not None and stamp <= last:
            if stamp == last:
                return StampVerdict.REPEATED
            if last - stamp <= self.restart_after_s * NANOSECONDS:
                return StampVerdict.LATE
            self._last = {camera: stamp}
            return StampVerdict.RESTART
        self._last[camera] = stamp
        return StampVerdict.ACCEPT

    def forget(self) -> None:
        """Begin anew, as after a reset."""
        self._last.clear()
