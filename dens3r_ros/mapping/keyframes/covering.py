# SPDX-License-Identifier: Apache-2.0
"""What of a keyframe something that moves hides in a frame."""

from __future__ import annotations

import cv2
import numpy as np

from dens3r_ros.mapping.motion.weights import seen_from
from dens3r_ros.mapping.tracking.depth.fusion import Canonical
from dens3r_ros.mapping.tracking.observation import Observation
from dens3r_ros.mapping.tracking.tracker import View


def covering(
    view: View, seen: Observation, known: Canonical, T_frame_keyframe: np.ndarray
) -> np.ndarray | None:
    """(h, w) float32 on the keyframe's pixels: how probably the frame, seen like that, shows
    something there that moves; None where that is not told. Where a pixel's point is known it lies
    where that is: what is hidden corresponds to nothing."""
    if view.motion is None:
        return None
    there = cv2.transform(known.points, T_frame_keyframe[:3].astype(np.float32))
    u, v = _pixels(there, view)
    if (known.weight <= 0).any():
        if seen.pixels is not None:
            x, y = cv2.split(seen.pixels)
        else:
            x, y = _pixels(seen.keyframe_points, view)
        u, v = np.where(known.weight > 0, u, x), np.where(known.weight > 0, v, y)
    return seen_from(view.motion, u, v)


def _pixels(points: np.ndarray, view: View) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) x and y of points (h, w, 3) in the view's own frame."""
    x, y, depth = cv2.split(points)
    nearness, camera = 1 / np.maximum(depth, np.float32(1e-6)), view.camera
    u = x * nearness * np.float32(camera.fx) + np.float32(camera.cx)
    v = y * nearness * np.float32(camera.fy) + np.float32(camera.cy)
    return u, v
