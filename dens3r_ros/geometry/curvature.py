# SPDX-License-Identifier: Apache-2.0
"""How much a surface bends at each pixel, from the normals around it."""

from __future__ import annotations

import cv2
import numpy as np

_AROUND = (3, 3)
_ENOUGH = 4
"""Of the nine pixels, the least whose normals must be known: those of an image corner."""


def normal_variation(normals: np.ndarray) -> np.ndarray:
    """(h, w) float32: 1 minus the length of the mean unit normal of each pixel's 3x3 surroundings.

    0 on a plane, 1 where normals cancel out. `normals` are (h, w, 3) float32, NaN where unknown; so
    is the result where the pixel itself or more than five of the nine are unknown.
    """
    known = ~np.isnan(normals[..., 0])
    filled = np.where(known[..., None], normals, np.float32(0))
    total = cv2.boxFilter(filled, -1, _AROUND, normalize=False, borderType=cv2.BORDER_CONSTANT)
    count = cv2.boxFilter(
        known.astype(np.float32), -1, _AROUND, normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    length = np.sqrt(np.einsum("hwc,hwc->hw", total, total))
    variation = 1 - length / np.maximum(count, 1)
    np.maximum(variation, 0, out=variation)
    variation[~known | (count < _ENOUGH)] = np.nan
    return variation
