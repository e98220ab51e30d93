# SPDX-License-Identifier: Apache-2.0
"""How two cameras stand to one another, from points that both see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import poselib

Cameras = tuple[np.ndarray, np.ndarray]
"""Camera matrices (3, 3) of views a and b."""

Pose = tuple[np.ndarray, np.ndarray]
"""R (3, 3) and t (3,) of unit length, which take points of a to b."""

INLIER_PIXELS = 1.5
LEAST_TRACKS = 8
_LOSS_PIXELS = 0.25
_SEARCHED_TRACKS = 150
_SEARCH: dict = {
    "max_epipolar_error": INLIER_PIXELS,
    "seed": 0,
    "max_iterations": 1000,
    "min_iterations": 100,
}
_SHORT_SEARCH = {**_SEARCH, "min_iterations": 30}
_REFINED = {"loss_type": "CAUCHY", "loss_scale": _LOSS_PIXELS, "max_iterations": 50}


@dataclass(frozen=True, eq=False)
class TwoView:
    """The pose of view a in b, of unit baseline, and the tracks that agree with it.

    T_b_a       (4, 4) float64
    K_a, K_b    (3, 3) float64 camera matrices, given or estimated
    inliers     (N,) bool
    """

    T_b_a: np.ndarray
    K_a: np.ndarray
    K_b: np.ndarray
    inliers: np.ndarray


def consistent_tracks(
    pixels_a: np.ndarray, pixels_b: np.ndarray, cameras: Cameras | None
) -> tuple[np.ndarray, Pose | None]:
    """(N,) bool: which tracks agree with one motion, of known cameras or of any; and its pose, if
    they are known."""
    if len(pixels_a) < LEAST_TRACKS:
        return np.zeros(len(pixels_a), dtype=bool), None
    few = slice(None, None, -(-len(pixels_a) // _SEARCHED_TRACKS))
    if cameras is None:
        F, _ = poselib.estimate_fundamental(pixels_a[few], pixels_b[few], _SHORT_SEARCH, {})
        return _epipolar_error(pixels_a, pixels_b, np.array(F)) < INLIER_PIXELS, None
    known = _camera(cameras[0]), _camera(cameras[1])
    found = poselib.estimate_relative_pose(pixels_a[few], pixels_b[few], *known, _SHORT_SEARCH, {})
    pose = unit_baseline(found[0])
    if pose is None:
        return np.zeros(len(pixels_a), dtype=bool), None
    F = _fundamental(pose, cameras)
    return _epipolar_error(pixels_a, pixels_b, F) < INLIER_PIXELS, pose


def sampled_pose(pixels_a: np.ndarray, pixels_b: np.ndarray, cameras: Cameras) -> Pose | None:
    """The pose under which most tracks (N, 2) agree; None of no sound one.

    Equal input gives equal output.
    """
    K_a, K_b = cameras
    pose, _ = poselib.estimate_relative_pose(
        pixels_a, pixels_b, _camera(K_a), _camera(K_b), _SEARCH, _REFINED
    )
    return unit_baseline(pose)


def refined_pose(
    pixels_a: np.ndarray,
    pixels_b: np.ndarray,
    cameras: Cameras,
    pose: Pose,
) -> TwoView | None:
    """The pose near the given one that suits all tracks best, wrong ones counting little."""
    start = poselib.CameraPose()
    start.R, start.t = pose
    K_a, K_b = cameras
    refined, _ = poselib.refine_relative_pose(
        pixels_a, pixels_b, start, _camera(K_a), _camera(K_b), _REFINED
    )
    found = unit_baseline(refined)
    if found is None:
        return None
    T_b_a = np.eye(4)
    T_b_a[:3, :3], T_b_a[:3, 3] = found
    inliers = _epipolar_error(pixels_a, pixels_b, _fundamental(found, cameras)) < INLIER_PIXELS
    return TwoView(T_b_a, K_a, K_b, inliers)


def unit_baseline(pose: poselib.CameraPose) -> Pose | None:
    """The estimator's pose, t of unit length; None where it has no baseline."""
    R, t = np.array(pose.R), np.array(pose.t)
    baseline = np.linalg.norm(t)
    if not (np.isfinite(R).all() and np.isfinite(t).all()) or baseline < 1e-9:
        return None
    return R, t / baseline


def epipolar_misses(
    pixels_a: np.ndarray, pixels_b: np.ndarray, pose: Pose, cameras: Cameras
) -> np.ndarray:
    """(N,) pixels by which tracks (N, 2) miss the epipolar lines that a pose gives them."""
    return _epipolar_error(pixels_a, pixels_b, _fundamental(pose, cameras))


def _camera(K: np.ndarray) -> dict:
    """The estimator's words for a pinhole camera."""
    parameters = [K[0, 0], K[1, 1], K[0, 2], K[1, 2]]
    size = [int(2 * K[0, 2]) + 1, int(2 * K[1, 2]) + 1]
    return {"model": "PINHOLE", "width": size[0], "height": size[1], "params": parameters}


def _fundamental(pose: Pose, cameras: Cameras) -> np.ndarray:
    """(3, 3) matrix F with b . F a = 0 for homogeneous pixels of a and b of one point."""
    R, t = pose
    K_a, K_b = cameras
    return np.linalg.inv(K_b).T @ np.cross(t, R, axisb=0, axisc=0) @ np.linalg.inv(K_a)


def _epipolar_error(pixels_a: np.ndarray, pixels_b: np.ndarray, F: np.ndarray) -> np.ndarray:
    """(N,) Sampson errors in pixels of tracks."""
    a = np.column_stack([pixels_a, np.ones(len(pixels_a))])
    b = np.column_stack([pixels_b, np.ones(len(pixels_b))])
    in_b, in_a = a @ F.T, b @ F
    slope = np.hypot(np.hypot(*in_b[:, :2].T), np.hypot(*in_a[:, :2].T))
    return np.abs((b * in_b).sum(1)) / np.maximum(slope, 1e-12)
