# SPDX-License-Identifier: Apache-2.0
"""Relative pose of two views by one camera whose focal length is not known."""

from __future__ import annotations

import numpy as np
import poselib

from dens3r_ros.geometry.two_view import Cameras, TwoView, camera, relative_pose

_ASSUMED_VIEW = np.radians(60)
_ASSUMED_SPREAD = 0.35
_TRIED_VIEWS = np.radians([110, 96, 83, 72, 60, 51, 43, 36, 30])
_MOST_TRACKS = 500
_INDEPENDENT_TRACKS = 100
_TOLERANCE = 0.5


def assumed_cameras(size: tuple[int, int]) -> Cameras:
    """Cameras of (height, width) images whose long side spans 60 degrees."""
    K = _camera_matrix(float(_focal(_ASSUMED_VIEW, size)), size)
    return K, K


def cameras_to_try(size: tuple[int, int]) -> list[Cameras]:
    """Cameras of (height, width) images, from wide views to narrow ones."""
    matrices = [_camera_matrix(focal, size) for focal in _focal(_TRIED_VIEWS, size)]
    return [(K, K) for K in matrices]


def relative_pose_of_unknown_focal(
    pixels_a: np.ndarray, pixels_b: np.ndarray, size: tuple[int, int]
) -> TwoView | None:
    """Pose and shared focal length that suit most tracks (N, 2); None of too few.

    Square pixels, the principal point at the centre of (height, width). Where the motion says
    little of the focal length, it stays near a view of 60 degrees.
    """
    K, _ = assumed_cameras(size)
    found = _shared_focal(pixels_a, pixels_b, size)
    if found is not None:
        pose, inliers = found
        K = _camera_matrix(_best_focal(pixels_a[inliers], pixels_b[inliers], size, pose), size)
    return relative_pose(pixels_a, pixels_b, K, K)


def _shared_focal(
    pixels_a: np.ndarray, pixels_b: np.ndarray, size: tuple[int, int]
) -> tuple[poselib.CameraPose, np.ndarray] | None:
    centre = _camera_matrix(1.0, size)[:2, 2]
    search = {"max_epipolar_error": 1.5, "seed": 0, "max_iterations": 500, "min_iterations": 100}
    pair, found = poselib.estimate_shared_focal_relative_pose(
        pixels_a - centre, pixels_b - centre, np.zeros(2), search, {}
    )
    inliers = np.flatnonzero(found["inliers"])
    if len(inliers) < 20:
        return None
    return pair.pose, inliers[:: len(inliers) // _MOST_TRACKS + 1]


def _best_focal(
    pixels_a: np.ndarray, pixels_b: np.ndarray, size: tuple[int, int], pose: poselib.CameraPose
) -> float:
    """The likeliest of focal lengths, each judged by the best pose that goes with it."""
    focals = _focal(_TRIED_VIEWS, size)
    off = np.log(focals / _focal(_ASSUMED_VIEW, size))
    unlikely = [_misfit(pixels_a, pixels_b, _camera_matrix(f, size), pose) for f in focals]
    total = _INDEPENDENT_TRACKS * np.array(unlikely) + off**2 / (2 * _ASSUMED_SPREAD**2)
    best = int(np.clip(total.argmin(), 1, len(focals) - 2))
    curve = np.polynomial.Polynomial.fit(off[best - 1 : best + 2], total[best - 1 : best + 2], 2)
    lowest = curve.deriv().roots()
    if curve.deriv(2)(0) <= 0 or not off[best - 1] <= lowest[0] <= off[best + 1]:
        return float(focals[total.argmin()])
    return float(_focal(_ASSUMED_VIEW, size) * np.exp(lowest[0]))


def _misfit(
    pixels_a: np.ndarray, pixels_b: np.ndarray, K: np.ndarray, pose: poselib.CameraPose
) -> float:
    """Mean robust epipolar error after the pose is refined for this camera."""
    options = {"loss_type": "CAUCHY", "loss_scale": _TOLERANCE, "max_iterations": 20}
    refined, _ = poselib.refine_relative_pose(
        pixels_a, pixels_b, pose, camera(K), camera(K), options
    )
    error = epipolar_error(pixels_a, pixels_b, refined.R, refined.t, K)
    return float(np.log1p((error / _TOLERANCE) ** 2).mean())


def epipolar_error(
    pixels_a: np.ndarray, pixels_b: np.ndarray, R: np.ndarray, t: np.ndarray, K: np.ndarray
) -> np.ndarray:
    """(N,) Sampson errors in pixels of tracks under a pose."""
    inverse = np.linalg.inv(K)
    F = inverse.T @ np.cross(t, R, axisb=0, axisc=0) @ inverse
    a = np.column_stack([pixels_a, np.ones(len(pixels_a))])
    b = np.column_stack([pixels_b, np.ones(len(pixels_b))])
    line_b, line_a = a @ F.T, b @ F
    slope = np.hypot(np.hypot(*line_b[:, :2].T), np.hypot(*line_a[:, :2].T))
    return np.abs((b * line_b).sum(1)) / np.maximum(slope, 1e-12)


def _focal(view: np.ndarray | float, size: tuple[int, int]) -> np.ndarray:
    return max(size) / 2 / np.tan(np.asarray(view) / 2)


def _camera_matrix(focal: float, size: tuple[int, int]) -> np.ndarray:
    centre_y, centre_x = (size[0] - 1) / 2, (size[1] - 1) / 2
    return np.array([[focal, 0.0, centre_x], [0.0, focal, centre_y], [0.0, 0.0, 1.0]])
