# SPDX-License-Identifier: Apache-2.0
"""A map of what moves, brought to the edges of its image, and what of it is believed."""

from __future__ import annotations

import cv2
import numpy as np

_REACH = 9
"""Pixels across the surroundings whose edges are looked at."""
_EVEN = 8.0**2
"""Variance of grey levels below which surroundings have no edge."""
_SMALLEST = 0.0015
"""Share of the view below which what moves is not believed."""


def along_edges(chance: np.ndarray, grey: np.ndarray) -> np.ndarray:
    """(h, w) float32 a map smoothed as far as its image (h, w) uint8 has no edges."""
    image, wanted = grey.astype(np.float32), chance.astype(np.float32)
    mean, middle = _mean(image), _mean(wanted)
    variance = _mean(image * image) - mean * mean
    slope = (_mean(image * wanted) - mean * middle) / (variance + np.float32(_EVEN))
    level = middle - slope * mean
    return np.clip(_mean(slope) * image + _mean(level), 0, 1)


def connected(chance: np.ndarray, moves_from: float, moves_on: float) -> np.ndarray:
    """(h, w) float32 the same, with less than a half wherever nothing moves: it does from one
    probability on, and around there from the other on."""
    wide = (chance > moves_on).astype(np.uint8)
    count, labels, about, _ = cv2.connectedComponentsWithStats(wide, connectivity=4)
    if count == 1:
        return np.minimum(chance, np.float32(0.49))
    sure = np.bincount(labels[chance > moves_from], minlength=count) > 0
    sure &= about[:, cv2.CC_STAT_AREA] >= _SMALLEST * chance.size
    sure[0] = False
    moves = sure[labels]
    return np.where(
        moves, np.maximum(chance, np.float32(0.51)), np.minimum(chance, np.float32(0.49))
    )


def _mean(image: np.ndarray) -> np.ndarray:
    return cv2.blur(image, (_REACH, _REACH))
