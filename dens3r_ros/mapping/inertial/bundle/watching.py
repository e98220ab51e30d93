# SPDX-License-Identifier: Apache-2.0
"""Corners that are followed through the images of some seconds, a few images a second."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np

from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.inertial.moments import SPAN_S
from dens3r_ros.mapping.tracking.landmarks import flow_there_and_back, fresh_corners
from dens3r_ros.mapping.tracking.matching import inside

_EVERY_NS = 160_000_000
"""Nanoseconds between two images."""
_LONGEST_NS = 600_000_000
"""Nanoseconds beyond which no corner is looked for again."""
_ACROSS = 400
"""Pixels across an image at most."""
_NARROWEST = 240
"""Pixels across an image below which patches show too much of different distances."""
_MOST = 150
"""Corners that are followed at once."""
_APART = 40
"""Part of the image's width that they keep from each other."""
_LEVELS = 3


@dataclass(frozen=True, eq=False)
class SeenCorners:
    """A grey image (h, w) uint8 taken at a stamp (ns) by a camera, with corners: numbers (N,), each
    the same in all images, and pixels (N, 2) float32."""

    stamp: int
    grey: np.ndarray
    camera: Intrinsics
    numbers: np.ndarray
    pixels: np.ndarray


class CornerWatch:
    """Keeps the glimpses of the latest seconds of one camera."""

    def __init__(self) -> None:
        self.glimpses: deque[SeenCorners] = deque()
        self._camera = ""
        self._next = 0

    def due(self, frame: Frame) -> bool:
        """Whether a frame is to be seen."""
        if frame.intrinsics is None or frame.image.shape[1] < _NARROWEST:
            return False
        if self._camera not in ("", frame.camera):
            return False
        last = self.glimpses[-1].stamp if self.glimpses else None
        return last is None or not 0 <= frame.stamp - last < _EVERY_NS

    @property
    def last(self) -> int | None:
        """Stamp of the latest."""
        return self.glimpses[-1].stamp if self.glimpses else None

    def see(self, frame: Frame, turn: np.ndarray | None) -> None:
        """Follow the corners into a frame; `turn` (3, 3) R_last_frame, where it was felt."""
        assert frame.intrinsics is not None
        self._camera = frame.camera
        grey = _grey(frame.image)
        camera = frame.intrinsics.resized(grey.shape[1], grey.shape[0])
        numbers, pixels = self._followed(frame.stamp, grey, camera, turn)
        fresh = fresh_corners(grey, pixels, _MOST, max(grey.shape[1] // _APART, 4))
        numbers = np.concatenate((numbers, np.arange(self._next, self._next + len(fresh))))
        self._next += len(fresh)
        pixels = np.concatenate((pixels, fresh))
        self.glimpses.append(SeenCorners(frame.stamp, grey, camera, numbers, pixels))
        while frame.stamp - self.glimpses[0].stamp > SPAN_S * 1e9:
            self.glimpses.popleft()

    def _followed(
        self, stamp: int, grey: np.ndarray, camera: Intrinsics, turn: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Numbers and pixels of the corners that are found again."""
        none = np.zeros(0, int), np.zeros((0, 2), np.float32)
        if not self.glimpses:
            return none
        last = self.glimpses[-1]
        if not 0 < stamp - last.stamp < _LONGEST_NS or last.grey.shape != grey.shape:
            self.glimpses.clear()
            return none
        start = last.pixels
        if turn is not None and len(start):
            H = camera.K @ turn.T @ np.linalg.inv(last.camera.K)
            start = cv2.perspectiveTransform(start[None], H)[0]
        here = inside(start, grey.shape, 2)
        there, good = flow_there_and_back(last.grey, grey, last.pixels[here], start[here], _LEVELS)
        good &= inside(there, grey.shape, 2)
        return last.numbers[here][good], there[good]


def _grey(image: np.ndarray) -> np.ndarray:
    """(h, w) uint8 of an image, made smaller where it is large."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    shrunk = _ACROSS / image.shape[1]
    if shrunk >= 1:
        return grey
    size = (_ACROSS, round(image.shape[0] * shrunk))
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
