# SPDX-License-Identifier: Apache-2.0
"""If these fail, a robot is told metres that are none, or never gets to know them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from updates import lost, tracked

from dens3r_ros.engines.protocol import Placement
from dens3r_ros.mapping.maps import Maps
from dens3r_ros.mapping.tracking.observation import ViewMaps
from dens3r_ros.mapping.update import Update
from dens3r_ros.nodes.inputs.scale import ENOUGH, ScaleEstimator, in_metres

UNIT = 0.4
"""Metres of the mapper's unit in these tests."""
TICK = 100_000_000
START = np.array([5.0, -3.0, 0.2])
"""The robot's own odometry began elsewhere."""


def update(stamp: int, metres: np.ndarray | None, epoch: int = 0, turn: float = 0.0) -> Update:
    T = None
    if metres is not None:
        T = np.eye(4)
        T[:3, :3] = Rotation.from_rotvec([0, 0, turn]).as_matrix()
        T[:3, 3] = metres / UNIT
    if T is None:
        return lost(stamp=stamp, epoch=epoch)
    return tracked(T, stamp=stamp, epoch=epoch, covariance=np.diag([1.0, 1, 1, 2, 2, 2]))


class Walk:
    """A robot at 0.5 m/s, whose frames and whose own positions an estimator hears of."""

    def __init__(self, noise: float = 0.0) -> None:
        self.estimator = ScaleEstimator()
        self.stamp = 0
        self.metres = np.zeros(3)
        self.slipped = np.zeros(3)
        self.noise = noise
        self.rng = np.random.default_rng(0)

    def where(self, _: int) -> np.ndarray:
        return START + self.metres + self.slipped + self.rng.normal(size=3) * 0.01

    def go(self, frames: int, speed: float = 0.5, lost: bool = False, epoch: int = 0) -> bool:
        found = False
        for _ in range(frames):
            self.stamp += TICK
            self.metres[0] += speed * 0.1
            seen = self.metres + self.rng.normal(size=3) * self.noise
            found |= self.estimator.add(
                update(self.stamp, None if lost else seen, epoch), self.where
            )
        return found


def test_the_scale_is_found_within_its_noise_and_held() -> None:
    walk = Walk(noise=0.01)
    assert walk.go(100)
    found = walk.estimator.scale
    assert found == pytest.approx(UNIT, rel=0.05)
    assert not walk.go(100, speed=1.0) and walk.estimator.scale == found


def test_some_slipping_does_not_disturb_it() -> None:
    walk = Walk()
    for stretch in range(30):
        walk.go(5)
        if stretch % 7 == 3:
            walk.slipped[0] += 0.2
    assert walk.estimator.scale == pytest.approx(UNIT, rel=0.08)


def test_standing_still_says_nothing() -> None:
    walk = Walk(noise=0.02)
    assert not walk.go(600, speed=0.0)
    assert walk.estimator.stretches == 0


def test_a_stretch_with_a_loss_in_it_does_not_count() -> None:
    walk = Walk()
    for _ in range(20):
        walk.go(3)
        walk.go(3, lost=True)
    assert walk.estimator.stretches == 0


def test_a_stretch_with_a_motion_that_nobody_saw_does_not_count() -> None:
    walk = Walk()
    for _ in range(60):
        walk.go(1)
        walk.metres[0] += 0.05
        walk.stamp += TICK
        expected = replace(update(walk.stamp, walk.metres * 0.5), motion_seen=False)
        walk.estimator.add(expected, walk.where)
    assert walk.estimator.stretches == 0


def test_turning_on_the_spot_says_nothing() -> None:
    estimator = ScaleEstimator()
    arm = np.array([0.4, 0, 0])
    for frame in range(300):
        R = Rotation.from_rotvec([0, 0, 0.1 * frame]).as_matrix()
        camera = update(frame * TICK, np.zeros(3), turn=0.1 * frame)
        estimator.add(camera, lambda _, R=R: R @ arm)
    assert estimator.stretches == 0


def test_ratios_that_disagree_are_not_believed() -> None:
    walk = Walk()
    for stretch in range(40):
        walk.go(6)
        walk.slipped[0] += 0.3 * (stretch % 3)
    assert walk.estimator.stretches > ENOUGH and walk.estimator.scale is None


def test_another_epoch_has_another_unit() -> None:
    walk = Walk()
    assert walk.go(100)
    walk.go(1, epoch=1)
    assert walk.estimator.scale is None
    assert walk.go(100, epoch=1)


def test_positions_that_come_late_are_waited_for() -> None:
    estimator, known = ScaleEstimator(), 0
    for frame in range(100):
        known = frame - 5

        def where(stamp: int, known: int = known) -> np.ndarray | None:
            return np.array([0.05 * stamp / TICK, 0, 0]) if stamp <= known * TICK else None

        estimator.add(update(frame * TICK, np.array([0.05 * frame, 0, 0])), where)
    assert estimator.scale == pytest.approx(UNIT)


def test_everything_with_a_length_becomes_metres() -> None:
    placement = Placement((2, 2), (2, 2), 0, 0, (2, 2))
    made = ViewMaps(np.ones((2, 2, 3), np.float32), np.ones((2, 2), np.float32))
    maps = Maps(lambda: made, 2.0, placement)
    before = replace(update(7, np.array([1.0, 2, 3])), maps=maps, epoch=3)
    after = in_metres(before, UNIT, 2)
    assert (after.epoch, after.metric, after.stamp) == (5, True, 7)
    np.testing.assert_allclose(after.T_odom_camera[:3, 3], [1, 2, 3])
    np.testing.assert_allclose(after.maps.depth, 2 * UNIT)
    np.testing.assert_allclose(np.diag(after.covariance), [UNIT**2] * 3 + [2] * 3)
    np.testing.assert_allclose(before.T_odom_camera[:3, 3] * UNIT, [1, 2, 3])


def test_a_lost_frame_stays_without_a_place() -> None:
    lost = in_metres(update(0, None), UNIT, 1)
    assert lost.T_odom_camera is None and lost.maps is None and lost.covariance is None
