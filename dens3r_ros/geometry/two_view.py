# SPDX-License-Identifier: Apache-2.0
"""How two cameras stand to one another, from points that both see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import poselib

Cameras = tuple[np.ndarray, np.ndarray]
"""Camera matrices (3, 3) of views a and b."""

_INLIER_PIXELS = 1.5
_LOSS_PIXELS = 0.25
_ITERATIONS: dict = {"max_iterations": 1000, "min_iterations": 100}
_REFINED = {"loss_type": "CAUCHY", "loss_scale": _LOSS_PIXELS, "max_iterations": 50}
_LEAST_TRACKS = 8
_ROTATION_ROUNDS = 5


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
) -> np.ndarray:
    """(N,) bool: which tracks agree with one motion, of known cameras or of any."""
    if len(pixels_a) < _LEAST_TRACKS:
        return np.zeros(len(pixels_a), dtype=bool)
    search = {"max_epipolar_error": _INLIER_PIXELS, "seed": 0, **_ITERATIONS}
    if cameras is None:
        _, found = poselib.estimate_fundamental(pixels_a, pixels_b, search, {})
    else:
        known = camera(cameras[0]), camera(cameras[1])
        _, found = poselib.estimate_relative_pose(pixels_a, pixels_b, *known, search, {})
    return np.array(found["inliers"], dtype=bool)


def relative_pose(
    pixels_a: np.ndarray, pixels_b: np.ndarray, K_a: np.ndarray, K_b: np.ndarray
) -> TwoView | None:
    """The pose under which most tracks (N, 2) of calibrated views agree; None of too few.

    Equal input gives equal output.
    """
    if len(pixels_a) < _LEAST_TRACKS:
        return None
    search = {"max_epipolar_error": _INLIER_PIXELS, "seed": 0, **_ITERATIONS}
    pose, found = poselib.estimate_relative_pose(
        pixels_a, pixels_b, camera(K_a), camera(K_b), search, _REFINED
    )
    return two_view(pose, K_a, K_b, np.array(found["inliers"], dtype=bool))


def two_view(
    pose: poselib.CameraPose, K_a: np.ndarray, K_b: np.ndarray, inliers: np.ndarray
) -> TwoView | None:
    """The estimator's pose at unit baseline, None where it has no baseline or no support."""
    T_b_a = np.eye(4)
    T_b_a[:3] = pose.Rt
    baseline = np.linalg.norm(T_b_a[:3, 3])
    if inliers.sum() < _LEAST_TRACKS or not np.isfinite(T_b_a).all() or baseline < 1e-9:
        return None
    T_b_a[:3, 3] /= baseline
    return TwoView(T_b_a, K_a, K_b, inliers)


def camera(K: np.ndarray) -> dict:
    """The estimator's words for a pinhole camera."""
    parameters = [K[0, 0], K[1, 1], K[0, 2], K[1, 2]]
    size = [int(2 * K[0, 2]) + 1, int(2 * K[1, 2]) + 1]
    return {"model": "PINHOLE", "width": size[0], "height": size[1], "params": parameters}


def rotation_only(
    pixels_a: np.ndarray, pixels_b: np.ndarray, K_a: np.ndarray, K_b: np.ndarray
) -> np.ndarray:
    """(N,) pixels in b by which each track misses the rotation that suits most of them."""
    rays_a = _unit(pixels_a, K_a)
    rays_b = _unit(pixels_b, K_b)
    weight = np.ones(len(rays_a))
    for _ in range(_ROTATION_ROUNDS):
        R_b_a = _rotation(rays_a, rays_b, weight)
        turned = rays_a @ R_b_a.T
        seen = turned @ K_b.T
        miss = np.linalg.norm(seen[:, :2] / seen[:, 2:] - pixels_b, axis=1)
        weight = 1 / (1 + miss**2)
    return np.where(turned[:, 2] > 0, miss, np.inf)


def _unit(pixels: np.ndarray, K: np.ndarray) -> np.ndarray:
    rays = np.column_stack([(pixels - K[:2, 2]) / np.diag(K)[:2], np.ones(len(pixels))])
    return rays / np.linalg.norm(rays, axis=1, keepdims=True)


def _rotation(rays_a: np.ndarray, rays_b: np.ndarray, weight: np.ndarray) -> np.ndarray:
    U, _, Vt = np.linalg.svd((rays_b * weight[:, None]).T @ rays_a)
    return U @ np.diag([1, 1, np.linalg.det(U @ Vt)]) @ Vt
