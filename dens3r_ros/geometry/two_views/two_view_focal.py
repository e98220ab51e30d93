# SPDX-License-Identifier: Apache-2.0
"""What can be said of one camera's focal length from two views, and before any view."""

from __future__ import annotations

import numpy as np
import poselib

from dens3r_ros.geometry.two_views.two_view import INLIER_PIXELS, Cameras, unit_baseline

ASSUMED_SPREAD = 0.35
"""How far the logarithm of the focal length may be off the assumed one."""

_ASSUMED_VIEW = np.radians(60)
_TRIED_VIEWS = np.radians([110, 96, 83, 72, 60, 51, 43, 36, 30])
_WIDEST, _NARROWEST = np.radians([120, 20])
_SEARCH: dict = {
    "max_epipolar_error": INLIER_PIXELS,
    "seed": 0,
    "max_iterations": 500,
    "min_iterations": 100,
}


def assumed_cameras(size: tuple[int, int]) -> Cameras:
    """Cameras of (height, width) images whose long side spans 60 degrees."""
    return cameras_of_focal(assumed_focal(size), size)


def assumed_focal(size: tuple[int, int]) -> float:
    """Focal length in pixels of a view of 60 degrees."""
    return float(_focal(_ASSUMED_VIEW, size))


def cameras_to_try(size: tuple[int, int]) -> list[Cameras]:
    """Cameras of (height, width) images, from wide views to narrow ones."""
    return [cameras_of_focal(focal, size) for focal in _focal(_TRIED_VIEWS, size)]


def cameras_of_focal(focal: float, size: tuple[int, int]) -> Cameras:
    """Both views' matrices: square pixels, principal point at the centre of (height, width)."""
    centre_y, centre_x = (size[0] - 1) / 2, (size[1] - 1) / 2
    K = np.array([[focal, 0.0, centre_x], [0.0, focal, centre_y], [0.0, 0.0, 1.0]])
    return K, K


def sampled_pose_and_focal(
    pixels_a: np.ndarray, pixels_b: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, float] | None:
    """R, t and shared focal length under which most tracks (N, 2) agree; None of no sound one."""
    (K, _) = assumed_cameras(size)
    pair, _ = poselib.estimate_shared_focal_relative_pose(
        pixels_a - K[:2, 2], pixels_b - K[:2, 2], np.zeros(2), _SEARCH, {}
    )
    found = unit_baseline(pair.pose)
    focal = pair.camera1.focal()
    if found is None or not np.isfinite(focal):
        return None
    return *found, float(np.clip(focal, _focal(_WIDEST, size), _focal(_NARROWEST, size)))


def _focal(view: np.ndarray | float, size: tuple[int, int]) -> np.ndarray:
    return max(size) / 2 / np.tan(np.asarray(view) / 2)
