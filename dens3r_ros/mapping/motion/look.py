# SPDX-License-Identifier: Apache-2.0
"""An image made small, with what the map knows of its depth: what images are compared by."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from dens3r_ros.geometry.camera import Intrinsics

_UNKNOWN = np.float32(0.5)
"""Standard deviation of the logarithm of a depth of which nothing is known."""
_LEAST = 0.03
_DEPTH_ERROR = 0.07
"""The same of a depth whose confidence is 2."""
_MOST = 0.4
_FEW = 8
"""Points, one in so many, that tell the usual depth."""
_CLOSED = (3, 3)
"""Pixels around a hole between points that lie apart."""


@dataclass(frozen=True, eq=False)
class ViewedSurface:
    """Points (h, w, 3) of a keyframe in its optical frame, and their confidence above 1 (h, w)."""

    points: np.ndarray
    weight: np.ndarray

    def thinned(self, step: int) -> ViewedSurface:
        """One point in so many, each way."""
        return (
            self
            if step == 1
            else ViewedSurface(self.points[::step, ::step], self.weight[::step, ::step])
        )


@dataclass(frozen=True, eq=False)
class Look:
    """One camera's view at one moment.

    grey (h, w) uint8; camera of these pixels; depth (h, w) float32 by the map, of pixels whose
    log depth errs by sigma (h, w); T_keyframe_camera (4, 4); stamp (ns); odds (h, w) float32,
    logarithm of the odds that a pixel moves by itself; flow (h, w, 2) from here to the look before,
    where there is one.
    """

    grey: np.ndarray
    camera: Intrinsics
    depth: np.ndarray
    sigma: np.ndarray
    T_keyframe_camera: np.ndarray
    stamp: int
    odds: np.ndarray
    flow: np.ndarray | None = None

    def placed(self, S_new_old: np.ndarray) -> Look:
        """The same relative to another keyframe and in its unit."""
        S = S_new_old @ self.T_keyframe_camera
        unit = float(np.cbrt(np.linalg.det(S[:3, :3])))
        S[:3, :3] /= unit
        return replace(self, T_keyframe_camera=S, depth=self.depth * np.float32(unit))


def small_camera(camera: Intrinsics, long_side: int) -> Intrinsics:
    """The camera of images whose long side is that, or as it is where they are smaller."""
    scale = min(1.0, long_side / max(camera.width, camera.height))
    return camera.resized(round(camera.width * scale), round(camera.height * scale))


def seen_depth(
    surface: ViewedSurface, T_camera_keyframe: np.ndarray, camera: Intrinsics
) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) float32 depth that a camera sees of a surface, and the standard deviation of its
    logarithm: large where little or nothing is known, and the depth a usual one."""
    step = max(1, surface.weight.shape[1] // camera.width)
    thin = surface.thinned(step)
    known = thin.weight > 0
    points = thin.points[known] @ T_camera_keyframe[:3, :3].T.astype(np.float32)
    points += T_camera_keyframe[:3, 3].astype(np.float32)
    weight = thin.weight[known]
    ahead = points[:, 2] > 1e-6
    points, weight = points[ahead], weight[ahead]
    depth, weight = _drawn(points, weight, camera)
    sigma, hidden = _sigma(weight), depth <= 0
    usual = float(np.median(points[::_FEW, 2])) if len(points) else 1.0
    depth[hidden], sigma[hidden] = usual, _UNKNOWN
    return depth, sigma


def own_depth(surface: ViewedSurface, camera: Intrinsics) -> tuple[np.ndarray, np.ndarray]:
    """The same of the keyframe's own view, whose pixels are the points'."""
    step = max(1, surface.weight.shape[1] // camera.width)
    thin = surface.thinned(step)
    size = (camera.width, camera.height)
    depth = cv2.resize(thin.points[..., 2], size, interpolation=cv2.INTER_NEAREST)
    weight = cv2.resize(thin.weight, size, interpolation=cv2.INTER_NEAREST)
    hidden = (weight <= 0) | (depth <= 1e-6)
    usual = float(np.median(depth[~hidden][::_FEW])) if not hidden.all() else 1.0
    sigma = _sigma(weight)
    return np.where(hidden, np.float32(usual), depth), np.where(hidden, _UNKNOWN, sigma)


def _sigma(weight: np.ndarray) -> np.ndarray:
    sigma = _DEPTH_ERROR / np.sqrt(np.maximum(weight, np.float32(1e-3)))
    return np.clip(sigma, _LEAST, _MOST).astype(np.float32)


def _drawn(
    points: np.ndarray, weight: np.ndarray, camera: Intrinsics
) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) depth and weight of points (N, 3) in a camera's view, the nearest winning, holes
    between them closed; 0 where there is none."""
    width, height = camera.width, camera.height
    depth, sure = np.zeros((height, width), np.float32), np.zeros((height, width), np.float32)
    z = points[:, 2]
    x = np.rint(points[:, 0] / z * camera.fx + camera.cx)
    y = np.rint(points[:, 1] / z * camera.fy + camera.cy)
    inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    x, y, z, weight = x[inside].astype(int), y[inside].astype(int), z[inside], weight[inside]
    if not len(z):
        return depth, sure
    order = np.argsort((65535 * (z.min() / z)).astype(np.uint16), kind="stable")
    place = (y * width + x)[order]
    depth.ravel()[place], sure.ravel()[place] = z[order], weight[order]
    around = np.ones(_CLOSED, np.uint8)
    empty = depth <= 0
    filled, known = (
        cv2.boxFilter(depth, -1, _CLOSED),
        cv2.boxFilter(1 - empty.astype(np.float32), -1, _CLOSED),
    )
    near = cv2.erode(np.where(empty, np.float32(1e9), depth), around)
    far = cv2.dilate(depth, around)
    hole = empty & (known > 0.3) & (far < 1.1 * near)
    depth[hole] = filled[hole] / known[hole]
    sure[hole] = cv2.dilate(sure, around)[hole]
    return depth, sure
