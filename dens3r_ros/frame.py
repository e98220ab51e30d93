# SPDX-License-Identifier: Apache-2.0
"""One image as it enters the system."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dens3r_ros.geometry.camera import Intrinsics


@dataclass(frozen=True, eq=False)
class Frame:
    """One image of one camera.

    `image` is (H, W, 3) uint8 RGB, undistorted; `stamp` is in nanoseconds; `intrinsics`, where
    known, belong to exactly this image size.
    """

    image: np.ndarray
    stamp: int
    camera: str = "camera"
    intrinsics: Intrinsics | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.image.shape[0], self.image.shape[1]
