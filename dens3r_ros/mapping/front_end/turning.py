# SPDX-License-Identifier: Apache-2.0
"""How a camera has turned between two frames, by small images as wholes: what is left when points
are out of sight or blurred."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dens3r_ros.geometry.camera import Intrinsics

_WIDTHS = (40, 80)
"""Pixels across the images that are laid over each other, coarse to fine."""
_ROUNDS = 8
_SETTLED = 1e-4
"""Radians by which a last step may still turn."""
_OVERLAP = 0.25
"""Share of the view that must be in both images."""
_ALIKE = 0.75
"""Correlation of what both see, from which on the turn is believed."""


@dataclass(frozen=True, eq=False)
class _Level:
    """Both images at one size, (h, w) float32, and their camera."""

    one: np.ndarray
    other: np.ndarray
    camera: Intrinsics


def turned(
    grey: np.ndarray, other: np.ndarray, camera: Intrinsics, start: np.ndarray
) -> np.ndarray | None:
    """R_grey_other (3, 3): takes directions in the `other` image to those in `grey`, both (h, w)
    uint8 of one camera, from a start on; None where no turn lays them over each other."""
    R = start.copy()
    for width in _WIDTHS:
        level = _level(grey, other, camera, width)
        R = _refined(level, R)
    return R if _correlation(level, R) > _ALIKE else None


def _level(grey: np.ndarray, other: np.ndarray, camera: Intrinsics, width: int) -> _Level:
    height = max(round(width * grey.shape[0] / grey.shape[1]), 2)
    small = [
        cv2.GaussianBlur(
            cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), (0, 0), 0.8
        ).astype(np.float32)
        for image in (grey, other)
    ]
    return _Level(small[0], small[1], camera.resized(width, height))


def _refined(level: _Level, R: np.ndarray) -> np.ndarray:
    """Second-order steps: with the mean of both images' slopes, not of one alone."""
    rays = _rays(level.camera)
    other_slopes = _slopes(level.other)
    for _ in range(_ROUNDS):
        laid, seen = _laid_over(level, R)
        if seen.mean() < _OVERLAP:
            return R
        slopes = (_slopes(laid) + other_slopes) / 2
        J = _by_turn(slopes, rays, level.camera)[seen]
        error = _even(laid[seen]) - _even(level.other[seen])
        J -= J.mean(0)
        weights = 1 / np.maximum(np.abs(error), 8.0)
        H = (J * weights[:, None]).T @ J
        step = -np.linalg.solve(
            H + (1e-6 * np.trace(H) + 1e-9) * np.eye(3), J.T @ (weights * error)
        )
        R = R @ cv2.Rodrigues(step)[0]
        if np.abs(step).max() < _SETTLED:
            break
    return R


def _correlation(level: _Level, R: np.ndarray) -> float:
    laid, seen = _laid_over(level, R)
    if seen.mean() < _OVERLAP:
        return 0.0
    a, b = _even(laid[seen]), _even(level.other[seen])
    return float(a @ b / max(np.sqrt((a @ a) * (b @ b)), 1e-9))


def _laid_over(level: _Level, R: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first image as the other camera would see it, and which (h, w) pixels it has."""
    K, size = level.camera.K, level.other.shape[::-1]
    H = K @ R @ np.linalg.inv(K)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    laid = cv2.warpPerspective(level.one, H, size, flags=flags)
    whole = np.ones(level.one.shape, np.uint8)
    return laid, cv2.warpPerspective(
        whole, H, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    ) > 0


def _even(values: np.ndarray) -> np.ndarray:
    """Without what exposure changes."""
    return values - values.mean()


def _slopes(image: np.ndarray) -> np.ndarray:
    """(h, w, 2) central differences."""
    x = cv2.Sobel(image, cv2.CV_32F, 1, 0, ksize=1, scale=0.5)
    return np.dstack((x, cv2.Sobel(image, cv2.CV_32F, 0, 1, ksize=1, scale=0.5)))


def _rays(camera: Intrinsics) -> np.ndarray:
    x, y = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    return np.dstack(((x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy))


def _by_turn(slopes: np.ndarray, rays: np.ndarray, camera: Intrinsics) -> np.ndarray:
    """(h, w, 3) derivative of the image laid over by a small turn of the other camera's rays."""
    x, y = rays[..., 0], rays[..., 1]
    gx, gy = slopes[..., 0] * camera.fx, slopes[..., 1] * camera.fy
    return np.dstack(
        (-gx * x * y - gy * (1 + y * y), gx * (1 + x * x) + gy * x * y, gy * x - gx * y)
    )
