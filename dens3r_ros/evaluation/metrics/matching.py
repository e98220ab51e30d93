# SPDX-License-Identifier: Apache-2.0
"""Errors of correspondences, by reprojecting the true surface."""

from __future__ import annotations

import numpy as np

from dens3r_ros.geometry.camera import Intrinsics


def reprojection_errors(
    pixels_a: np.ndarray,
    pixels_b: np.ndarray,
    depth_b: np.ndarray,
    T_a_b: np.ndarray,
    cameras: tuple[Intrinsics, Intrinsics],
) -> np.ndarray:
    """Pixels by which matches miss where b's surface really lies in a; infinite where behind it.

    pixels_a (N, 2) float and pixels_b (N, 2) int, x then y; matches at unknown depth are left out.
    cameras: those of a and b.
    """
    x, y = pixels_b.T
    depth = depth_b[y, x]
    known = np.isfinite(depth)
    a, b = cameras
    slopes = (pixels_b[known] - [b.cx, b.cy]) / [b.fx, b.fy]
    points = np.column_stack([slopes, np.ones(len(slopes))]) * depth[known, None]
    points = points @ T_a_b[:3, :3].T + T_a_b[:3, 3]
    ahead = points[:, 2] > 0
    seen = points[:, :2] / np.where(ahead, points[:, 2], 1)[:, None] * [a.fx, a.fy] + [a.cx, a.cy]
    return np.where(ahead, np.linalg.norm(seen - pixels_a[known], axis=1), np.inf)
