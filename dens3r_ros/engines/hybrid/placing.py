# SPDX-License-Identifier: Apache-2.0
"""Where two views stand when there is no parallax to tell: from the network's points of one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import poselib

from dens3r_ros.engines.hybrid.alone import Alone
from dens3r_ros.geometry.two_views.two_view import Cameras

_MISS_PIXELS = 3.0
_LEAST_TRACKS = 40
_LEAST_SHARE = 0.4
_SEARCH: dict = {
    "max_reproj_error": _MISS_PIXELS,
    "seed": 0,
    "max_iterations": 1000,
    "min_iterations": 50,
}
_REFINED = {"loss_type": "CAUCHY", "loss_scale": 1.0, "max_iterations": 50}


@dataclass(frozen=True, eq=False)
class Tracks:
    """(N, 2) pixels of a and of b that show the same points."""

    pixels_a: np.ndarray
    pixels_b: np.ndarray


def place(tracks: Tracks, alone_b: Alone, cameras: Cameras) -> np.ndarray | None:
    """T_a_b (4, 4), rigid, in the unit of b's network; None where few tracks agree on one."""
    points, known = _points(tracks.pixels_b, alone_b.inverse, alone_b.error, cameras[1])
    if known.sum() < _LEAST_TRACKS:
        return None
    pixels = tracks.pixels_a[known].astype(np.float64)
    camera = _camera(cameras[0], alone_b.inverse.shape)
    found, told = poselib.estimate_absolute_pose(pixels, points[known], camera, _SEARCH, _REFINED)
    inliers = np.array(told["inliers"])
    T_a_b = np.eye(4)
    T_a_b[:3] = found.Rt
    if inliers.sum() < _LEAST_TRACKS or inliers.mean() < _LEAST_SHARE:
        return None
    return T_a_b if np.isfinite(T_a_b).all() else None


def relative_unit(
    tracks: Tracks, alone_a: Alone, inverse_b: np.ndarray, K_b: np.ndarray, T_a_b: np.ndarray
) -> float | None:
    """Length of the unit of a's network in that of b, from what both see; None of too little."""
    points, known = _points(tracks.pixels_b, inverse_b, np.zeros_like(inverse_b), K_b)
    depth = points @ T_a_b[2, :3] + T_a_b[2, 3]
    x, y = _nearest(tracks.pixels_a, alone_a.inverse.shape)
    known &= (depth > 0) & np.isfinite(alone_a.error[y, x])
    if known.sum() < _LEAST_TRACKS:
        return None
    return float(np.exp(np.median(np.log(depth[known] * alone_a.inverse[y, x][known]))))


def _points(
    pixels: np.ndarray, inverse: np.ndarray, error: np.ndarray, K: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3) points on the rays of the pixels, and (N,) which of them are known."""
    x, y = _nearest(pixels, inverse.shape)
    rays = np.column_stack([pixels, np.ones(len(pixels))]) @ np.linalg.inv(K).T
    return rays / inverse[y, x][:, None].astype(np.float64), np.isfinite(error[y, x])


def _nearest(pixels: np.ndarray, size: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.rint(pixels).astype(int).T
    return x.clip(0, size[1] - 1), y.clip(0, size[0] - 1)


def _camera(K: np.ndarray, size: tuple[int, ...]) -> dict:
    parameters = [K[0, 0], K[1, 1], K[0, 2], K[1, 2]]
    return {"model": "PINHOLE", "width": size[1], "height": size[0], "params": parameters}
