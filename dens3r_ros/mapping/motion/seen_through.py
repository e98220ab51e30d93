# SPDX-License-Identifier: Apache-2.0
"""Which points of one view another view sees through: they are there no more."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.motion.look import ViewedSurface

WIDTH = 160
"""Pixels of the long side on which views are compared."""
_DEPTH_ERROR, _LEAST_ERROR = 0.07, 0.03
"""Standard deviation of the logarithm of a depth of confidence 2, and of the surest."""
_SURE = 1.0
"""Confidence above 1 from which on a depth tells that what was in front of it is gone."""
_CLEARLY, _LEAST = 4.0, 0.15
"""Standard deviations, and logarithm of the depth, by which something lies clearly in front."""
_AROUND = (7, 7)
"""Pixels around a point's place that must all lie behind it, and most of which must be known:
poses err, and depth beside an edge belongs to either side."""
_KNOWN = 0.7
_BLURRED = 0.5
"""Size of a point's pixel in the view that looks, below which that may not see the point at all."""
_SAME, _MOST_APART = 2.0, 0.15
"""Standard deviations, and logarithm of the depth, by which the same point lies apart at most."""
_SPECK = (5, 5)
"""What is narrower than so many pixels is noise of the depth, or too thin to be seen."""
_SAME_SURFACE = 0.05
"""Relative difference of depths up to which pixels side by side are of one surface."""
_FEWEST = 30
"""Points that must agree with the view that looks, before it is believed."""


@dataclass(frozen=True, eq=False)
class Looking:
    """A view that looks at others' points: the nearest depth (h, w) float32 around each pixel, 0
    where too little is known, standard deviations of their logarithms (h, w), and the camera."""

    near: np.ndarray
    sigma: np.ndarray
    camera: Intrinsics


@dataclass(frozen=True, eq=False)
class PoseDoubt:
    """Standard deviations of a relative pose: of the shift, in units of the view that looks; of the
    turn, radians; and of the logarithm of the unit."""

    shift: float = 0.0
    turn: float = 0.0
    unit: float = 0.0


@dataclass(frozen=True, eq=False)
class Through:
    """(h, w) bool each, of a view's points: those that another view clearly sees through, and those
    that it sees where they are."""

    gone: np.ndarray
    same: np.ndarray


def looking(surface: ViewedSurface, camera: Intrinsics) -> Looking:
    """A view made ready to look at others' points."""
    thin = surface.thinned(_step(surface.weight.shape))
    sure = thin.weight > _SURE
    depth = np.where(sure, thin.points[..., 2], np.float32(np.inf)).astype(np.float32)
    near = cv2.erode(depth, np.ones(_AROUND, np.uint8))
    known = cv2.blur(sure.astype(np.float32), _AROUND) > _KNOWN
    sigma = cv2.dilate(np.where(sure, _sigma(thin.weight), np.float32(0)), np.ones((3, 3)))
    near = np.where(known & sure & np.isfinite(near), near, np.float32(0))
    return Looking(near, sigma, _thinned(camera, surface.weight.shape))


def _step(shape: tuple[int, ...]) -> int:
    """Pixels of a view (h, w) between those that are compared."""
    return max(1, round(max(shape) / WIDTH))


def _thinned(camera: Intrinsics, shape: tuple[int, ...]) -> Intrinsics:
    """The camera of those pixels."""
    step = _step(shape)
    height, width = (-(-side // step) for side in shape)
    fx, fy, cx, cy = (value / step for value in (camera.fx, camera.fy, camera.cx, camera.cy))
    return Intrinsics(fx, fy, cx, cy, width, height)


def seen_through(
    surface: ViewedSurface,
    camera: Intrinsics,
    S_looking_surface: np.ndarray,
    doubt: PoseDoubt,
    view: Looking,
) -> Through | None:
    """What the view tells of the surface's points, on its pixels; None where the two do not agree
    well enough for that to be told."""
    thin = surface.thinned(_step(surface.weight.shape))
    S = S_looking_surface.astype(np.float32)
    x, y, z = cv2.split(cv2.transform(np.ascontiguousarray(thin.points), S[:3]))
    known = (thin.weight > 0) & (z > 1e-6)
    z = np.where(known, z, np.float32(1))
    near, sigma = _there(x, y, z, known, view)
    known &= near > 0
    behind = np.log(np.where(known, near, z) / z)
    by_pose = np.square(doubt.shift / z) + doubt.unit**2
    error = np.sqrt(np.square(_sigma(thin.weight)) + np.square(sigma) + by_pose)
    margin = np.maximum(_CLEARLY * error, np.float32(_LEAST))
    gone = known & (behind > margin) & _large(thin, camera, S, z, view)
    gone = cv2.morphologyEx(gone.view(np.uint8), cv2.MORPH_OPEN, np.ones(_SPECK, np.uint8)) > 0
    agree = known & (np.abs(behind) < margin)
    if agree.sum() < max(_FEWEST, gone.sum()):
        return None
    beside = np.hypot(doubt.turn, doubt.shift / float(np.median(z[known]))) * view.camera.fx
    if beside > _AROUND[0] // 2:
        return None
    same = known & (np.abs(behind) < np.minimum(_SAME * error, _MOST_APART))
    return Through(_whole(gone, surface, thin), _whole(same, surface, thin))


def _there(
    x: np.ndarray, y: np.ndarray, z: np.ndarray, ahead: np.ndarray, view: Looking
) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) nearest depth, 0 where unknown, and deviation that a view knows where it sees points
    of these coordinates (h, w)."""
    u = np.rint(x / z * np.float32(view.camera.fx) + np.float32(view.camera.cx))
    v = np.rint(y / z * np.float32(view.camera.fy) + np.float32(view.camera.cy))
    seen = ahead & (u >= 0) & (v >= 0) & (u < view.camera.width) & (v < view.camera.height)
    column, row = (np.where(seen, place, 0).astype(int) for place in (u, v))
    return np.where(seen, view.near[row, column], np.float32(0)), view.sigma[row, column]


def _large(
    thin: ViewedSurface, camera: Intrinsics, S: np.ndarray, z: np.ndarray, view: Looking
) -> np.ndarray:
    """(h, w) points whose pixels are not much smaller in the view that looks."""
    unit, step = np.cbrt(np.linalg.det(S[:3, :3])), round(camera.width / thin.weight.shape[1])
    own = unit * thin.points[..., 2] / np.float32(camera.fx / step)
    return np.asarray(own * np.float32(view.camera.fx) > _BLURRED * z)


def _whole(gone: np.ndarray, surface: ViewedSurface, thin: ViewedSurface) -> np.ndarray:
    """On all pixels: those around a thinned one that are of its surface."""
    step = _step(surface.weight.shape)
    height, width = surface.weight.shape
    around = [
        np.repeat(np.repeat(one, step, 0), step, 1)[:height, :width]
        for one in (gone, thin.points[..., 2])
    ]
    depth = surface.points[..., 2]
    same = np.abs(depth - around[1]) < _SAME_SURFACE * around[1]
    return np.asarray(around[0] & same)


def _sigma(weight: np.ndarray) -> np.ndarray:
    """Standard deviation of the logarithm of depths of these confidences above 1."""
    return (
        (_DEPTH_ERROR / np.sqrt(np.maximum(weight, 1e-3)))
        .clip(_LEAST_ERROR, None)
        .astype(np.float32)
    )
