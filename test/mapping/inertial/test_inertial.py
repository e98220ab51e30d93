# SPDX-License-Identifier: Apache-2.0
"""If these fail, a robot with an IMU drives by a wrong scale, up is not up, or a broken sensor is
believed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from synthetic import UNIT, path, run, up, update, updates

from dens3r_ros.imu import ImuReadings
from dens3r_ros.mapping.graph.graph import scale_of
from dens3r_ros.mapping.inertial.inertial import Inertial
from dens3r_ros.scenes.inertial import Carried, carried_imu


@pytest.fixture(scope="module")
def walking():
    walk = path("stop-and-go", 21, 600)
    return walk, carried_imu(walk, Carried())


def changed(recording, readings: ImuReadings):
    return replace(recording, readings=readings)


@pytest.fixture(scope="module")
def learned(walking):
    return run(*walking)


def test_scale_gravity_biases_and_offset_are_found_within_seconds(walking, learned) -> None:
    inertial, known = learned
    assert known is not None and known < 20
    assert inertial.scale == pytest.approx(UNIT, rel=0.02)
    assert abs(np.log(inertial.scale / UNIT)) < 4 * inertial.sigma
    assert np.degrees(np.arccos(inertial.up_map @ up())) < 0.5
    assert inertial.offset_s == pytest.approx(0.006, abs=0.012)
    assert "from imu" in inertial.progress()


def test_the_gyroscope_tells_how_the_camera_turned(walking, learned) -> None:
    walk, _ = walking
    inertial, _ = learned
    poses = walk.trajectory.poses()
    begin, end = 500, 520
    R = inertial.turn(round(begin * 1e9 / walk.rate), round(end * 1e9 / walk.rate))
    truth = poses[begin][:3, :3].T @ poses[end][:3, :3]
    assert np.degrees(np.arccos((np.trace(R.T @ truth) - 1) / 2)) < 0.3


def test_readings_that_come_late_serve_as_well(walking) -> None:
    inertial, known = run(*walking, late_s=0.2)
    assert known is not None
    assert inertial.scale == pytest.approx(UNIT, rel=0.02)
    assert not inertial.fault


def test_readings_stamped_late_are_noticed_or_set_right(walking) -> None:
    walk, recording = walking
    late = changed(
        recording, replace(recording.readings, stamps=recording.readings.stamps + 200_000_000)
    )
    inertial, _ = run(walk, late)
    assert inertial.offset_s == pytest.approx(0.206, abs=0.012)
    told = Inertial(recording.noise, recording.T_camera_imu, offset_s=0.0)
    inertial, known = run(walk, late, told)
    assert known is None
    assert "imu.time_offset" in inertial.fault


def test_axes_that_are_swapped_are_noticed_and_left_out(walking) -> None:
    walk, recording = walking
    readings = recording.readings
    swapped = replace(readings, turn=readings.turn[:, [1, 0, 2]] * (1, 1, -1))
    inertial, known = run(walk, changed(recording, swapped))
    assert known is None
    assert "axes" in inertial.fault
    assert inertial.turn(10**9, 2 * 10**9) is None


def test_five_times_the_bias_is_borne(walking) -> None:
    walk, recording = walking
    readings, noise = recording.readings, recording.noise
    biased = replace(
        readings, turn=readings.turn + noise.turn_bias, force=readings.force + 2 * noise.force_bias
    )
    inertial, known = run(walk, changed(recording, biased))
    assert known is not None
    assert inertial.scale == pytest.approx(UNIT, rel=0.03)


def test_a_sensor_that_stops_is_told_and_taken_up_again(walking) -> None:
    walk, recording = walking
    readings = recording.readings
    inertial, _ = run(walk, changed(recording, readings.part(slice(0, 2000))))
    assert "no reading for" in inertial.fault
    assert inertial.turn(15 * 10**9, 16 * 10**9) is None
    inertial.buffer.extend(readings.part(slice(2000, None)))
    inertial.learn(update(int(readings.stamps[-1]), np.eye(4)))
    assert not inertial.fault


def test_saturated_readings_are_left_out(walking) -> None:
    walk, recording = walking
    noise = replace(recording.noise, force_range=float(np.abs(recording.readings.force).max()))
    clipped = changed(recording, recording.readings)
    inertial = Inertial(replace(noise, force_range=9.0), recording.T_camera_imu)
    _, known = run(walk, clipped, inertial)
    assert known is None
    assert "end of the sensor's range" in inertial.fault
    assert inertial.turn(10**9, 2 * 10**9) is None


def test_even_motion_gives_no_scale_but_says_what_is_missing() -> None:
    walk = path("stop-and-go", 22, 450)
    still = replace(walk, trajectory=replace(walk.trajectory, position=np.zeros((450, 3))))
    inertial, known = run(still)
    assert known is None
    assert "waiting for imu" in inertial.progress()


def test_time_that_goes_back_begins_anew(walking) -> None:
    _, recording = walking
    inertial = Inertial(recording.noise, recording.T_camera_imu)
    inertial.buffer.extend(recording.readings.part(slice(0, 1000)))
    inertial.buffer.extend(recording.readings.part(slice(0, 10)))
    assert inertial.buffer.restarts == 1
    assert len(inertial.buffer) == 10


def test_a_second_without_images_is_bridged(walking) -> None:
    """A robot that drives past a lamp is not without metres for it."""
    walk, recording = walking
    seen = updates(walk)
    for index in range(200, 230):
        seen[index] = update(seen[index].stamp, None)
    seen[230] = replace(seen[230], motion_seen=False)
    for index in range(230, len(seen)):  # odom goes on from where it was last.
        T = seen[index].T_odom_camera.copy()
        T[:3, 3] += 0.3
        seen[index] = replace(seen[index], T_odom_camera=T)
    inertial, known = run(walk, recording, seen=seen)
    assert known is not None
    assert inertial.scale == pytest.approx(UNIT, rel=0.03)


def test_a_camera_whose_unit_differs_from_keyframe_to_keyframe_is_borne(walking) -> None:
    walk, recording = walking
    random = np.random.RandomState(3)
    seen, at, before, unit = [], None, None, 1.0
    for index, one in enumerate(updates(walk)):
        unit = np.exp(0.03 * random.standard_normal()) if index % 25 == 0 else unit
        T = one.T_odom_camera.copy()
        at = T[:3, 3].copy() if at is None else at + unit * (T[:3, 3] - before)
        before = T[:3, 3].copy()
        T[:3, 3] = at
        seen.append(replace(one, T_odom_camera=T, keyframe_id=index // 25))
    inertial, known = run(walk, recording, seen=seen)
    assert known is not None
    assert abs(np.log(inertial.scale / UNIT)) < 3 * inertial.sigma


def test_a_camera_that_sees_another_path_than_was_felt_gives_no_scale(walking) -> None:
    walk, recording = walking
    seen = []
    for index, one in enumerate(updates(walk)):
        T = one.T_odom_camera.copy()
        T[:3, 3] *= 1 + 0.8 * np.sin(index / 15)
        seen.append(replace(one, T_odom_camera=T))
    inertial, known = run(walk, recording, seen=seen)
    assert known is None
    assert "do not fit" in inertial.progress()


def test_the_gyroscopes_bias_is_known_before_the_scale(walking) -> None:
    """The guess of how the camera turned would be off by half a degree a frame."""
    walk, recording = walking
    readings = replace(recording.readings, turn=recording.readings.turn + 0.25)
    inertial, _ = run(walk, changed(recording, readings), seen=updates(walk)[:400])
    poses = walk.trajectory.poses()
    R = inertial.turn(round(370 * 1e9 / walk.rate), round(385 * 1e9 / walk.rate))
    truth = poses[370][:3, :3].T @ poses[385][:3, :3]
    assert np.degrees(np.arccos((np.trace(R.T @ truth) - 1) / 2)) < 1.5


def rescaled(walk, by: float, at: int):
    """Updates of a mapper that sets its unit right in the middle of the walk."""
    seen, shift = [], np.zeros(3)
    for index, one in enumerate(updates(walk)):
        T = one.T_odom_camera.copy()
        if index < at:
            shift = (1 - by) * T[:3, 3]
        else:
            T[:3, 3] = T[:3, 3] * by + shift
        seen.append(replace(one, T_odom_camera=T, keyframe_id=index // 25, epoch=int(index >= at)))
    return seen


def test_what_was_felt_lasts_where_another_unit_begins(walking) -> None:
    """Without it a robot waits for metres again, ten seconds or more, after every epoch."""
    walk, recording = walking
    begun = 420
    inertial = Inertial(recording.noise, recording.T_camera_imu)
    _, known = run(walk, recording, inertial, seen=rescaled(walk, 1.3, begun))
    assert known is not None and begun / walk.rate < known
    assert inertial.scale == pytest.approx(UNIT / 1.3, rel=0.05)
    assert abs(np.log(inertial.scale / UNIT * 1.3)) < 3 * inertial.sigma
    assert np.degrees(np.arccos(inertial.up_map @ up())) < 0.5


def test_metres_last_where_the_map_follows_them(walking) -> None:
    walk, recording = walking
    inertial = Inertial(recording.noise, recording.T_camera_imu)
    inertial.steers = True
    run(walk, recording, inertial)
    metres = inertial.scale
    assert metres == pytest.approx(UNIT, rel=0.03)
    last = replace(updates(walk)[-1], stamp=round(len(walk) / walk.rate * 1e9))
    inertial.learn(replace(last, epoch=1))
    assert inertial.scale == metres
    inertial.learn(replace(last, stamp=last.stamp + 10**7, epoch=2, piece=7))
    assert inertial.scale is None


def test_what_is_felt_of_keyframes_is_told_in_metres(walking) -> None:
    walk, recording = walking
    inertial = Inertial(recording.noise, recording.T_camera_imu)
    inertial.steers = True
    seen = [
        replace(one, T_keyframe_camera=np.eye(4), keyframe_id=n // 25, keyframe_unit=1.3)
        for n, one in enumerate(updates(walk))
    ]
    run(walk, recording, inertial, seen=seen)
    assert inertial.felt is not None and len(inertial.felt.visits) > 10
    for visit in inertial.felt.visits:
        assert scale_of(visit.S_level_keyframe) == pytest.approx(1.3 * UNIT, rel=0.08)
    assert inertial.felt.metres == pytest.approx(UNIT, rel=0.03)


def test_a_bias_that_its_preset_does_not_expect_is_told(walking) -> None:
    walk, recording = walking
    noise, readings = recording.noise, recording.readings
    turn = readings.turn + 5 * noise.turn_bias / np.sqrt(3)
    off = replace(readings, turn=turn, force=readings.force + 5 * noise.force_bias / np.sqrt(3))
    inertial, known = run(walk, changed(recording, off))
    assert known is not None
    assert "bias" in inertial.progress() and "imu.preset" in inertial.progress()
    assert inertial.scale == pytest.approx(UNIT, rel=0.03)
    usual, _ = run(walk, recording)
    assert "bias" not in usual.progress()


def test_progress_is_told_right_after_a_break(walking) -> None:
    walk, recording = walking
    inertial, _ = run(walk, recording, seen=updates(walk)[:290])
    inertial.learn(update(round(290 / 30 * 1e9), np.eye(4), epoch=1))
    assert "waiting for imu" in inertial.progress()
