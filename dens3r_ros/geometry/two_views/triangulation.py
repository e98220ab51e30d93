# SPDX-License-Identifier: Apache-2.0
"""Depth of every pixel of a view from where it lies in another view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dens3r_ros.geometry.two_views.flow import length


@dataclass(frozen=True, eq=False)
class Triangulated:
    """What one view's correspondences say, (..., H, W) float32 each.

    inverse_depth   1 over the depth along the view's optical axis, in baselines
    pixels_per_unit how far, in the other view, the correspondence moves along its epipolar line
                    as the inverse depth rises by one
    epipolar        distance in the other view, in pixels, from the epipolar line
    """

    inverse_depth: np.ndarray
    pixels_per_unit: np.ndarray
    epipolar: np.ndarray


def triangulate(
    x: np.ndarray, y: np.ndarray, K: np.ndarray, K_other: np.ndarray, T_other_view: np.ndarray
) -> Triangulated:
    """The inverse depth at which each pixel projects nearest to (x, y) on its epipolar line.

    x, y: (H, W) float32 pixels in the other view; K, K_other (..., 3, 3); T_other_view
    (..., 4, 4). Inverse depth is linear along a direction of the homogeneous image: the pixel at
    infinity, plus the inverse depth times the epipole.
    """
    height, width = x.shape
    infinite = K_other @ T_other_view[..., :3, :3] @ np.linalg.inv(K)
    epipole = (K_other @ T_other_view[..., :3, 3:]).astype(np.float32)
    epipole_x, epipole_y, epipole_z = (epipole[..., axis, :, None] for axis in range(3))
    depth = _plane(infinite[..., 2, :], width, height)
    far_x = _plane(infinite[..., 0, :], width, height) / depth
    far_y = _plane(infinite[..., 1, :], width, height) / depth
    along_x, along_y = epipole_x - far_x * epipole_z, epipole_y - far_y * epipole_z
    reach = np.maximum(length(along_x, along_y), 1e-6)
    along_x, along_y = along_x / reach, along_y / reach
    off_x, off_y = x - far_x, y - far_y
    disparity = off_x * along_x + off_y * along_y
    across = np.abs(off_x * along_y - off_y * along_x)
    # far + disparity * along = (depth * far + q * epipole) / (depth + q * epipole_z), for q
    span = reach - disparity * epipole_z
    inverse = disparity * depth / np.where(np.abs(span) > 1e-6, span, 1e-6)
    ahead = (depth > 0) & (depth + inverse * epipole_z > 1e-3) & (span > 0)
    gain = np.where(ahead, span * span / (reach * np.maximum(depth, 1e-6)), 0)
    return Triangulated(inverse, gain, across)


def landing_of(
    inverse_depth: np.ndarray, K: np.ndarray, K_other: np.ndarray, T_other_view: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """x and y (H, W) float32 in the other view of pixels whose inverse depths (H, W) are known."""
    height, width = inverse_depth.shape
    infinite = K_other @ T_other_view[:3, :3] @ np.linalg.inv(K)
    epipole = K_other @ T_other_view[:3, 3]
    x, y, depth = (
        _plane(infinite[axis], width, height) + inverse_depth * np.float32(epipole[axis])
        for axis in range(3)
    )
    depth = np.maximum(depth, np.float32(1e-6))
    return x / depth, y / depth


def _plane(row: np.ndarray, width: int, height: int) -> np.ndarray:
    """(..., H, W) float32 values of row . (x, y, 1), rows being (..., 3)."""
    x, y, constant = (row[..., axis, None, None].astype(np.float32) for axis in range(3))
    columns = np.arange(width, dtype=np.float32) * x
    rows = np.arange(height, dtype=np.float32)[:, None] * y
    return columns + (rows + constant)
