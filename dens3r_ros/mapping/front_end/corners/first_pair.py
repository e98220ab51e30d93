# SPDX-License-Identifier: Apache-2.0
"""Which two images a map can begin with: corners tell when a view shows parallax to an earlier one,
so that no decoding is spent on finding out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.two_views.turning import best_rotation
from dens3r_ros.mapping.front_end.turning import turned
from dens3r_ros.mapping.tracking.landmarks import flow_there_and_back

_ACROSS = 320
"""Pixels across the images on which corners are followed."""
_CORNERS = 200
_LEVELS = 3
_APART = 8
_FEWEST = 40
_LEFT = 0.4
"""Share of an image's corners that another one must show to be compared with it."""
_NEXT = 0.75
"""The same below which a newer image begins to be followed as well."""
_MOST = 4
_SHARE, _MISS = 0.3, 1.5
"""Share of the corners that must lie this many pixels beside where a mere turn would put them."""
_WRONG = 25.0
"""Pixels beside that beyond which a corner was taken for another one."""
_FOCAL = 0.85
"""Focal length as a share of the longer side, where a camera is not known."""


@dataclass(frozen=True, eq=False)
class _Begun:
    """An image, how many corners it had, and of those still followed the pixels (N, 2) float32 in
    it and in the latest image."""

    frame: Frame
    count: int
    first: np.ndarray
    now: np.ndarray

    def followed(self, before: np.ndarray, grey: np.ndarray, H: np.ndarray) -> _Begun:
        """In the next image, where the homography `H` would put them about."""
        start = cv2.perspectiveTransform(self.now[None], H)[0] if len(self.now) else self.now
        there, good = flow_there_and_back(before, grey, self.now, start, _LEVELS)
        return _Begun(self.frame, self.count, self.first[good], there[good])

    @property
    def share(self) -> float:
        """Of its corners that are still followed."""
        return len(self.now) / max(self.count, 1)

    @property
    def usable(self) -> bool:
        """Whether enough of it is still in view."""
        return len(self.now) >= _FEWEST and self.share > _LEFT


class FirstPair:
    """Follows the corners of some images of one camera."""

    def __init__(self) -> None:
        self._before: np.ndarray | None = None
        self._begun: list[_Begun] = []

    def take(self, frame: Frame) -> Frame | None:
        """The next image; the oldest one to which it shows parallax, if any."""
        grey = _small(frame.image)
        camera = _camera(frame, grey)
        if self._before is not None and self._before.shape == grey.shape:
            before, H = self._before, _turn(self._before, grey, camera)
            followed = [one.followed(before, grey, H) for one in self._begun]
            self._begun = [one for one in followed if one.usable]
        else:
            self._begun = []
        self._before = grey
        found = _with_parallax(self._begun, camera.K)
        if not self._begun or self._begun[-1].share < _NEXT:
            self._begun = [*self._begun[-_MOST + 1 :], _corners(frame, grey)]
        return found

    def forget(self) -> None:
        """The camera has a place: nothing has to begin."""
        self._before, self._begun = None, []


def _with_parallax(begun: Iterable[_Begun], K: np.ndarray) -> Frame | None:
    for one in begun:
        first, now = one.first.astype(np.float64), one.now.astype(np.float64)
        miss = best_rotation(first, now, K, K)[1]
        if ((miss > _MISS) & (miss < _WRONG)).mean() > _SHARE:
            return one.frame
    return None


def _small(image: np.ndarray) -> np.ndarray:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    scale = min(1.0, _ACROSS / max(grey.shape))
    size = round(grey.shape[1] * scale), round(grey.shape[0] * scale)
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA)


def _turn(before: np.ndarray, grey: np.ndarray, camera: Intrinsics) -> np.ndarray:
    """(3, 3) homography from one image to the next by the turn of the camera, if that shows."""
    R = turned(grey, before, camera, np.eye(3))
    return np.eye(3) if R is None else camera.K @ R @ np.linalg.inv(camera.K)


def _camera(frame: Frame, grey: np.ndarray) -> Intrinsics:
    """Of the small image."""
    height, width = grey.shape
    if frame.intrinsics is not None:
        return frame.intrinsics.resized(width, height)
    focal = _FOCAL * max(height, width)
    return Intrinsics(focal, focal, (width - 1) / 2, (height - 1) / 2, width, height)


def _corners(frame: Frame, grey: np.ndarray) -> _Begun:
    found = cv2.goodFeaturesToTrack(grey, _CORNERS, 0.01, _APART)
    pixels = np.zeros((0, 2), np.float32) if found is None else found.reshape(-1, 2)
    return _Begun(frame, len(pixels), pixels, pixels)
