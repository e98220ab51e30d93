# SPDX-License-Identifier: Apache-2.0
"""What two photos have in common by keypoints, for engines that compare images and predict
nothing."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import poselib

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.two_views.turning import best_rotation
from dens3r_ros.reconstruction.sparse.measured import AnchorSightings, Depths, MeasuredPair

SIDE = 1280
"""Long side at which keypoints are looked for: smaller ones are lost from afar."""
_MOST = 3000
_CONTRAST = 0.01
_RATIO = 0.8**2
_FEWEST, _SHARE = 24, 0.3
_PIXELS = 2.0
"""Of the engine's image."""
_SEARCH = {"max_epipolar_error": _PIXELS, "seed": 0, "max_iterations": 3000, "min_iterations": 200}
_REFINED = {"loss_type": "CAUCHY", "loss_scale": 0.5}
_PARALLAX = np.deg2rad(1.0)
_ONE_SPOT = 3.0
"""Pixels that matches may miss a mere rotation by, where photos are of one spot."""


@dataclass(frozen=True, eq=False)
class PhotoKeypoints:
    """pixels (N, 2) float32 of the engine's image; descriptors (N, 128) uint8."""

    pixels: np.ndarray
    descriptors: np.ndarray


def keypoints_of(image: np.ndarray, size: tuple[int, int]) -> PhotoKeypoints:
    """SIFT of an (H, W, 3) uint8 RGB image that the engine sees at (height, width)."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    shrink = min(1.0, SIDE / max(grey.shape))
    if shrink < 1:
        grey = cv2.resize(grey, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    found, raw = cv2.SIFT.create(_MOST, contrastThreshold=_CONTRAST).detectAndCompute(
        grey, np.ones_like(grey)
    )
    if not found:
        return PhotoKeypoints(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.uint8))
    pixels, first = np.unique(cv2.KeyPoint.convert(found), axis=0, return_index=True)
    stretch = np.array(size[::-1]) / np.array(grey.shape[::-1])
    pixels = (pixels + 0.5) * stretch - 0.5
    descriptors = raw[first]
    # Square roots of the histograms compare better than the histograms (Hellinger distance).
    root = np.sqrt(descriptors / np.maximum(descriptors.sum(1, keepdims=True), 1e-6))
    return PhotoKeypoints(pixels.astype(np.float32), np.rint(255 * root).astype(np.uint8))


def matched(a: PhotoKeypoints, b: PhotoKeypoints) -> tuple[np.ndarray, np.ndarray]:
    """(M,) keypoints of a and of b that are clearly each other's likeliest."""
    if min(len(a.pixels), len(b.pixels)) < 2:
        return np.zeros(0, int), np.zeros(0, int)
    x, y = (one.descriptors.astype(np.float32) / 255 for one in (a, b))
    x, y = (one / np.linalg.norm(one, axis=1, keepdims=True).clip(1e-6) for one in (x, y))
    like = x @ y.T
    each, to_b = np.arange(len(like)), like.argmax(1)
    best = like[each, to_b]
    mutual = like.argmax(0)[to_b] == each
    like[each, to_b] = -1
    sure = mutual & (1 - best < _RATIO * (1 - like.max(1)))
    return each[sure], to_b[sure]


def shared_focal(
    pixels_a: np.ndarray, pixels_b: np.ndarray, size: tuple[int, int]
) -> tuple[float, int] | None:
    """The focal length that two photos of one lens share, and how many matches say so."""
    if len(pixels_a) < 3 * _FEWEST:
        return None
    middle = (np.array(size[::-1]) - 1) / 2
    pair, info = poselib.estimate_shared_focal_relative_pose(
        pixels_a - middle, pixels_b - middle, np.zeros(2), _SEARCH, {}
    )
    focal = float(pair.camera1.focal())
    usual = 0.35 * max(size) < focal < 4 * max(size)
    count = int(info["num_inliers"])
    return (focal, count) if np.isfinite(focal) and usual and count > 2 * _FEWEST else None


def measured_by_keypoints(
    a: int,
    b: int,
    points: tuple[PhotoKeypoints, PhotoKeypoints],
    matches: tuple[np.ndarray, np.ndarray],
    cameras: tuple[Intrinsics, Intrinsics],
) -> MeasuredPair | None:
    """The comparison; None where too few matches agree with one motion."""
    ids_a, ids_b = matches
    if len(ids_a) < _FEWEST:
        return None
    pixels_a, pixels_b = points[0].pixels[ids_a], points[1].pixels[ids_b]
    pixels_a, pixels_b = pixels_a.astype(float), pixels_b.astype(float)
    found, info = poselib.estimate_relative_pose(
        pixels_a, pixels_b, _told(cameras[0]), _told(cameras[1]), _SEARCH, _REFINED
    )
    good = np.array(info["inliers"], bool)
    if good.sum() < max(_FEWEST, _SHARE * len(good)):
        return None
    ids_a, ids_b, pixels_a, pixels_b = (x[good] for x in (ids_a, ids_b, pixels_a, pixels_b))
    T_b_a = np.eye(4)
    T_b_a[:3, :3], T_b_a[:3, 3] = np.array(found.R), np.array(found.t)
    K_a, K_b = cameras[0].K, cameras[1].K
    turned, miss = best_rotation(pixels_a, pixels_b, K_a, K_b)
    shifted = bool(np.median(miss) > _ONE_SPOT)
    if not shifted:
        T_b_a = np.eye(4)
        T_b_a[:3, :3] = turned
    depth_a, depth_b, known = _triangulated(pixels_a, pixels_b, K_a, K_b, T_b_a)
    known &= shifted
    return MeasuredPair(
        a,
        b,
        np.linalg.inv(T_b_a),
        len(ids_a),
        shifted and bool(known.sum() >= _FEWEST // 2),
        Depths(ids_a[known], depth_a[known]),
        Depths(ids_b[known], depth_b[known]),
        (
            AnchorSightings(b, a, ids_b, pixels_a.astype(np.float32)),
            AnchorSightings(a, b, ids_a, pixels_b.astype(np.float32)),
        ),
    )


def _triangulated(
    pixels_a: np.ndarray, pixels_b: np.ndarray, K_a: np.ndarray, K_b: np.ndarray, T_b_a: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(M,) depth in a and in b, and which are known: before both cameras, with parallax."""
    rays_a = np.column_stack([pixels_a, np.ones(len(pixels_a))]) @ np.linalg.inv(K_a).T
    rays_b = np.column_stack([pixels_b, np.ones(len(pixels_b))]) @ np.linalg.inv(K_b).T
    turned, t = rays_a @ T_b_a[:3, :3].T, T_b_a[:3, 3]
    # depth_a * turned + t = depth_b * rays_b
    xx, yy, xy = (turned**2).sum(1), (rays_b**2).sum(1), (turned * rays_b).sum(1)
    gap = np.maximum(xx * yy - xy**2, 1e-12)
    depth_a = (xy * (rays_b @ t) - yy * (turned @ t)) / gap
    depth_b = (xx * (rays_b @ t) - xy * (turned @ t)) / gap
    angle = np.arccos(np.clip(xy / np.sqrt(xx * yy), -1, 1))
    return depth_a, depth_b, (depth_a > 1e-3) & (depth_b > 1e-3) & (angle > _PARALLAX)


def _told(camera: Intrinsics) -> dict:
    return {
        "model": "PINHOLE",
        "width": camera.width,
        "height": camera.height,
        "params": [camera.fx, camera.fy, camera.cx, camera.cy],
    }
