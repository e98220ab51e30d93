# SPDX-License-Identifier: Apache-2.0
"""Depth of a keyframe's samples from all frames that see it, once their poses are known."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.reconstruction.kept.pair_tracks import STRIDE
from dens3r_ros.reconstruction.refinement.residuals import errors, rays_of

_ROUNDS = 6
_FAR = 2.0
"""Expected errors from which on a frame counts less and less."""
_AGREE = 3.0
"""Expected errors up to which a frame is said to agree."""
_PRIOR = 0.2
"""Standard deviation of the logarithm of the depth as mapping left it."""
_SHARPEST, _UNIT = 0.005, 0.07
"""Relative error of depth taken at least, and that of confidence 2, as engines have it."""
_SMOOTH = 2.0
"""Samples over which corrections of depth are averaged, standard deviation."""
_MOST = 0.5
"""Largest correction of the logarithm of depth that is averaged."""


@dataclass(frozen=True, eq=False)
class SampledDepth:
    """Inverse depth (rows, columns) of the samples, 0 where unknown, and its relative standard
    deviation."""

    inverse: np.ndarray
    error: np.ndarray

    @property
    def confidence(self) -> np.ndarray:
        """(rows, columns) 1 (none) to infinity, on the engines' scale."""
        sure = 1 + (_UNIT / np.maximum(self.error, _SHARPEST)) ** 2
        return np.where(self.inverse > 0, sure, 1.0)


def triangulated(
    pixels: np.ndarray,
    expected: np.ndarray,
    T_frames_keyframe: np.ndarray,
    seen: np.ndarray,
    weights: np.ndarray,
    camera: Intrinsics,
) -> SampledDepth:
    """Robust inverse depth of pixels (rows, columns, 2) that frames (F) see at `seen`
    (F, rows, columns, 2), with inverse variances `weights`; `expected` (rows, columns), 0 unknown.

    A sample of which no two sightings, or none and what was expected, agree is unknown.
    """
    shape = expected.shape
    rays = rays_of(pixels.reshape(-1, 2), camera)
    seen, weights = seen.reshape(len(seen), -1, 2), weights.reshape(len(weights), -1)
    prior = expected.ravel().astype(np.float64)
    known = prior > 0
    middle = float(np.median(prior[known])) if known.any() else 1.0
    inverse = np.where(known, prior, middle)
    tight = np.where(known, 1 / (_PRIOR * inverse) ** 2, 0)
    information = tight
    for _ in range(_ROUNDS):
        off, by_inverse, ahead = _linear(rays, inverse, T_frames_keyframe, seen, camera)
        w = _let_go(off, weights, ahead)
        information = tight + (w[..., None] * by_inverse**2).sum((0, 2))
        pull = tight * (prior - inverse) - (w[..., None] * by_inverse * off).sum((0, 2))
        step = pull / np.maximum(information, 1e-12)
        inverse = np.maximum(inverse + step.clip(-0.5 * inverse, inverse), 1e-3 * middle)
    off, by_inverse, ahead = _linear(rays, inverse, T_frames_keyframe, seen, camera)
    agree = ahead & (weights > 0) & (weights * (off**2).sum(-1) < _AGREE**2)
    told = (agree[..., None] * weights[..., None] * by_inverse**2).sum((0, 2))
    error = 1 / np.sqrt(np.maximum(told, 1e-12)) / inverse
    good = (agree.sum(0) >= np.where(known, 1, 2)) & (error < 0.5)
    return SampledDepth(
        np.where(good, inverse, 0).reshape(shape), np.where(good, error, 1).reshape(shape)
    )


def _linear(
    rays: np.ndarray,
    inverse: np.ndarray,
    T_frames_keyframe: np.ndarray,
    seen: np.ndarray,
    camera: Intrinsics,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors (F, N, 2), their derivative by inverse depth, and which points are ahead."""
    off, points, ahead = errors(rays, inverse, T_frames_keyframe, seen, camera)
    t = T_frames_keyframe[:, None, :3, 3]
    near = np.where(ahead, 1 / np.where(ahead, points[..., 2], 1.0), 0.0)
    slopes = points[..., :2] * near[..., None]
    moved = (t[..., :2] - slopes * t[..., 2:]) * near[..., None]
    return off, moved * (camera.fx, camera.fy), ahead


def _let_go(off: np.ndarray, weights: np.ndarray, ahead: np.ndarray) -> np.ndarray:
    square = weights * (off**2).sum(-1) / _FAR**2
    return np.where(ahead, weights / (1 + square), 0)


def corrected(
    depth: np.ndarray, confidence: np.ndarray, found: SampledDepth
) -> tuple[np.ndarray, np.ndarray]:
    """A keyframe's depth (h, w), 0 unknown, and confidence, moved to what was triangulated at its
    samples: the correction is averaged over neighbouring samples, so that edges stay sharp."""
    rows, columns = found.inverse.shape
    at = slice(STRIDE // 2, None, STRIDE)
    old = depth[at, at][:rows, :columns]
    both = (old > 0) & (found.inverse > 0)
    change = np.where(both, -np.log(np.where(both, old * found.inverse, 1)), 0).astype(np.float32)
    weight = np.where(both & (np.abs(change) < _MOST), found.confidence - 1, 0).astype(np.float32)
    whole = cv2.GaussianBlur(weight, (0, 0), _SMOOTH)
    mean = cv2.GaussianBlur(change * weight, (0, 0), _SMOOTH) / np.maximum(whole, 1e-9)
    field = _grown(np.where(whole > 1e-6, mean, 0), depth.shape)
    sure = _grown(np.where(both, found.confidence, 1).astype(np.float32), depth.shape)
    known = depth > 0
    return np.where(known, depth * np.exp(field), 0), np.where(known, sure, 1)


def _grown(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Values at the samples on all pixels, linear in between."""
    height, width = size
    x = (np.arange(width, dtype=np.float32) - STRIDE // 2) / STRIDE
    y = (np.arange(height, dtype=np.float32) - STRIDE // 2) / STRIDE
    grid_x, grid_y = np.meshgrid(x, y)
    return cv2.remap(
        values.astype(np.float32),
        grid_x,
        grid_y,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
