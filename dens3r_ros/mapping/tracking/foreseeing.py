# SPDX-License-Identifier: Apache-2.0
"""Where a frame is before the engine has looked at it: by following what the image before shows of
the keyframe's points, so that what moves cannot be taken for the camera's own motion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from dens3r_ros.mapping.config import TrackingConfig
from dens3r_ros.mapping.motion.weights import stillness_at
from dens3r_ros.mapping.tracking.cameras import rays_at
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.matching import inside, project
from dens3r_ros.mapping.tracking.refinement import follow
from dens3r_ros.mapping.tracking.resection import RayMatches, misses, resect, resect_from_scratch
from dens3r_ros.mapping.tracking.tracker import View

_STEP = 8
"""Pixels of the keyframe between points that are followed."""
_SCARCE = 0.3
"""Share of the confidence that a point of a keyframe usually needs which is enough."""
_ENOUGH_SURE = 150
"""Points of which more than one prediction told the same, from which on they are followed alone."""
_CORNER = 2e-5
"""Strength of a corner from which on it can be followed."""
_LEAST = 30
"""Points that must agree on a place before it is believed."""
_MOST_ASTRAY = 0.5
"""Share of the points that may contradict it."""
_STILL = 3.0
"""Standard deviations beyond which a point does."""
_ROUNDS = 2
"""How often a pose is solved again of the points alone that agree with it."""


@dataclass(frozen=True, eq=False)
class Foreseen:
    """T_keyframe_frame (4, 4), and the share of the followed points that contradict it."""

    T_keyframe_frame: np.ndarray
    astray: float


def foreseen(
    keyframe: Keyframe,
    before: View,
    T_keyframe_before: np.ndarray,
    view: View,
    config: TrackingConfig,
    carry: Callable[[np.ndarray], np.ndarray] = lambda pixels: pixels,
) -> Foreseen | None:
    """A frame's place by the points of a keyframe, followed from the frame `before` it; None where
    too few are. `carry` takes pixels (N, 2) of that frame about to where they are in this one."""
    if before.texture is None or view.texture is None or not view.calibrated:
        return None
    if before.texture.grey.shape != view.texture.grey.shape:
        return None
    points = _known(keyframe, config)
    T = np.linalg.inv(T_keyframe_before)
    there = points @ T[:3, :3].T + T[:3, 3]
    pixels = project(there, before.camera).astype(np.float32)
    seen = (there[:, 2] > 1e-6) & inside(pixels, before.texture.grey.shape, 8)
    seen[seen] = stillness_at(before.motion, pixels[seen]) > 0
    seen[seen] = _textured(before.texture.grey, pixels[seen])
    points, pixels = points[seen], pixels[seen]
    if len(pixels) < _LEAST:
        return None
    found, good = follow(before.texture, view.texture, pixels, carry(pixels).astype(np.float32))
    good &= inside(found, view.texture.grey.shape, 2)
    if good.sum() < _LEAST:
        return None
    rays = rays_at(found[good].astype(np.float64), view.camera)
    return _placed(RayMatches(points[good], rays, np.ones(int(good.sum()))), view, config)


def _known(keyframe: Keyframe, config: TrackingConfig) -> np.ndarray:
    """(N, 3) float64 points of the keyframe whose depth is known at least roughly, those alone that
    were found there twice if they are many: what moves is seldom."""
    grid = slice(_STEP // 2, None, _STEP)
    canonical = keyframe.canonical
    least = _SCARCE * (config.min_confidence - 1) * canonical.folds
    known = canonical.weight[grid, grid] > least
    if keyframe.confirming is not None:
        sure = known & keyframe.confirming.agreed()[grid, grid]
        known = sure if sure.sum() > _ENOUGH_SURE else known
    return canonical.points[grid, grid][known].astype(np.float64)


def _textured(grey: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """(N,) bool: pixels (N, 2) around which there is something to be followed."""
    strength = cv2.dilate(cv2.cornerMinEigenVal(grey, 5), np.ones((5, 5), np.uint8))
    x, y = np.rint(pixels).astype(int).T
    return np.asarray(strength[y, x] > _CORNER)


def _placed(matches: RayMatches, view: View, config: TrackingConfig) -> Foreseen | None:
    sigma = config.sigma_pixels / view.camera.fx
    solved = resect_from_scratch(matches, sigma, config)
    if solved is None:
        return None
    T = solved.T_frame_keyframe
    for _ in range(_ROUNDS):
        agree = misses(matches, T) < _STILL * max(solved.sigma, sigma)
        if agree.sum() < _LEAST or agree.mean() < 1 - _MOST_ASTRAY:
            return None
        solved = resect(matches.only(agree), T, sigma, config)
        T = solved.T_frame_keyframe
    return Foreseen(np.linalg.inv(T), 1 - float(agree.mean()))
