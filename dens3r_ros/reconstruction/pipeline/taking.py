# SPDX-License-Identifier: Apache-2.0
"""Which images of an input are taken."""

from __future__ import annotations

from dens3r_ros.reconstruction.pipeline.options import Picks

_EARLY_S = 1e-4
"""By which an image may come before its turn: stamps are rounded."""


class Picker:
    """Decides image by image, in their order; `first` are done already, of a run that goes on.

    `origin` is the stamp of the input's first image, None before it came.
    """

    def __init__(self, picks: Picks, first: int = 0, origin: int | None = None) -> None:
        self._picks, self._first = picks, first
        self.origin = origin
        self.over = False
        """Whether no later image will be taken."""
        self._next: float | None = None

    def by_index(self, index: int) -> bool:
        """Whether the image of that number may be taken."""
        needed = self.origin is None  # the first image tells where time begins
        return not self.over and (needed or (index >= self._first and self._in_step(index)))

    def by_stamp(self, stamp: int) -> bool:
        """Whether the image of that stamp, in nanoseconds, is taken."""
        begins = self.origin is None
        self.origin = stamp if self.origin is None else self.origin
        seconds = (stamp - self.origin) * 1e-9
        picks = self._picks
        if picks.end is not None and seconds > picks.end:
            self.over = True
            return False
        if seconds < picks.start or (begins and self._first > 0):
            return False
        return not picks.fps or self._in_time(seconds, 1 / picks.fps)

    def _in_time(self, seconds: float, period: float) -> bool:
        """Whether the image's turn has come; a steady pace is kept where images came late."""
        due = seconds if self._next is None else self._next
        if seconds < due - _EARLY_S:
            return False
        self._next = due + period if due + period > seconds else seconds + period
        return True

    def _in_step(self, index: int) -> bool:
        return index % self._picks.every == 0
