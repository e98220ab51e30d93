# SPDX-License-Identifier: Apache-2.0
"""One camera's images watched for what moves, and what of that is to be expected in the next."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.motion.config import MotionConfig
from dens3r_ros.mapping.motion.detector import Base, MotionDetector
from dens3r_ros.mapping.motion.weights import MOVES

_FRESH_S = 0.2
"""Seconds for which what moved in an image is taken to be near there."""


class MotionWatch:
    """Finds out what moves in images of one camera that have a place, in the order they come."""

    def __init__(self, config: MotionConfig) -> None:
        self._config = config
        self._detector = MotionDetector(config)
        self._keyframe_id: int | None = None
        self._last: int | None = None
        self._behind: int | None = None

    def look(
        self,
        grey: np.ndarray,
        camera: Intrinsics,
        base: Base,
        T_keyframe_camera: np.ndarray,
        stamp: int,
        relative: Callable[[int, int], np.ndarray | None],
    ) -> np.ndarray:
        """(h, w) float32, 0 stands still to 1 moves, of an image (h, w) uint8 that was placed
        against a keyframe; `relative` tells S_new_old (4, 4) of two keyframes, if anything does."""
        if base.keyframe_id != self._keyframe_id:
            old = self._keyframe_id
            S_new_old = None if old is None else relative(base.keyframe_id, old)
            self._detector.go_on(base.keyframe_id, S_new_old)
            self._keyframe_id = base.keyframe_id
        small = self._detector.look(grey, camera, base, T_keyframe_camera, stamp)
        self._last = stamp
        return self._full(small, grey.shape)

    def behind(self, base: Base) -> np.ndarray | None:
        """(h, w) float32 what moves in a keyframe by the images that were placed against it, once,
        as soon as these tell; None before and after."""
        if base.keyframe_id != self._keyframe_id or base.keyframe_id == self._behind:
            return None
        small = self._detector.looked_back(base)
        if small is None:
            return None
        self._behind = base.keyframe_id
        return self._full(small, base.grey.shape)

    def expected(self, stamp: int, grey: np.ndarray) -> np.ndarray | None:
        """(h, w) what moved in the image before, where that is in this one (h, w) uint8, if it is
        near and of the same size."""
        if self._last is None or stamp - self._last > _FRESH_S * 1e9:
            return None
        small = self._detector.carried(grey, stamp)
        return None if small is None else self._full(small, grey.shape)

    def followed(self, pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Where (N, 2) pixels of the image before, (height, width) large, lie in the one of which
        something was `expected` last."""
        return self._detector.followed(pixels, size)

    def _full(self, small: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
        if self._config.masks == "hard":
            small = (small > MOVES).astype(np.float32)
        return cv2.resize(small, size[::-1], interpolation=cv2.INTER_LINEAR)
