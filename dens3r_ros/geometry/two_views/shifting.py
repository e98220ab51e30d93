# SPDX-License-Identifier: Apache-2.0
"""By how much one image as a whole is shifted against another, as a start for their flow."""

from __future__ import annotations

import cv2
import numpy as np

from dens3r_ros.geometry.two_views.flow import TwoWayFlow, two_way_flow

_SIDE = 80
"""Long side in pixels at which images are compared."""
_SMOOTH = 0.075
"""What is smoother than this share of the long side does not count: light and shade."""
_LEAST_SHARED = 0.3
"""Share of the image that both have to show."""
_LEAST_LIKENESS = 0.3
_LEAST_SHIFT = 2
"""Small pixels below which the search from rest does as well."""


def flow_from_shift(
    grey_a: np.ndarray, grey_b: np.ndarray, finest_scale: int = 0
) -> TwoWayFlow | None:
    """Flow that starts from the shift under which the images look most alike; None of hardly any
    shift, or where they look alike under none."""
    shift = likeliest_shift(grey_a, grey_b)
    if shift is None:
        return None
    start = np.tile(shift.astype(np.float32), (*grey_a.shape, 1))
    return two_way_flow(grey_a, grey_b, (start, -start), finest_scale)


def likeliest_shift(grey_a: np.ndarray, grey_b: np.ndarray) -> np.ndarray | None:
    """(2,) pixels x, y from where something is in a to where it is in b, by the correlation of
    small images of (H, W) uint8 over all shifts."""
    factor = max(grey_a.shape) / _SIDE
    size = tuple(max(1, round(side / factor)) for side in grey_a.shape[::-1])
    a, b = (_small(grey, size) for grey in (grey_a, grey_b))
    likeness = _likeness_of_shifts(a, b)
    y, x = (int(i) for i in np.unravel_index(likeness.argmax(), likeness.shape))
    if likeness[y, x] < _LEAST_LIKENESS:
        return None
    height, width = likeness.shape
    shift = np.array([x - width if x > width // 2 else x, y - height if y > height // 2 else y])
    return None if np.abs(shift).max() < _LEAST_SHIFT else shift * factor


def _small(grey: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    return small - cv2.GaussianBlur(small, (0, 0), _SMOOTH * _SIDE)


def _likeness_of_shifts(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(2 h, 2 w) correlation, -1 to 1, of what two images (h, w) share under every shift, those
    back at the end of each axis; -1 where they share too little."""
    size = 2 * a.shape[0], 2 * a.shape[1]
    ones = np.ones_like(a)
    first = [np.conj(np.fft.rfft2(one, size)) for one in (ones, a, a * a)]
    second = [np.fft.rfft2(one, size) for one in (ones, b, b * b)]

    def summed(i: int, j: int) -> np.ndarray:
        return np.fft.irfft2(first[i] * second[j], size)

    count = np.maximum(summed(0, 0), 1e-3)
    mean_a, mean_b = summed(1, 0) / count, summed(0, 1) / count
    shared = summed(1, 1) / count - mean_a * mean_b
    spread_a = np.maximum(summed(2, 0) / count - mean_a**2, 1e-3)
    spread_b = np.maximum(summed(0, 2) / count - mean_b**2, 1e-3)
    return np.where(count < _LEAST_SHARED * a.size, -1.0, shared / np.sqrt(spread_a * spread_b))
