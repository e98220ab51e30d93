# SPDX-License-Identifier: Apache-2.0
"""Which tracks may stand still, by the pose that somebody expects of two views."""

from __future__ import annotations

import numpy as np

from dens3r_ros.geometry.two_views.two_view import Cameras, Pose, epipolar_misses

_NEAR = 3.0
"""Pixels from their epipolar lines within which tracks agree with a pose that is not exact."""
_LEAST_SHARE = 0.3
"""Share of the tracks that must agree before a pose is believed."""


def near_pose(T_b_a: np.ndarray | None) -> Pose | None:
    """R and t of unit length of a pose (4, 4); None of one without a baseline."""
    if T_b_a is None:
        return None
    baseline = float(np.linalg.norm(T_b_a[:3, 3]))
    return None if baseline < 1e-9 else (T_b_a[:3, :3], T_b_a[:3, 3] / baseline)


def near_tracks(
    pixels_a: np.ndarray, pixels_b: np.ndarray, near: Pose | None, cameras: Cameras | None
) -> np.ndarray | None:
    """(N,) bool: which tracks (N, 2) may be of what stands still; None where no pose is expected,
    or too few agree with it."""
    if near is None or cameras is None or not len(pixels_a):
        return None
    agree = epipolar_misses(pixels_a, pixels_b, near, cameras) < _NEAR
    return agree if agree.mean() > _LEAST_SHARE else None
