# SPDX-License-Identifier: Apache-2.0
"""Frames that find their place after they were answered."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from dens3r_ros.frame import Frame
from dens3r_ros.mapping.front_end.fast_tracker import Placed
from dens3r_ros.mapping.history.record import Record

CATCHING_UP = "the images that came meanwhile are placed first"
_TOGETHER = 5
"""Frames that are placed before one answer."""


@dataclass(frozen=True, eq=False)
class LatePlace:
    """Where a frame was, T_keyframe_frame (4, 4) in the keyframe's unit."""

    keyframe_id: int
    frame: Frame
    T_keyframe_frame: np.ndarray

    def record(self, epoch: int) -> Record:
        """What is kept of it."""
        return Record.of(self.frame, self.keyframe_id, self.T_keyframe_frame, epoch)


class LateFrames:
    """Those before and after a frame that was found, which are placed from there along with the
    next ones, a few at a time: so these are not answered late, and those after them not dropped."""

    def __init__(self) -> None:
        self._after: deque[Frame] = deque()
        self._before: Iterator[LatePlace] | None = None
        self._found: list[LatePlace] = []

    def begin(self, after: Iterable[Frame], before: Iterator[LatePlace]) -> None:
        """These lie after, and before, a frame that was found."""
        self._after, self._before = deque(after), before

    @property
    def waiting(self) -> bool:
        """Whether some lie before the latest frame."""
        return bool(self._after)

    def drop(self) -> list[Frame]:
        """Give those up that lie after it."""
        dropped, self._after = list(self._after), deque()
        return dropped

    def take_records(self, epoch: int) -> list[Record]:
        """Of those that have found their place since."""
        found, self._found = self._found, []
        return [one.record(epoch) for one in found]

    def look_back(self) -> bool:
        """Place one from before it; whether there was any."""
        place = None if self._before is None else next(self._before, None)
        if place is None:
            self._before = None
        else:
            self._found.append(place)
        return place is not None

    def in_turn(
        self,
        frame: Frame,
        keyframe_id: int,
        tried: Callable[[Frame], Placed | str],
        stand: Callable[[Frame, Placed], None],
    ) -> Placed | str:
        """Place the latest frame once all others are."""
        self._after.append(frame)
        for _ in range(min(len(self._after), _TOGETHER)):
            latest = self._after.popleft()
            found = tried(latest)
            if latest is frame or isinstance(found, str):
                return found
            stand(latest, found)
            self._found.append(LatePlace(keyframe_id, latest, found.T_keyframe_frame))
        return CATCHING_UP


def placed_late(
    place: Callable[[Frame], Placed | str], keyframe_id: int, frames: Iterable[Frame]
) -> Iterator[LatePlace]:
    """Frames, each placed from the one before it, as far as they can be."""
    for frame in frames:
        found = place(frame)
        if isinstance(found, str):
            return
        yield LatePlace(keyframe_id, frame, found.T_keyframe_frame)
