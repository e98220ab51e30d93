# SPDX-License-Identifier: Apache-2.0
"""Whether an image looks as a keyframe does from where it is said to have been taken.

Matches of two images that show nothing in common can agree both ways on the two being taken from
one spot, as where dense flow finds nothing to follow; their pixels then have nothing in common.
"""

from __future__ import annotations

import cv2
import numpy as np

from dens3r_ros.mapping.motion.weights import much_moves
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.matching import project
from dens3r_ros.mapping.tracking.track import Track
from dens3r_ros.mapping.tracking.tracker import View

_BLUR = 1.5
"""Pixels that a pose may be off without looks becoming another."""
_WINDOW = 11
"""Side in pixels of the squares that are compared, each for itself: light may differ."""
_TEXTURE = 4.0
"""Grey levels of deviation within a square below which it shows nothing to compare."""
_FLAT = 1.0
"""The same of the image that is placed, below which it shows nothing of what the keyframe shows."""
_FEWEST = 50
"""Squares below which looks tell nothing."""
_ALIKE = 0.4
"""Median correlation from which on two views show the same: that of wrong places is about 0.1 at
most, that of true ones 0.8 and more."""


def looks_alike(keyframe: Keyframe, view: View, found: Track) -> bool:
    """Whether the image shows at the matches what the keyframe shows; where that has no texture,
    nothing speaks against it, unless much of the view is not looked at since it moves."""
    alike = correlation(keyframe, view, found)
    return not much_moves(view.motion) if alike is None else alike > _ALIKE


def correlation(keyframe: Keyframe, view: View, found: Track) -> float | None:
    """Median correlation, -1 to 1, of squares around matches; None where too few have texture."""
    if view.texture is None:
        return None
    T = np.linalg.inv(found.T_keyframe_frame)
    points = keyframe.canonical.points.reshape(-1, 3).astype(np.float64)
    there = project(points @ T[:3, :3].T + T[:3, 3], view.camera).astype(np.float32)
    here = cv2.GaussianBlur(keyframe.texture.grey, (0, 0), _BLUR).astype(np.float32)
    seen = cv2.GaussianBlur(view.texture.grey, (0, 0), _BLUR).astype(np.float32)
    # cv2 cannot sample beyond 32767.
    where = np.clip(there.reshape(*here.shape, 2), -2, max(seen.shape) + 1)
    moved = cv2.remap(seen, where[..., 0], where[..., 1], cv2.INTER_LINEAR)
    x, y = found.by_engine.pixels.T
    alike = _correlated(here, moved)[y, x]
    alike = alike[np.isfinite(alike)]
    return float(np.median(alike)) if len(alike) >= _FEWEST else None


def _correlated(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(H, W) correlation of two images within squares; NaN where the first has no texture, about 0
    where only the second has none."""

    def mean(image: np.ndarray) -> np.ndarray:
        return cv2.blur(image, (_WINDOW, _WINDOW))

    middle_a, middle_b = mean(a), mean(b)
    spread_a = np.sqrt((mean(a * a) - middle_a**2).clip(0))
    spread_b = np.sqrt((mean(b * b) - middle_b**2).clip(0))
    together = mean(a * b) - middle_a * middle_b
    alike = together / (spread_a * spread_b.clip(_FLAT)).clip(1e-9)
    return np.where(spread_a > _TEXTURE, alike, np.nan)
