# SPDX-License-Identifier: Apache-2.0
"""If these fail, a camera that turns is placed by the last points at the edge of its view, metres
off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dens3r_ros.mapping.front_end.fast_tracker import Placed
from dens3r_ros.mapping.front_end.need import leaving
from dens3r_ros.mapping.tracking.landmarks import Landmarks

FOUND = Placed(np.eye(4), np.eye(6), 0.9, 1.0, 0.05, found=Landmarks.__new__(Landmarks))


def test_a_frame_that_sees_little_of_its_keyframe_is_to_be_the_next_one() -> None:
    assert leaving(replace(FOUND, matched=0.2))
    assert not leaving(replace(FOUND, matched=0.6))


def test_one_without_a_place_is_not_for_there_is_nothing_to_tie_it_to() -> None:
    assert not leaving("only 3 points found again")
