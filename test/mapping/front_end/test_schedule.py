# SPDX-License-Identifier: Apache-2.0
"""What is decoded when: too little and the map goes wrong, by the clock and no replay repeats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dens3r_ros.frame import Frame
from dens3r_ros.mapping.config import DecodingConfig, KeyframeConfig, TrackingConfig
from dens3r_ros.mapping.front_end.course import Course
from dens3r_ros.mapping.front_end.decoder import DecodingRequest
from dens3r_ros.mapping.front_end.pace import DecodingPace
from dens3r_ros.mapping.front_end.schedule import DecodingSchedule

FRAME = 33_000_000


@dataclass
class Thread:
    """A decoder whose state is told."""

    waiting: bool = False
    ready: bool = False
    idle: bool = True


def asked(schedule: DecodingSchedule, course: Course, thread: Thread) -> bool:
    schedule.came(FRAME * schedule.number)
    decodes = schedule.decodes(course, "lost", [course])
    if decodes:
        schedule.asked(course)
        thread.waiting, thread.idle = True, False
    return decodes


def test_fixed_numbers_ask_and_take_over_by_the_count_of_frames_alone() -> None:
    """Though the answer is there at once."""
    thread = Thread(ready=True)
    schedule = DecodingSchedule(DecodingConfig(3, 2), KeyframeConfig(), thread)
    course = Course(True, TrackingConfig())
    told, taken = [], []
    for _ in range(9):
        schedule.came(FRAME * schedule.number)
        taken.append(schedule.due)
        thread.waiting &= not schedule.due
        told.append(schedule.decodes(course, "lost", [course]))
        if told[-1]:
            schedule.asked(course)
            thread.waiting = True
    assert told == [True, False, False] * 3
    assert taken == [False, False, True] * 3


def test_the_machine_gives_the_pace_where_no_number_is_set() -> None:
    thread = Thread()
    schedule = DecodingSchedule(DecodingConfig(0), KeyframeConfig(), thread)
    course = Course(True, TrackingConfig())
    assert asked(schedule, course, thread)
    assert not schedule.due
    assert not asked(schedule, course, thread)
    thread.ready = True
    assert schedule.due
    thread.waiting, thread.ready, thread.idle = False, False, True
    assert asked(schedule, course, thread)


def test_cameras_take_turns() -> None:
    thread = Thread()
    schedule = DecodingSchedule(DecodingConfig(0), KeyframeConfig(), thread)
    courses = [Course(True, TrackingConfig()), Course(False, TrackingConfig())]
    served = []
    for n in range(12):
        schedule.came(FRAME * n)
        course = courses[n % 2]
        if schedule.decodes(course, "lost", courses):
            schedule.asked(course)
            served.append(n % 2)
    assert abs(served.count(0) - served.count(1)) <= 1


def test_a_quick_machine_keeps_up_and_a_slow_one_does_not() -> None:
    for seconds, keeps_up in ((0.01, True), (0.05, False)):
        pace = DecodingPace()
        for n in range(8):
            pace.came(n * FRAME)
            pace.took(seconds)
        assert pace.keeps_up is keeps_up


def test_a_machine_that_answers_slowly_does_not_take_the_camera_for_slow() -> None:
    """It sees one image in six while it decodes each before its answer: to think that it keeps up
    would keep it there."""
    pace = DecodingPace()
    stamp = 0
    for answer in (0.005,) * 4 + (0.19,) * 30:
        pace.came(stamp)
        pace.took(0.18)
        pace.answered(answer)
        stamp += FRAME if answer < 0.1 else 6 * FRAME
    assert not pace.keeps_up
    assert pace.lag > 5


def test_a_camera_that_becomes_slow_is_seen_to_be() -> None:
    pace = DecodingPace()
    for n in range(60):
        pace.came(n * FRAME if n < 10 else n * 10 * FRAME)
        pace.took(0.1)
        pace.answered(0.01)
    assert pace.keeps_up


def exact_lag(seconds: float, hurried_seconds: float) -> float:
    """After ten exact decodings and then many hurried ones."""
    pace = DecodingPace()
    for number in range(50):
        pace.came(FRAME * number)
        hurried = number >= 10
        pace.took(hurried_seconds if hurried else seconds, hurried)
    return pace.exact_lag


def test_what_is_rough_does_not_make_an_exact_answer_seem_quick() -> None:
    assert exact_lag(seconds=0.1, hurried_seconds=0.04) > 3.5


def test_who_hurried_learns_that_there_is_time_again() -> None:
    """Else one slow moment would cost the depth of all that follows."""
    assert exact_lag(seconds=0.5, hurried_seconds=0.005) < 1.5


def test_fixed_numbers_never_hurry() -> None:
    request = DecodingRequest(Frame(0, np.zeros((8, 8, 3), np.uint8)), None, None, [], frozenset())
    course = Course(True, TrackingConfig())
    for every, hurried in ((0, True), (1, False)):
        schedule = DecodingSchedule(DecodingConfig(every), KeyframeConfig(), Thread())
        schedule.pace.came(0)
        schedule.pace.came(FRAME)
        schedule.pace.took(1.0)
        assert schedule.hurried(request, course, "lost").hurried is hurried
