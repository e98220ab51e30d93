# SPDX-License-Identifier: Apache-2.0
"""If these fail, a camera that was found again is answered so late that the images after that are
dropped, and it is lost once more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.front_end.fast_tracker import Placed
from dens3r_ros.mapping.front_end.late import CATCHING_UP, LateFrames, placed_late
from dens3r_ros.mapping.tracking.landmarks import Landmarks

NOTHING = np.zeros((0, 2), np.float32), np.zeros((0, 3)), np.zeros(0, int)
SEEN = Landmarks(0, np.zeros((8, 8), np.uint8), Intrinsics(8, 8, 4, 4, 8, 8), *NOTHING, 1.0)
PLACED = Placed(np.eye(4), np.eye(6), 0.9, 1.0, 0.05, found=SEEN)


def frame(stamp: int) -> Frame:
    return Frame(np.zeros((8, 8, 3), np.uint8), stamp)


def in_turn(late: LateFrames, stamp: int, lost: int = -1) -> tuple[Placed | str, list[int]]:
    """The answer to a frame, and which ones were tried for it; one stamp finds no place."""
    tried = []

    def place(one: Frame) -> Placed | str:
        tried.append(one.stamp)
        return "nothing found" if one.stamp == lost else replace(PLACED)

    return late.in_turn(frame(stamp), 7, place, lambda *_: None), tried


def test_many_are_placed_a_few_at_a_time_and_in_order() -> None:
    late = LateFrames()
    late.begin((frame(n) for n in range(7)), iter(()))
    answer, tried = in_turn(late, 7)
    assert answer == CATCHING_UP and tried == [0, 1, 2, 3, 4]
    assert late.waiting
    answer, tried = in_turn(late, 8)
    assert isinstance(answer, Placed) and tried == [5, 6, 7, 8]
    records = late.take_records(3)
    assert [one.stamp for one in records] == list(range(8)), "the latest is told as ever"
    assert {(one.keyframe_id, one.epoch) for one in records} == {(7, 3)}


def test_one_that_finds_no_place_ends_it() -> None:
    late = LateFrames()
    late.begin((frame(n) for n in range(4)), iter(()))
    answer, tried = in_turn(late, 4, lost=2)
    assert answer == "nothing found" and tried == [0, 1, 2]
    assert [one.stamp for one in late.drop()] == [3, 4]
    assert not late.waiting


def test_those_before_are_placed_one_with_each_image() -> None:
    late = LateFrames()
    past = placed_late(lambda one: PLACED if one.stamp > 3 else "lost", 7, map(frame, (5, 4, 3, 2)))
    late.begin((), past)
    assert late.look_back() and late.look_back() and not late.look_back()
    assert [one.stamp for one in late.take_records(0)] == [5, 4]
