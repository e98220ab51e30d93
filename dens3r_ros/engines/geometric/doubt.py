# SPDX-License-Identifier: Apache-2.0
"""What the uncertainty of the motion means for depth."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from dens3r_ros.geometry.two_views.triangulation import landing_of, triangulate
from dens3r_ros.geometry.two_views.two_view import Cameras

_STEP = 8
_LARGEST = 0.5

Seen = tuple[Cameras, np.ndarray]
"""This view's camera matrix and the other's, and the pose of this view in the other."""


def motion_doubt(inverse_depth: np.ndarray, seen: Seen, nearby: Sequence[Seen]) -> np.ndarray:
    """(H, W) float32 standard deviation of relative inverse depth that the motion's brings.

    What scales all depths alike does not count: the unit is the pair's own. `nearby` are motions
    one standard deviation away.
    """
    few = inverse_depth[::_STEP, ::_STEP]
    (K_view, K_seen), T_seen = seen
    x, y = landing_of(few, _of_few(K_view), K_seen, T_seen)
    K, K_other = (
        np.array(matrices) for matrices in zip(*(pair for pair, _ in nearby), strict=True)
    )
    T = np.array([pose for _, pose in nearby])
    others = triangulate(x, y, _of_few(K), K_other, T).inverse_depth
    change = np.log(np.maximum(others, 1e-6) / few)
    change -= np.median(change, axis=(1, 2), keepdims=True)
    doubt = np.sqrt((np.clip(change, -_LARGEST, _LARGEST) ** 2).sum(axis=0))
    return cv2.resize(doubt, inverse_depth.shape[::-1])


def _of_few(K: np.ndarray) -> np.ndarray:
    """The camera of every few pixels, the first of them its first."""
    return np.diag([1 / _STEP, 1 / _STEP, 1]) @ K
