# SPDX-License-Identifier: Apache-2.0
"""The motion between two views, where correspondences leave no doubt about it."""

from __future__ import annotations

import numpy as np

from dens3r_ros.engines.geometric.correspondence import Correspondence
from dens3r_ros.geometry.two_view import Cameras, TwoView, relative_pose, rotation_only
from dens3r_ros.geometry.two_view_focal import cameras_to_try, relative_pose_of_unknown_focal

_PARALLAX_PIXELS = 1.5
_PARALLAX_SHARE = 0.2
_LEAST_INLIERS = 60
_LEAST_INLIER_SHARE = 0.7
_LEAST_AGREEMENT = 0.05
_CELLS_ALONG = 12
_LEAST_CELLS = 0.2
_LEAST_CELLS_UNCALIBRATED = 0.3


def motion_between(
    found: Correspondence, cameras: Cameras | None, size: tuple[int, int]
) -> TwoView | None:
    """Relative pose of two views of (height, width); None without parallax or enough support."""
    a, b = found.pixels_a, found.pixels_b
    if len(a) < _LEAST_INLIERS or not _has_parallax(a, b, cameras, size):
        return None
    if cameras is None:
        view = relative_pose_of_unknown_focal(a, b, size)
    else:
        view = relative_pose(a, b, *cameras)
    if view is None or found.flow.agreement < _LEAST_AGREEMENT:
        return None
    least_cells = _LEAST_CELLS if cameras else _LEAST_CELLS_UNCALIBRATED
    return view if _supported(view, a, size, least_cells) else None


def _has_parallax(
    pixels_a: np.ndarray, pixels_b: np.ndarray, cameras: Cameras | None, size: tuple[int, int]
) -> bool:
    """Whether no rotation, of these cameras or of any, explains nearly all tracks."""
    tried = [cameras] if cameras else cameras_to_try(size)
    return all(
        (rotation_only(pixels_a, pixels_b, *pair) > _PARALLAX_PIXELS).mean() > _PARALLAX_SHARE
        for pair in tried
    )


def _supported(
    view: TwoView, pixels: np.ndarray, size: tuple[int, int], least_cells: float
) -> bool:
    """Whether the tracks that agree are many, most of all, and spread over the image.

    Wrong poses of views that hardly overlap are found from tracks crowded in few places.
    """
    inliers = view.inliers
    if inliers.sum() < _LEAST_INLIERS or inliers.mean() < _LEAST_INLIER_SHARE:
        return False
    side = max(size) / _CELLS_ALONG
    filled = len(np.unique((pixels[inliers] // side).astype(int), axis=0))
    return filled >= least_cells * size[0] * size[1] / side**2
