# SPDX-License-Identifier: Apache-2.0
"""Work that a new keyframe brings, done in pieces by the frames that follow, so that no single
frame waits for all of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

_MORE = 2
"""Pieces a frame that each further waiting work adds, so that none waits long."""


class BackgroundWork:
    """Works in the order they came, each an iterator that yields after every piece.

    How much is done when depends on the works alone, never on the time they take: runs repeat.
    """

    def __init__(self) -> None:
        self._waiting: deque[Iterator[None]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, work: Iterator[None]) -> None:
        """Put a work behind those that wait."""
        self._waiting.append(work)

    def do_share(self) -> None:
        """One frame's share."""
        for _ in range(1 + _MORE * (len(self._waiting) - 1)):
            self._piece()

    def do_all(self) -> None:
        """Everything that waits."""
        while self._waiting:
            self._piece()

    def _piece(self) -> None:
        if self._waiting and next(self._waiting[0], self) is self:
            self._waiting.popleft()
