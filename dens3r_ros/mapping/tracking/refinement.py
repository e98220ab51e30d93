# SPDX-License-Identifier: Apache-2.0
"""Sharpening matches on the images themselves, to a fraction of a pixel."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from dens3r_ros.geometry.two_views.following import followed

_CELL = 16
"""Pixels across which one point, the best textured, is chosen."""
_WINDOW = 15
_LEVELS = 2


NO_DOUBT = np.zeros((6, 6))
NO_PIXELS = np.zeros((0, 2), np.float32)


@dataclass(frozen=True, eq=False)
class Texture:
    """A grey image (h, w) uint8, and the (N, 2) float32 pixels in it worth following.

    doubt (6, 6): how far poses found on it are not to be believed; see `agreement.settle`.
    """

    grey: np.ndarray
    pixels: np.ndarray
    doubt: np.ndarray = field(default_factory=lambda: NO_DOUBT)


def textured_pixels(grey: np.ndarray) -> np.ndarray:
    """(N, 2) float32 pixels (x, y): of each cell the strongest corner, if it is one at all."""
    strength = cv2.cornerMinEigenVal(grey, 5)
    rows, columns = grey.shape[0] // _CELL, grey.shape[1] // _CELL
    cells = strength[: rows * _CELL, : columns * _CELL].reshape(rows, _CELL, columns, _CELL)
    cells = cells.transpose(0, 2, 1, 3).reshape(rows * columns, _CELL * _CELL)
    best = cells.argmax(1)
    good = cells.max(1) > 2e-5
    cell = np.arange(rows * columns)
    x = cell % columns * _CELL + best % _CELL
    y = cell // columns * _CELL + best // _CELL
    return np.stack((x, y), 1)[good].astype(np.float32)


def follow(
    source: Texture, target: Texture, pixels: np.ndarray, start: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where (N, 2) pixels of the source lie in the target, and which (N,) came back when followed
    home again."""
    if not len(pixels):
        return start, np.zeros(0, bool)
    there, found = followed(source.grey, target.grey, pixels, start, _WINDOW, _LEVELS)
    back, returned = followed(target.grey, source.grey, there, pixels, _WINDOW, 0)
    home = np.abs(back - pixels).max(1) < 0.5
    return there, found & returned & home
