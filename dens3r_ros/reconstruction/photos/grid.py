# SPDX-License-Identifier: Apache-2.0
"""Anchors on a grid of an image's pixels, the same for all pairs of it."""

from __future__ import annotations

import numpy as np

_ALONG = 40
"""Anchors along the longer side."""


def grid_step(size: tuple[int, int]) -> int:
    """Pixels from anchor to anchor of an image of (height, width)."""
    return max(4, round(max(size) / _ALONG))


def grid_pixels(size: tuple[int, int]) -> np.ndarray:
    """(A, 2) whole pixels x, y of the anchors of an image of (height, width)."""
    step = grid_step(size)
    rows, columns = (np.arange(step // 2, side, step) for side in size)
    y, x = np.meshgrid(rows, columns, indexing="ij")
    return np.stack([x.ravel(), y.ravel()], 1)
