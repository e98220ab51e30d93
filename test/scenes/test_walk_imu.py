# SPDX-License-Identifier: Apache-2.0
"""If these fail, what is measured with a walk's sensor is not what a real one would give."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dens3r_ros.mapping.inertial.buffer import ImuBuffer
from dens3r_ros.mapping.inertial.preintegration import Preintegrator
from dens3r_ros.scenes import walk as walks
from dens3r_ros.scenes.inertial import GRAVITY, Carried, carried_imu
from dens3r_ros.scenes.worlds.building import Building
from dens3r_ros.sources import open_source


@pytest.fixture(scope="module")
def walk():
    _, path = walks._MAKE["stop-and-go"](4, 120)
    nowhere = Building(None, torch.zeros(0, 2, 3), torch.zeros(0, 2, 3))  # type: ignore[arg-type]
    return walks.Walk(nowhere, path, None, 4)  # type: ignore[arg-type]


def test_exact_readings_integrate_to_the_walks_own_poses(walk) -> None:
    carried = Carried(rate=400.0, noise=None, offset_s=0.0)
    recording = carried_imu(walk, carried)
    buffer = ImuBuffer()
    buffer.extend(recording.readings)
    poses = walk.trajectory.poses() @ recording.T_camera_imu
    first, last, rate = 20, 50, walk.rate
    seconds = (last - first) / rate
    begin, end = (round(i * 1e9 / rate) for i in (first, last))
    readings = buffer.between(begin, end)
    motion = Preintegrator(recording.noise).over(readings, np.zeros(3))
    R = poses[first][:3, :3]
    assert np.allclose(R @ motion.R, poses[last][:3, :3], atol=2e-3)
    # The velocity at the beginning, by what lies half the way.
    middle = buffer.between(begin, begin + (end - begin) // 2)
    half = Preintegrator(recording.noise).over(middle, np.zeros(3))
    went = [poses[i][:3, 3] - poses[first][:3, 3] for i in ((first + last) // 2, last)]
    fell = [0.5 * GRAVITY * (seconds * share) ** 2 for share in (0.5, 1.0)]
    velocity = (went[0] - fell[0] - R @ half.position) / (seconds / 2)
    assert np.allclose(velocity * seconds + fell[1] + R @ motion.position, went[1], atol=0.01)


def test_a_sensor_at_rest_feels_what_holds_it_up(walk) -> None:
    recording = carried_imu(walk, Carried(noise=None))
    assert np.linalg.norm(recording.readings.force.mean(0)) == pytest.approx(9.81, abs=0.4)
    assert recording.readings.force.mean(0)[2] > 9


def test_errors_repeat_and_stamps_are_late(walk) -> None:
    one, other = carried_imu(walk), carried_imu(walk)
    exact = carried_imu(walk, Carried(noise=None))
    assert np.array_equal(one.readings.turn, other.readings.turn)
    assert 0 < np.abs(one.readings.turn - exact.readings.turn).mean() < 0.1
    assert one.readings.stamps[0] == one.offset_ns == 6_000_000


def test_a_walk_has_a_sensor_where_that_is_asked_for() -> None:
    assert open_source("procedural:walk?frames=4&size=32x24").imu is None
    recording = open_source("procedural:walk?frames=4&size=32x24&imu=1").imu
    assert len(recording.readings) == 21
