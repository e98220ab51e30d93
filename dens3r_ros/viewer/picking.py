# SPDX-License-Identifier: Apache-2.0
"""Which point a person means, and which lie in a box."""

from __future__ import annotations

import numpy as np

_WIDTH = 0.01
"""Tangent of the angle around a ray within which the nearest point is the one that is meant."""


def picked(points: np.ndarray, origin: np.ndarray, direction: np.ndarray) -> int | None:
    """Number of the point (N, 3) that a ray hits first; None where it passes all by."""
    if not len(points):
        return None
    forward = direction / np.linalg.norm(direction)
    away = points - origin
    along = away @ forward
    ahead = along > 1e-9
    aside = np.linalg.norm(away - along[:, None] * forward, axis=1)
    hit = ahead & (aside < _WIDTH * along)
    if not hit.any():
        return None
    # Of the points around the ray the nearest surface counts, and there the most central point.
    near = hit & (along < along[hit].min() * 1.02)
    return int(np.flatnonzero(near)[aside[near].argmin()])


def inside(points: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """(N,) whether points lie in a box."""
    return np.asarray(((points >= low) & (points <= high)).all(1))


def box_edges(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """(12, 2, 3) line segments of a box."""
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
    edges = [
        (a, b)
        for a in range(8)
        for b in range(a + 1, 8)
        if np.abs(corners[a] - corners[b]).sum() == 1
    ]
    placed = low + corners * (high - low)
    return np.array([[placed[a], placed[b]] for a, b in edges], np.float32)
