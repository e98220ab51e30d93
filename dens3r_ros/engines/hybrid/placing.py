# SPDX-License-Identifier: Apache-2.0
"""Where two views stand when there is no parallax to tell: from the network's points of one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import poselib

from dens3r_ros.engines.hybrid.alone import Alone
from dens3r_ros.geometry.two_views.two_view import Cameras

_MISS_PIXELS = 3.0
_MISS_DEVIATIONS = 2.0
_LEAST_TRACKS = 40
_LEAST_SHARE = 0.4
_LEAST_KEYPOINTS = 8
CLEAR_AGREEMENT = 0.3
"""Share of all pixels that come back to themselves with which flow stands by itself."""
_SEARCH: dict = {
    "max_reproj_error": _MISS_PIXELS,
    "seed": 0,
    "max_iterations": 1000,
    "min_iterations": 50,
}
_REFINED = {"loss_type": "CAUCHY", "loss_scale": 1.0, "max_iterations": 50}


@dataclass(frozen=True, eq=False)
class Tracks:
    """(N, 2) pixels of a and of b that show the same points; the last `keypoints` of them are
    keypoints."""

    pixels_a: np.ndarray
    pixels_b: np.ndarray
    keypoints: int
    agreement: float
    """Share of all pixels that come back to themselves."""

    def support(self, inliers: np.ndarray) -> bool:
        """Whether the motion of these inliers (N,) is more than what flow agrees on with itself,
        as on tiles, where it may be off by a whole one both ways alike."""
        keypoints = inliers[len(inliers) - self.keypoints :].sum()
        return bool(keypoints >= _LEAST_KEYPOINTS or self.agreement > CLEAR_AGREEMENT)


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
    if not np.isfinite(T_a_b).all():
        return None
    return T_a_b if tracks.support(meets(tracks, alone_b, cameras, T_a_b)) else None


def meets(tracks: Tracks, alone_b: Alone, cameras: Cameras, T_a_b: np.ndarray) -> np.ndarray:
    """(N,) bool: which tracks are where the points of b's network are seen from there, as far as
    the network knows their depth."""
    off = strayed(tracks.pixels_b, tracks.pixels_a, alone_b, cameras, T_a_b)
    return off < _MISS_PIXELS


def strayed(
    pixels_b: np.ndarray,
    pixels_a: np.ndarray,
    alone_b: Alone,
    cameras: Cameras,
    T_a_b: np.ndarray,
) -> np.ndarray:
    """(N,) pixels by which matches (N, 2) are off in a, beyond what the error of the network's
    depth in b accounts for; infinite where it knows none."""
    points, known = _points(pixels_b, alone_b.inverse, alone_b.error, cameras[1])
    turned = points @ T_a_b[:3, :3].T
    far, seen = (_seen(there, cameras[0]) for there in (turned, turned + T_a_b[:3, 3]))
    x, y = _nearest(pixels_b, alone_b.inverse.shape)
    by_depth = np.linalg.norm(seen - far, axis=1)[known] * alone_b.error[y, x][known]
    off = np.full(len(points), np.inf)
    missed = np.linalg.norm(seen - pixels_a, axis=1)[known]
    off[known] = np.sqrt(np.maximum(missed**2 - (_MISS_DEVIATIONS * by_depth) ** 2, 0))
    return off


def _seen(points: np.ndarray, K: np.ndarray) -> np.ndarray:
    """(N, 2) pixels of points in a camera's frame."""
    pixels = points @ K.T
    return pixels[:, :2] / np.maximum(pixels[:, 2:], 1e-9)


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
