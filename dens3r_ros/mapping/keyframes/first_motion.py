# SPDX-License-Identifier: Apache-2.0
"""What moves in the first frames of a map, found by looking through them forth and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from dens3r_ros.mapping.motion.config import MotionConfig
from dens3r_ros.mapping.motion.detector import MotionDetector
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.tracker import View


@dataclass(frozen=True, eq=False)
class Glimpse:
    """A frame that was placed against the first keyframe; stamp in ns."""

    view: View
    T_keyframe_frame: np.ndarray
    stamp: int


def first_motion(
    keyframe: Keyframe, frames: Sequence[Glimpse], config: MotionConfig
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """(h, w) float32 each, 0 to 1, what moves in the keyframe and in the last of the frames after
    it, which are in the order of their stamps; None where images are missing."""
    own = Glimpse(_own_view(keyframe), np.eye(4), keyframe.stamp)
    seen = [glimpse for glimpse in (own, *frames) if glimpse.view.texture is not None]
    if len(seen) < 2:
        return None, None
    return _last(keyframe, seen[::-1], -1, config), _last(keyframe, seen, 1, config)


def _own_view(keyframe: Keyframe) -> View:
    return View(keyframe.camera, keyframe.calibrated, keyframe.texture)


def _last(
    keyframe: Keyframe, seen: Sequence[Glimpse], way: int, config: MotionConfig
) -> np.ndarray:
    """What moves in the last of several frames; backwards in time things move as well."""
    base = keyframe.base()
    base = replace(base, stamp=way * base.stamp)
    detector = MotionDetector(config)
    motion: np.ndarray = np.zeros(keyframe.size, np.float32)
    for glimpse in seen:
        assert glimpse.view.texture is not None
        grey, camera = glimpse.view.texture.grey, glimpse.view.camera
        place, stamp = glimpse.T_keyframe_frame, way * glimpse.stamp
        small = detector.look(grey, camera, base, place, stamp)
        motion = cv2.resize(small, grey.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return motion
