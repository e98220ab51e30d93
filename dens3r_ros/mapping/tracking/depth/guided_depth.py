# SPDX-License-Identifier: Apache-2.0
"""Depth of a keyframe from a frame whose place is known already: in a fast turn a pair alone does
not tell its motion, but the points that are known do, and with it where all others lie."""

from __future__ import annotations

import cv2
import numpy as np

from dens3r_ros.engines.geometric.confidence import depth_confidence
from dens3r_ros.geometry.two_views.triangulation import triangulate
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.observation import Observation
from dens3r_ros.mapping.tracking.track import Track
from dens3r_ros.mapping.tracking.tracker import View

_LEAST_PARALLAX = 0.01
"""Median radians between the rays of both views below which nothing is tried."""
_PIXELS = 1.5
"""Error in pixels of a correspondence of confidence 2."""
_STRAYED = 2.0
"""Pixels from its epipolar line beyond which a correspondence is not believed."""
_RANGE = (0.02, 5.0)
"""Depths that are possible, as shares of a usual one, the nearest's inverse last."""


def guided_depth(
    seen: Observation, found: Track, view: View, keyframe: Keyframe
) -> tuple[np.ndarray, np.ndarray] | None:
    """(h, w) depth of the keyframe's pixels in its unit, and confidence, by where they lie in a
    frame that was placed; None where the engine knows no correspondences, a lens is not known, or
    the view has hardly moved."""
    if seen.pixels is None or seen.pixels_confidence is None or found.parallax < _LEAST_PARALLAX:
        return None
    if not (view.calibrated and keyframe.calibrated):
        return None
    x, y = cv2.split(seen.pixels)
    T = np.linalg.inv(found.T_keyframe_frame)
    told = triangulate(x, y, keyframe.camera.K, view.camera.K, T)
    usual = 1 / keyframe.canonical.median_depth
    inverse = told.inverse_depth
    sure = (seen.pixels_confidence > 1) & (told.epipolar < _STRAYED) & (told.pixels_per_unit > 0)
    sure &= (inverse > _RANGE[0] * usual) & (inverse < _RANGE[1] * usual)
    inverse = np.where(sure, inverse, np.float32(usual))
    pixels = _error(seen.pixels_confidence, told.epipolar, found, view)
    error = pixels / np.maximum(told.pixels_per_unit * inverse, 1e-6)
    return 1 / inverse, np.where(sure, depth_confidence(error), np.float32(1))


def _error(confidence: np.ndarray, epipolar: np.ndarray, found: Track, view: View) -> np.ndarray:
    """(h, w) pixels by which a correspondence may be off along its line, and its place with it."""
    turned = view.camera.fx * np.sqrt(np.trace(found.covariance[3:, 3:]) / 3)
    own = _PIXELS**2 / np.maximum(confidence - 1, np.float32(1e-3))
    return np.sqrt(own + epipolar**2 + np.float32(turned) ** 2)
