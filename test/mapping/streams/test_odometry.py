# SPDX-License-Identifier: Apache-2.0
"""Controllers follow `odom`: a jump in it moves a robot."""

import numpy as np
import pytest

from dens3r_ros.mapping.streams.odometry import Odometry, in_map

TENTH = 100_000_000
"""Nanoseconds."""


def at(x: float, scale: float = 1.0) -> np.ndarray:
    S = np.eye(4)
    S[:3, :3] *= scale
    S[0, 3] = x
    return S


def test_a_solve_moves_odom_in_map_and_nothing_in_odom() -> None:
    odometry = Odometry()
    odometry.begin(0, np.eye(4))
    before = odometry.camera(at(0.5))
    assert not odometry.correct(at(2.0, 1.02), at(0.5))
    assert odometry.camera(at(0.5)) == pytest.approx(before)
    moved = odometry.T_map_odom @ odometry.camera(at(0.5))
    assert moved == pytest.approx(in_map(at(2.0, 1.02), at(0.5)))
    assert odometry.epoch == 0


def test_a_jump_of_scale_begins_an_epoch_where_the_camera_stands() -> None:
    odometry = Odometry()
    odometry.begin(0, np.eye(4))
    before = odometry.camera(at(0.5))
    assert odometry.correct(at(0.0, 1.1), at(0.5))
    assert odometry.epoch == 1
    assert odometry.camera(at(0.5)) == pytest.approx(before)
    assert odometry.unit == pytest.approx(1.1)
    assert odometry.scale(at(0.0, 1.1)) == pytest.approx(1.0)


def test_changing_keyframes_is_not_seen_in_odom() -> None:
    odometry = Odometry()
    odometry.begin(0, np.eye(4))
    before = odometry.camera(at(0.5))
    odometry.hand_over(1, at(0.4, 2.0), at(0.5), at(0.05))
    assert odometry.camera(at(0.05)) == pytest.approx(before)
    assert odometry.unit == pytest.approx(2.0)


def test_what_is_learned_of_a_keyframes_unit_is_no_jump_of_scale() -> None:
    """Each new keyframe turns out 2% larger than believed, ten times over: no epoch for that."""
    odometry = Odometry()
    odometry.begin(0, np.eye(4))
    for n in range(1, 11):
        odometry.hand_over(n, np.eye(4), at(0.1), np.eye(4))
        before = odometry.camera(at(0.05))
        S = at(0.1 * n, 1.02**n)
        assert not odometry.correct(S, at(0.05))
        assert odometry.camera(at(0.05)) == pytest.approx(before)
        moved = odometry.T_map_odom @ odometry.camera(at(0.25))
        assert moved == pytest.approx(in_map(S, at(0.25)))
    assert odometry.epoch == 0
    assert odometry.correct(at(1.0, 0.93 * 1.02**10), at(0.05))


def test_after_a_loss_the_camera_goes_on_and_odom_moves_in_the_map() -> None:
    """Half a metre that drift had put between the map and `odom` is no motion of the camera."""
    odometry = Odometry()
    odometry.begin(0, np.eye(4))
    for n in range(5):
        odometry.follow(n * TENTH, at(0.1 * n), 2.0)
    before = odometry.T_map_odom @ odometry.camera(at(0.4))
    odometry.resume(5, at(7.0), at(1.0))
    odometry.expect(5 * TENTH, at(0.2))
    odometry.correct(at(7.0), at(0.2))
    assert not odometry.measured
    assert odometry.camera(at(0.2)) == pytest.approx(at(0.5))
    assert odometry.T_map_odom @ odometry.camera(at(0.2)) == pytest.approx(at(7.2))
    assert before == pytest.approx(at(0.4))


def test_a_camera_unseen_for_long_is_not_carried_away() -> None:
    odometry = Odometry()
    odometry.begin(0, np.eye(4))
    for n in range(5):
        odometry.follow(n * TENTH, at(0.1 * n), 2.0)
    odometry.resume(5, at(7.0), at(1.0))
    odometry.expect(4 * TENTH + 60 * 10**9, at(0.0))
    assert odometry.camera(at(0.0)) == pytest.approx(at(0.9))


def test_a_pose_out_of_reach_does_not_move_odom_there() -> None:
    odometry = Odometry()
    odometry.begin(0, np.eye(4))
    for n in range(5):
        odometry.follow(n * TENTH, at(0.02 * n), 2.0)
    odometry.follow(5 * TENTH, at(1.5), 2.0)
    assert odometry.camera(at(1.5))[0, 3] < 0.2 and not odometry.measured


def test_a_camera_that_starts_suddenly_is_followed() -> None:
    """From rest to 1.5 metres a second within half a second, two metres from what it sees."""
    odometry = Odometry()
    odometry.begin(0, np.eye(4))
    truth = np.cumsum([0.0] * 10 + [0.03, 0.06, 0.09, 0.12] + [0.15] * 10).tolist()
    for n, x in enumerate(truth):
        odometry.follow(n * TENTH, at(x), 2.0)
    assert odometry.camera(at(truth[-1]))[0, 3] == pytest.approx(truth[-1], abs=0.15)
