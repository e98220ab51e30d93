# SPDX-License-Identifier: Apache-2.0
"""Where two views could tell depth at all, by the truth."""

from __future__ import annotations

import numpy as np

from dens3r_ros.evaluation.image_pairs.pair_sets import TruePair
from dens3r_ros.evaluation.image_pairs.true_maps import TrueMaps

_LEAST_DEGREES = 1.0
_SAME_SURFACE = 0.05
"""Relative depth within which both views see one surface."""


def parallax_pixels(pair: TruePair, truth: TrueMaps) -> np.ndarray:
    """(H, W) bool: pixels of a whose true point b sees too, from at least 1 degree aside.

    b sees a point that falls into its image, and whose depth there is known and agrees to 5%.
    """
    T_b_a = np.linalg.inv(truth.T_a_b).astype(np.float32)
    known = np.isfinite(truth.points_a).all(-1)
    points = truth.points_a[known]
    in_b = points @ T_b_a[:3, :3].T + T_b_a[:3, 3]
    found = np.zeros(known.shape, dtype=bool)
    found[known] = _seen(in_b, pair) & (
        _degrees(points, points - truth.T_a_b[:3, 3]) >= _LEAST_DEGREES
    )
    return found


def _seen(points: np.ndarray, pair: TruePair) -> np.ndarray:
    """(N,) bool: points (N, 3) in b's frame that are the nearest surface in some pixel of b."""
    camera, depth = pair.cameras[1], pair.truth_b.depth
    ahead = points[:, 2] > 0
    slopes = points[:, :2] / np.where(ahead, points[:, 2], 1)[:, None]
    pixels = slopes * [camera.fx, camera.fy] + [camera.cx, camera.cy]
    inside = ahead & ((pixels > -0.5) & (pixels < [camera.width - 0.5, camera.height - 0.5])).all(1)
    x, y = np.where(inside[:, None], pixels, 0).round().astype(int).T
    with np.errstate(invalid="ignore"):
        return inside & (np.abs(points[:, 2] / depth[y, x] - 1) < _SAME_SURFACE)


def _degrees(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    cosine = (first * second).sum(1)
    cosine /= np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))
