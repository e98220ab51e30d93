# SPDX-License-Identifier: Apache-2.0
"""If these fail, a looping bag or a camera with a bad clock corrupts the map silently."""

from dens3r_ros.nodes.inputs.stamps import NANOSECONDS, StampGuard, StampVerdict


def judge(guard: StampGuard, seconds: float, camera: str = "front", now: float = 100) -> str:
    return guard.judge(camera, int(seconds * NANOSECONDS), int(now * NANOSECONDS)).name


def test_ordinary_repeated_and_late_stamps() -> None:
    guard = StampGuard()
    assert [judge(guard, s) for s in (10, 10.1, 10.1, 10.05, 10.2)] == [
        "ACCEPT",
        "ACCEPT",
        "REPEATED",
        "LATE",
        "ACCEPT",
    ]


def test_a_bag_that_begins_again_restarts_every_camera_once() -> None:
    guard = StampGuard()
    judge(guard, 50)
    judge(guard, 50, "rear")
    assert judge(guard, 10) == "RESTART"
    assert judge(guard, 10, "rear") == "ACCEPT"


def test_a_stamp_far_in_the_future_does_not_block_those_that_follow() -> None:
    guard = StampGuard()
    assert judge(guard, 500) == "FUTURE"
    assert judge(guard, 100) == "ACCEPT"


def test_before_simulated_time_runs_no_stamp_is_in_the_future() -> None:
    assert judge(StampGuard(), 500, now=0) == StampVerdict.ACCEPT.name
