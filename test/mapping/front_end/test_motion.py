# SPDX-License-Identifier: Apache-2.0
"""Where a frame is expected: points are looked for there, so that a wrong place costs them all."""

from __future__ import annotations

import numpy as np
import pytest

from dens3r_ros.geometry import tangents
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.front_end.motion import Motion
from dens3r_ros.mapping.tracking.landmarks import Landmarks

SECOND = 1_000_000_000
STEP = tangents.exp(np.array([0.1, 0.0, 0.2, 0.0, 0.05, 0.0]))


def seen() -> Landmarks:
    camera = Intrinsics(100, 100, 50, 50, 101, 101)
    pixels = np.zeros((1, 2), np.float32)
    grey, numbers = np.zeros((101, 101), np.uint8), np.zeros(1, int)
    return Landmarks(3, grey, camera, pixels, np.ones((1, 3)), numbers, 2.0)


def test_a_steady_motion_goes_on_however_far_apart_the_images_are() -> None:
    motion = Motion()
    motion.place(0, np.eye(4), seen())
    motion.place(SECOND // 10, STEP, seen())
    assert motion.predicted(2 * SECOND // 10) == pytest.approx(STEP @ STEP)
    assert motion.predicted(3 * SECOND // 10) == pytest.approx(STEP @ STEP @ STEP)


def test_another_keyframe_changes_no_prediction() -> None:
    """Its unit is half as long, and it stands elsewhere."""
    motion = Motion()
    motion.place(0, np.eye(4), seen())
    motion.place(SECOND // 10, STEP, seen())
    before = motion.predicted(2 * SECOND // 10)
    S = tangents.exp(np.array([1.0, 2.0, 3.0, 0.1, 0.2, 0.3, np.log(2)]))
    motion.rebase(S)
    expected = S @ before
    expected[:3, :3] /= 2
    assert motion.predicted(2 * SECOND // 10) == pytest.approx(expected)
    assert motion.before is not None
    assert motion.before.points == pytest.approx(2 * np.ones((1, 3)))


def test_a_leap_is_no_pace() -> None:
    motion = Motion()
    leap = tangents.exp(np.array([0.0, 0.0, 0.0, 0.0, 2.0, 0.0]))
    motion.place(0, np.eye(4), seen())
    motion.place(SECOND // 10, leap, seen())
    assert motion.predicted(SECOND) == pytest.approx(leap)
