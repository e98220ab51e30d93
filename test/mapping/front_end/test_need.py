# SPDX-License-Identifier: Apache-2.0
"""If these fail, a camera that turns is placed by the last points at the edge of its view, metres
off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.config import TrackingConfig
from dens3r_ros.mapping.front_end.course import Course
from dens3r_ros.mapping.front_end.fast_tracker import Placed
from dens3r_ros.mapping.front_end.need import beginning, hurry, leaving, vanishing
from dens3r_ros.mapping.tracking.landmarks import Landmarks


def points(count: int) -> Landmarks:
    pixels, places = np.zeros((count, 2), np.float32), np.zeros((count, 3))
    nothing = np.zeros((8, 8), np.uint8)
    camera = Intrinsics(8, 8, 4, 4, 8, 8)
    return Landmarks(0, nothing, camera, pixels, places, np.arange(count), 1.0)


FOUND = Placed(np.eye(4), np.eye(6), 0.9, 1.0, 0.05, found=points(20))


def test_a_frame_that_sees_little_of_its_keyframe_is_to_be_the_next_one() -> None:
    assert leaving(replace(FOUND, matched=0.2))
    assert not leaving(replace(FOUND, matched=0.6))


def test_one_without_a_place_is_not_for_there_is_nothing_to_tie_it_to() -> None:
    assert not leaving("only 3 points found again")


def test_a_view_that_turns_away_within_one_decoding_is_waited_for() -> None:
    course = Course(True, TrackingConfig())
    course.faded = 0.2
    assert vanishing(course, replace(FOUND, matched=0.4), 2.0)
    assert not vanishing(course, replace(FOUND, matched=0.6), 2.0)
    assert not vanishing(course, replace(FOUND, matched=0.4), 1.0)


def test_one_that_is_placed_by_many_corners_of_its_own_is_not_waited_for() -> None:
    course = Course(True, TrackingConfig())
    course.faded = 0.2
    assert not vanishing(course, replace(FOUND, matched=0.1, found=points(100)), 2.0)


def test_nothing_is_waited_for_on_a_slow_machine() -> None:
    assert not vanishing(Course(True, TrackingConfig()), "lost", 9.0)


def test_a_camera_that_stays_lost_is_not_waited_for_for_ever() -> None:
    course = Course(True, TrackingConfig())
    course.lost = 1
    assert vanishing(course, "lost", 1.0)
    course.lost = 10
    assert not vanishing(course, "lost", 1.0)


def test_a_rough_answer_soon_is_worth_more_where_the_view_turns_away() -> None:
    course = Course(True, TrackingConfig())
    course.faded = 0.1
    assert hurry(course, replace(FOUND, matched=0.8), 2.5)
    assert hurry(course, "lost", 2.5)
    assert not hurry(course, replace(FOUND, matched=0.8), 1.2)
    course.faded = 0.0
    assert not hurry(course, replace(FOUND, matched=0.8), 2.5)
    assert hurry(course, replace(FOUND, matched=0.8), 6.0)


def test_a_map_begins_with_the_first_frame_that_shows_how() -> None:
    course = Course(True, TrackingConfig())
    assert not beginning(course, 1.0)
    course.first = Frame(0, np.zeros((8, 8, 3), np.uint8))
    assert beginning(course, 1.0)
    assert not beginning(course, 5.0)
