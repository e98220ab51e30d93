# SPDX-License-Identifier: Apache-2.0
"""Work that a new keyframe brings, done in pieces by the frames that follow, so that no single
frame waits for all of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dens3r_ros.engines.protocol import EngineAway

_MORE = 2
"""Pieces a frame that each further waiting work adds, so that none waits long."""


@dataclass(eq=False)
class _Work:
    """Its iterator, and what makes another one that goes on where that stopped, if it can."""

    now: Iterator[None]
    again: Callable[[], Iterator[None]] | None


class BackgroundWork:
    """Works in the order they came, each an iterator that yields after every piece.

    How much is done when depends on the works alone, never on the time they take: runs repeat. What
    an engine that is away interrupts waits for later frames.
    """

    def __init__(self) -> None:
        self._waiting: deque[_Work] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, work: Iterator[None], again: Callable[[], Iterator[None]] | None = None) -> None:
        """Put a work behind those that wait; `again` makes it anew, to do what is left of it after
        an interruption, which ends it otherwise."""
        self._waiting.append(_Work(work, again))

    def do_share(self) -> None:
        """One frame's share."""
        for _ in range(1 + _MORE * (len(self._waiting) - 1)):
            if not self._piece():
                return

    def do_all(self) -> None:
        """Everything that waits, as far as the engine lets."""
        while self._waiting and self._piece():
            pass

    def _piece(self) -> bool:
        """Do one piece, if any waits; whether the engine was there for it."""
        if not self._waiting:
            return True
        work = self._waiting[0]
        try:
            if next(work.now, self) is self:
                self._waiting.popleft()
        except EngineAway:
            if work.again is None:
                self._waiting.popleft()
            else:
                work.now = work.again()
            return False
        return True
