# SPDX-License-Identifier: Apache-2.0
"""If these fail, a small computer tries pair after pair until its camera has gone past what the
first one saw, and never begins a map."""

from __future__ import annotations

import numpy as np

from dens3r_ros.frame import Frame
from dens3r_ros.mapping.front_end.corners.first_pair import FirstPair


def told(source) -> list[int | None]:
    """Per image, the stamp of the one that a map could begin with."""
    pair = FirstPair()
    found = [pair.take(source[n]) for n in range(len(source))]
    return [None if one is None else one.stamp for one in found]


def test_a_camera_that_goes_sideways_begins_with_its_first_image(box_room, camera_pose) -> None:
    going = box_room(np.array([camera_pose(0.06 * n, 0, -2, 0) for n in range(12)]), (168, 240))
    found = told(going)
    assert found[0] is None and found[1] is None
    assert found[-1] == going[0].stamp


def test_one_that_only_turns_begins_with_none(box_room, camera_pose) -> None:
    turning = box_room(np.array([camera_pose(0, 0, -2, 2.0 * n) for n in range(12)]), (168, 240))
    assert told(turning) == [None] * 12


def test_one_that_turns_away_first_begins_with_what_is_still_in_view(box_room, camera_pose) -> None:
    poses = [camera_pose(0, 0, -2, 6.0 * n) for n in range(10)]
    poses += [camera_pose(0, 0.05 * n, -2, 54.0) for n in range(1, 9)]
    source = box_room(np.array(poses), (168, 240))
    found = told(source)
    assert found[:9] == [None] * 9
    assert found[-1] is not None and found[-1] > source[3].stamp


def test_images_of_another_size_begin_anew() -> None:
    pair = FirstPair()
    noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    assert pair.take(Frame(noise, 0)) is None
    assert pair.take(Frame(noise[:100], 1)) is None
