# SPDX-License-Identifier: Apache-2.0
"""What an engine may expect of a pair by what the map knows: where to begin to look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from dens3r_ros.engines.protocol import Features, Lead
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.matching import inside, project

_STRIDE = 16
_BASELINE = 0.01
"""Share of the depth below which a shift has no direction that could be relied on."""
_KNOWN = 0.5
"""Confidence above 1 from which on a point leads anywhere."""


def led(
    features: Features,
    keyframe: Keyframe,
    camera: Intrinsics,
    T_keyframe_frame: np.ndarray,
    carry: Callable[[np.ndarray], np.ndarray] = lambda pixels: pixels,
    sure: bool = False,
) -> Features:
    """A frame's features that lead to the keyframe's points, as seen by its `camera` from there;
    `carry` takes pixels (N, 2) of the image that was taken there to the frame's. `sure`: the place
    is known so well that it tells what moves."""
    height, width = keyframe.size
    y, x = np.mgrid[_STRIDE // 2 : height : _STRIDE, _STRIDE // 2 : width : _STRIDE].reshape(2, -1)
    canonical = keyframe.canonical
    known = canonical.weight[y, x] > _KNOWN * canonical.folds
    x, y = x[known], y[known]
    T = np.linalg.inv(T_keyframe_frame)
    points = canonical.points[y, x].astype(np.float64) @ T[:3, :3].T + T[:3, 3]
    here, ahead = carry(project(points, camera)), points[:, 2] > 1e-6
    seen = ahead & inside(here, features.placement.size)
    there = np.stack((x, y), 1).astype(np.float64)[seen]
    pose = T_keyframe_frame if sure and _moved(T_keyframe_frame, canonical.median_depth) else None
    return replace(features, lead=Lead(keyframe.features.frame, there, here[seen], pose))


def _moved(T_keyframe_frame: np.ndarray, depth: float) -> bool:
    """Whether there is a direction into which a camera has moved."""
    return bool(np.linalg.norm(T_keyframe_frame[:3, 3]) > _BASELINE * depth)
