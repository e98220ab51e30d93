# SPDX-License-Identifier: Apache-2.0
"""Points, confidence and normals of one view from its inverse depth."""

from __future__ import annotations

import cv2
import numpy as np

from dens3r_ros.engines.geometric.depth import InverseDepth
from dens3r_ros.engines.geometric.edge_aware import reduced_size

_NORMAL_BLUR = 2.0


def view_points(depth: InverseDepth, K: np.ndarray, T_a_view: np.ndarray) -> np.ndarray:
    """(H, W, 3) float32 points in a's optical frame."""
    rotation = (T_a_view[:3, :3] @ np.linalg.inv(K)).astype(np.float32)
    columns, rows = _pixel_axes(depth.value.shape)
    distance = 1 / depth.value
    shift = T_a_view[:3, 3].astype(np.float32)
    planes = [
        (columns * row[0] + (rows * row[1] + row[2])) * distance + offset
        for row, offset in zip(rotation, shift, strict=True)
    ]
    return cv2.merge(planes)


def view_normals(depth: InverseDepth, K: np.ndarray) -> np.ndarray:
    """(H, W, 3) float32 unit normals in the view's own optical frame, facing the camera.

    Inverse depth is linear in the pixels of a plane, so that its slopes are the normal.
    """
    height, width = depth.value.shape
    reduced = cv2.resize(depth.value, reduced_size((height, width)), interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(reduced, (0, 0), _NORMAL_BLUR)
    stretch_x, stretch_y = width / smooth.shape[1], height / smooth.shape[0]
    right = cv2.Scharr(smooth, cv2.CV_32F, 1, 0, scale=1 / 32 / stretch_x)
    down = cv2.Scharr(smooth, cv2.CV_32F, 0, 1, scale=1 / 32 / stretch_y)
    columns, rows = _pixel_axes(smooth.shape)
    x = (columns + 0.5) * np.float32(stretch_x) - np.float32(0.5 + K[0, 2])
    y = (rows + 0.5) * np.float32(stretch_y) - np.float32(0.5 + K[1, 2])
    away = cv2.merge(
        [right * np.float32(K[0, 0]), down * np.float32(K[1, 1]), smooth - x * right - y * down]
    )
    normals = cv2.resize(-away, (width, height))
    return normals / np.linalg.norm(normals, axis=-1, keepdims=True)


def _pixel_axes(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """x (W,) and y (H, 1) of the pixels, float32."""
    return np.arange(size[1], dtype=np.float32), np.arange(size[0], dtype=np.float32)[:, None]
