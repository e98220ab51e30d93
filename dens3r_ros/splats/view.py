# SPDX-License-Identifier: Apache-2.0
"""A posed image with depth: what splats are made from and optimised on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from dens3r_ros.geometry.camera import Intrinsics


@dataclass(frozen=True, eq=False)
class PhotoView:
    """One image; all maps are on its pixels.

    image           (H, W, 3) uint8 RGB, without distortion
    camera          of these pixels
    T_world_camera  (4, 4) float64, rigid
    depth           (H, W) float32 along the optical axis in the world's unit; 0, NaN where unknown
    confidence      (H, W) float32, 1 (none) to infinity; None where the depth is the truth
    moving          (H, W) bool: what does not belong to the scene; None where nothing does so
    """

    image: np.ndarray
    camera: Intrinsics
    T_world_camera: np.ndarray
    depth: np.ndarray
    confidence: np.ndarray | None = None
    moving: np.ndarray | None = None

    def resized(self, width: int, height: int) -> PhotoView:
        """The same on width x height pixels."""
        size = (width, height)
        if size == (self.camera.width, self.camera.height):
            return self
        smaller = width < self.camera.width
        method = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
        moving = None if self.moving is None else self.moving.astype(np.uint8)
        return replace(
            self,
            image=cv2.resize(self.image, size, interpolation=method),
            camera=self.camera.resized(width, height),
            depth=_nearest(self.depth, size),
            confidence=None if self.confidence is None else _nearest(self.confidence, size),
            moving=None if moving is None else _nearest(moving, size) > 0,
        )


def _nearest(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(values, size, interpolation=cv2.INTER_NEAREST_EXACT)
