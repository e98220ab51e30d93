# SPDX-License-Identifier: Apache-2.0
"""What of a keyframe something that moves hides in a frame."""

from __future__ import annotations

import cv2
import numpy as np

from dens3r_ros.mapping.motion.weights import seen_from
from dens3r_ros.mapping.tracking.observation import Observation
from dens3r_ros.mapping.tracking.tracker import View


def covering(view: View, seen: Observation) -> np.ndarray | None:
    """(h, w) float32 on the keyframe's pixels: how probably the frame, seen like that, shows
    something there that moves; None where that is not told."""
    if view.motion is None:
        return None
    if seen.pixels is not None:
        return seen_from(view.motion, *cv2.split(seen.pixels))
    x, y, depth = cv2.split(seen.keyframe_points)
    nearness, camera = 1 / np.maximum(depth, np.float32(1e-6)), view.camera
    u = x * nearness * np.float32(camera.fx) + np.float32(camera.cx)
    v = y * nearness * np.float32(camera.fy) + np.float32(camera.cy)
    return seen_from(view.motion, u, v)
