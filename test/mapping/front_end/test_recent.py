# SPDX-License-Identifier: Apache-2.0
"""If these fail, a view that nothing was decoded of is asked about with a frame that shows none of
its depth."""

from __future__ import annotations

import numpy as np
import pytest

from dens3r_ros.frame import Frame
from dens3r_ros.mapping.front_end.recent import RecentFrames


def frame(stamp: int) -> Frame:
    return Frame(np.zeros((8, 8, 3), np.uint8), stamp, "camera", None)


def aside(x: float, degrees: float = 0.0) -> np.ndarray:
    T = np.eye(4)
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    T[:3, :3] = [[c, 0, s], [0, 1, 0], [-s, 0, c]]
    T[0, 3] = x
    return T


def test_the_one_with_parallax_that_sees_the_same_is_chosen() -> None:
    recent = RecentFrames()
    for stamp, T in enumerate((aside(-0.3, -25), aside(-0.1, -3), aside(-0.01))):
        recent.note(frame(stamp), T)
    found = recent.beside(frame(9), np.eye(4), 2.0)
    assert found is not None and found[0].stamp == 1


def test_a_camera_that_only_turned_has_none() -> None:
    recent = RecentFrames()
    for stamp in range(5):
        recent.note(frame(stamp), aside(0.0, 4.0 * stamp))
    assert recent.beside(frame(9), aside(0.0, 20.0), 2.0) is None


def test_places_follow_the_keyframe_and_its_unit() -> None:
    recent = RecentFrames()
    recent.note(frame(0), aside(0.1))
    recent.rebase(np.diag([3.0, 3.0, 3.0, 1.0]))
    found = recent.beside(frame(9), np.eye(4), 2.0)
    assert found is not None
    assert found[1] == pytest.approx(aside(0.3))
