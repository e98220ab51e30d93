# SPDX-License-Identifier: Apache-2.0
"""A camera of this machine, or one on the network, until it ends or a person ends it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import cv2

from dens3r_ros.frame import Frame
from dens3r_ros.sources.inputs.input import Unreadable, Wanted
from dens3r_ros.sources.source import SourceError


class LiveCamera:
    """Camera N of this machine, or a stream's address; stamps are of when a picture came."""

    total: int | None = None
    notes: tuple[str, ...] = ()
    rough_lens = False

    def __init__(self, named: str) -> None:
        self.name = f"camera {named}" if named.isdecimal() else named
        self._capture = cv2.VideoCapture(int(named) if named.isdecimal() else named)
        if not self._capture.isOpened():
            raise SourceError(_closed(named))

    def frames(self, wanted: Wanted) -> Iterator[tuple[int, Frame | Unreadable]]:
        """See `Input`; pictures that nobody had time for are the camera's own to drop."""
        index, last = 0, -1
        try:
            while not wanted.over and self._capture.grab():
                stamp = max(time.time_ns(), last + 1)
                last = stamp
                if wanted.by_index(index) and wanted.by_stamp(stamp):
                    read, image = self._capture.retrieve()
                    if read:
                        yield index, Frame(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), stamp)
                    else:
                        yield index, Unreadable(index, f"{self.name}: a picture does not decode")
                index += 1
        finally:
            self._capture.release()


def _closed(named: str) -> str:
    if named.isdecimal():
        return f"camera {named} cannot be opened: is it plugged in, and used by nothing else?"
    return f"{named} does not answer with a video: check the address, and that the camera is on."
