# SPDX-License-Identifier: Apache-2.0
"""Planes through what is known around every pixel, as far as no edge of the image lies between.

Inverse depth is linear in the pixels of a plane, so that these planes fill gaps in slanted
surfaces and give normals.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dens3r_ros.engines.geometric.smoothing.edge_aware import EdgeAwareFilter, reduced_size

_LEAST_SPREAD = 0.002
"""Share of the image's width below which the spread of what is known says nothing of a slope."""
_MODEL_ERROR = 0.02
_SURER = 3
_LEAST_WEIGHT = np.float32(1e-9)


@dataclass(frozen=True, eq=False)
class LocalPlanes:
    """(h, w) float32 at the filter's size: the planes' values, their variance, and their slopes
    per width of the image, along both axes."""

    value: np.ndarray
    variance: np.ndarray
    slope_x: np.ndarray
    slope_y: np.ndarray


def local_planes(value: np.ndarray, weight: np.ndarray, smoothing: EdgeAwareFilter) -> LocalPlanes:
    """Weighted least squares of (H, W) values, weights being inverse variances or zero."""
    maps = cv2.merge([weight, weight * value, weight * value * value])
    reduced = cv2.resize(maps, reduced_size(value.shape), interpolation=cv2.INTER_AREA)
    w, wq, wqq = np.ascontiguousarray(reduced.transpose(2, 0, 1))
    x, y = plane_coordinates(w.shape)
    wx, wy = w * x, w * y
    sums = smoothing(np.stack([w, wx, wy, wx * x, wx * y, wy * y, wq, wq * x, wq * y, wqq]))
    total = np.maximum(sums[0], 1e-9)
    mean_x, mean_y, xx, xy, yy, mean, xq, yq, qq = sums[1:] / total
    xx, xy, yy = xx - mean_x**2, xy - mean_x * mean_y, yy - mean_y**2
    xq, yq, qq = xq - mean_x * mean, yq - mean_y * mean, qq - mean**2
    xx, yy = xx + _LEAST_SPREAD**2, yy + _LEAST_SPREAD**2
    determinant = np.maximum(xx * yy - xy**2, _LEAST_SPREAD**4)
    slope_x = (yy * xq - xy * yq) / determinant
    slope_y = (xx * yq - xy * xq) / determinant
    off_x, off_y = x - mean_x, y - mean_y
    extrapolated = 1 + off_x**2 / xx + off_y**2 / yy
    scatter = np.maximum(qq - slope_x * xq - slope_y * yq, 0) + 1 / total
    variance = scatter * extrapolated + (_MODEL_ERROR * mean) ** 2
    value = mean + slope_x * off_x + slope_y * off_y
    return LocalPlanes(value, variance, *_steadied(slope_x, slope_y, variance, smoothing))


def _steadied(
    slope_x: np.ndarray, slope_y: np.ndarray, variance: np.ndarray, smoothing: EdgeAwareFilter
) -> np.ndarray:
    """(2, h, w) slopes, averaged over neighbours that count the more the surer they are."""
    sure = np.maximum((variance.min() / variance) ** _SURER, _LEAST_WEIGHT)
    total, x, y = smoothing(np.stack([sure, sure * slope_x, sure * slope_y]), passes=1)
    return np.stack([x, y]) / np.maximum(total, _LEAST_WEIGHT)


def plane_coordinates(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """x (w,) and y (h, 1) of the pixels of a map of (h, w), in widths from its middle."""
    height, width = size
    x = np.arange(width, dtype=np.float32) - np.float32((width - 1) / 2)
    y = np.arange(height, dtype=np.float32)[:, None] - np.float32((height - 1) / 2)
    return x / np.float32(width), y / np.float32(width)
