# SPDX-License-Identifier: Apache-2.0
"""Points, confidence and normals of one view from its inverse depth."""

from __future__ import annotations

import cv2
import numpy as np

from dens3r_ros.engines.geometric.smoothing.local_planes import LocalPlanes, plane_coordinates


def view_points(inverse: np.ndarray, K: np.ndarray, T_a_view: np.ndarray) -> np.ndarray:
    """(H, W, 3) float32 points in a's optical frame, from (H, W) inverse depth above zero."""
    rotation = (T_a_view[:3, :3] @ np.linalg.inv(K)).astype(np.float32)
    columns, rows = _pixel_axes(inverse.shape)
    distance = 1 / inverse
    shift = T_a_view[:3, 3].astype(np.float32)
    planes = [
        (columns * row[0] + (rows * row[1] + row[2])) * distance + offset
        for row, offset in zip(rotation, shift, strict=True)
    ]
    return cv2.merge(planes)


def view_normals(planes: LocalPlanes, K: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W, 3) float32 unit normals in the view's own optical frame, facing the camera.

    A plane n . X = 1 has the inverse depth n . ray at every pixel: its slopes are the normal.
    """
    height, width = size
    x, y = plane_coordinates(planes.value.shape)
    centre_x = np.float32((K[0, 2] - (width - 1) / 2) / width)
    centre_y = np.float32((K[1, 2] - (height - 1) / 2) / width)
    right, down = planes.slope_x, planes.slope_y
    forward = planes.value - (x - centre_x) * right - (y - centre_y) * down
    stretch = np.float32(K[0, 0] / width), np.float32(K[1, 1] / width)
    away = (right * stretch[0], down * stretch[1], forward)
    x, y, z = (cv2.resize(-part, (width, height)) for part in away)
    scale = 1 / np.maximum(np.sqrt(x * x + y * y + z * z), np.float32(1e-12))
    return cv2.merge([x * scale, y * scale, z * scale])


def _pixel_axes(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """x (W,) and y (H, 1) of the pixels, float32."""
    return np.arange(size[1], dtype=np.float32), np.arange(size[0], dtype=np.float32)[:, None]
