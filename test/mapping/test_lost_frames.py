# SPDX-License-Identifier: Apache-2.0
"""A mapper that has lost its way must find it, keep what it knew, and say what it does not know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from covered import CoveredOracle
from mapped_walks import INLINE, errors, oracle, plain

from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.mapping.update import Tracking


def test_a_covered_lens_is_lost_and_found_again(walk) -> None:
    mapper = Mapper(CoveredOracle(walk, long_side=160), INLINE)
    states = []
    for index in range(14):
        frame = walk[index]
        if 7 <= index < 10:
            frame = replace(frame, image=np.zeros_like(frame.image))
        update = mapper.step(frame)
        states.append(update.state)
        if update.state is not Tracking.TRACKING:
            assert update.T_odom_camera is None
            assert update.maps is None
            assert update.reason
    assert states[7] is Tracking.LOST
    assert states[8:10] == [Tracking.RELOCALISING] * 2
    assert states[10:] == [Tracking.TRACKING] * 4
    assert update.counters.lost == 3
    assert errors(walk, mapper).ate_sim3_m < 0.05


def test_the_lens_stays_known_while_the_camera_is_lost(walk) -> None:
    mapper = Mapper(CoveredOracle(walk, long_side=160), INLINE)
    updates = []
    for index in range(10):
        frame = plain(walk[index])
        if index >= 8:
            frame = replace(frame, image=np.zeros_like(frame.image))
        updates.append(mapper.step(frame))
    assert updates[7].state is Tracking.TRACKING and updates[8].state is Tracking.LOST
    assert {update.intrinsics for update in updates[7:]} == {updates[7].intrinsics}
    assert updates[9].intrinsics.fx == pytest.approx(walk.camera.fx, rel=0.05)


def test_a_unit_of_an_engines_own_is_not_called_metres(walk) -> None:
    """Whatever is asked of the graph."""
    mapper = Mapper(oracle(walk), replace(INLINE, scale="metric"))
    assert not mapper.step(walk[0]).metric


def test_a_camera_carried_elsewhere_in_the_dark_is_found_where_it_is(box_room, camera_pose) -> None:
    there = [camera_pose(-1 + 0.06 * n, 0, -2 + 0.01 * n**2, 12 * n) for n in range(10)]
    room = box_room(np.array([*there, *there[3:6]]))
    mapper = Mapper(CoveredOracle(room, long_side=160), INLINE)
    for index in range(10):
        mapper.step(room[index])
    black = replace(room[9], image=np.zeros_like(room[9].image), stamp=room[9].stamp)
    mapper.step(black)
    update = [mapper.step(room[index]) for index in range(10, 13)][-1]
    assert update.state is Tracking.TRACKING
    assert errors(room, mapper).ate_sim3_m < 0.1


def test_a_robot_that_stood_still_keeps_its_map_while_somebody_stands_before_it(
    box_room, camera_pose
) -> None:
    room = box_room(np.array([camera_pose(0, 0, -2, 0)] * 46))
    mapper = Mapper(CoveredOracle(room, long_side=160), INLINE)
    for index in range(46):
        frame = room[index]
        if 32 <= index < 45:
            frame = replace(frame, image=np.zeros_like(frame.image))
        update = mapper.step(frame)
    assert update.state is Tracking.TRACKING
    assert update.epoch == 0 and update.counters.tracked == 33
