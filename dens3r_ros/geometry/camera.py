# SPDX-License-Identifier: Apache-2.0
"""Pinhole intrinsics and what resizing and cropping do to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Intrinsics:
    """A pinhole camera without distortion, in pixels; pixel centres lie at whole numbers."""

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int

    @property
    def K(self) -> np.ndarray:
        """(3, 3) float64 matrix taking optical-frame rays to pixels."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    def resized(self, width: int, height: int) -> Intrinsics:
        """The same camera after its image is resized to width x height."""
        sx, sy = width / self.width, height / self.height
        return Intrinsics(
            self.fx * sx,
            self.fy * sy,
            (self.cx + 0.5) * sx - 0.5,
            (self.cy + 0.5) * sy - 0.5,
            width,
            height,
        )

    def cropped(self, left: int, top: int, width: int, height: int) -> Intrinsics:
        """The same camera after width x height pixels are cut out at (left, top)."""
        return Intrinsics(self.fx, self.fy, self.cx - left, self.cy - top, width, height)

    def turned(self, quarter_turns: int) -> Intrinsics:
        """The same camera after its image is turned counter-clockwise by quarter turns."""
        camera = self
        for _ in range(quarter_turns % 4):
            camera = Intrinsics(
                camera.fy,
                camera.fx,
                camera.cy,
                camera.width - 1 - camera.cx,
                camera.height,
                camera.width,
            )
        return camera
