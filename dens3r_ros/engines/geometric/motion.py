# SPDX-License-Identifier: Apache-2.0
"""The motion between two views, where correspondences leave no doubt about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dens3r_ros.engines.geometric.correspondence import Correspondence
from dens3r_ros.geometry.two_views.motion_fit import FocalGuess
from dens3r_ros.geometry.two_views.turning import best_rotation
from dens3r_ros.geometry.two_views.two_view import Cameras
from dens3r_ros.geometry.two_views.two_view_focal import assumed_focal, cameras_to_try
from dens3r_ros.geometry.two_views.two_view_search import Likeliest, likeliest_motion

_PARALLAX_PIXELS = 1.5
_PARALLAX_SHARE = 0.3
LEAST_INLIERS = 60
_LEAST_INLIER_SHARE = 0.7
_LEAST_KEYPOINTS = 12
_CLEAR_AGREEMENT = 0.2
_LEAST_CELLS = 0.15
_CELLS_ALONG = 12
_LARGEST_DIRECTION_SIGMA = 6.0
_LARGEST_FOCAL_CHANGE = 0.65
"""Of the logarithm of an assumed focal length: motions that err bend it out of all proportion."""


@dataclass(frozen=True)
class _Limits:
    """Largest standard deviation of the rotation in degrees, and least rivalry."""

    turn_sigma: float
    rivalry: float


_CALIBRATED = _Limits(turn_sigma=1.6, rivalry=1.1)
_UNCALIBRATED = _Limits(turn_sigma=1.0, rivalry=1.3)
"""Stricter, as a lens that is not what it is taken for misleads beyond what tracks can tell."""


def motion_between(
    found: Correspondence,
    cameras: Cameras | None,
    size: tuple[int, int],
    guess: FocalGuess | None = None,
    least: int = LEAST_INLIERS,
) -> Likeliest | None:
    """Relative pose of two views of (height, width); None without parallax or enough support, which
    is at least so many tracks. `guess`: what somebody else says of the lens of unknown cameras."""
    a, b = found.pixels_a, found.pixels_b
    if len(a) < least or not _has_parallax(a, b, cameras, size):
        return None
    likeliest = likeliest_motion(a, b, cameras, size, found.pose, guess)
    if likeliest is None or not _supported(likeliest.view.inliers, found, least):
        return None
    return likeliest if _certain(likeliest, a, size, cameras is not None) else None


def _has_parallax(
    pixels_a: np.ndarray, pixels_b: np.ndarray, cameras: Cameras | None, size: tuple[int, int]
) -> bool:
    """Whether no rotation, of these cameras or of any, explains nearly all tracks."""
    tried = [cameras] if cameras else cameras_to_try(size)
    return all(
        (best_rotation(pixels_a, pixels_b, *pair)[1] > _PARALLAX_PIXELS).mean() > _PARALLAX_SHARE
        for pair in tried
    )


def _supported(inliers: np.ndarray, found: Correspondence, least: int) -> bool:
    """Whether most tracks agree, and not only with themselves.

    Flow may agree with any start by chance; many keypoints, or much of the image, do not.
    """
    if inliers.sum() < least or inliers.mean() < _LEAST_INLIER_SHARE:
        return False
    keypoints = inliers[len(inliers) - found.keypoints :].sum()
    return keypoints >= _LEAST_KEYPOINTS or found.flow.agreement > _CLEAR_AGREEMENT


def _certain(found: Likeliest, pixels: np.ndarray, size: tuple[int, int], calibrated: bool) -> bool:
    """Whether tracks in enough places tell one motion, and no other nearly as well.

    Tracks of one place say the same: the fewer places, the larger the deviation.
    """
    side = max(size) / _CELLS_ALONG
    columns, rows = (pixels[found.view.inliers] // side).astype(int).T
    filled = len(np.unique(rows * _CELLS_ALONG + columns))
    cells = min(1.0, filled * side**2 / (size[0] * size[1]))
    widened = 1 / np.sqrt(cells)
    limits = _CALIBRATED if calibrated else _UNCALIBRATED
    return (
        cells > _LEAST_CELLS
        and found.turn_sigma * widened < limits.turn_sigma
        and found.direction_sigma * widened < _LARGEST_DIRECTION_SIGMA
        and found.rivalry > limits.rivalry
        and (calibrated or _usual_view(found.view.K_a[0, 0], size))
    )


def _usual_view(focal: float, size: tuple[int, int]) -> bool:
    """Whether a camera's long side spans some 34 to 95 degrees."""
    return bool(abs(np.log(focal / assumed_focal(size))) < _LARGEST_FOCAL_CHANGE)
