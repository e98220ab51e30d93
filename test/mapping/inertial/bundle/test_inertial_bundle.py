# SPDX-License-Identifier: Apache-2.0
"""If these fail, metres are as wrong as the depth of single keyframes, and nobody is told how
sure they are."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from dens3r_ros.frame import Frame
from dens3r_ros.mapping.inertial.alignment import InertialAlignment
from dens3r_ros.mapping.inertial.buffer import ImuBuffer
from dens3r_ros.mapping.inertial.bundle.adjustment import InertialBundle, adjusted
from dens3r_ros.mapping.inertial.bundle.beside import BundleBeside
from dens3r_ros.mapping.inertial.bundle.correcting import corrected
from dens3r_ros.mapping.inertial.bundle.watching import CornerWatch
from dens3r_ros.mapping.inertial.moments import Sighted
from dens3r_ros.scenes.inertial import Carried, carried_imu
from dens3r_ros.scenes.walk import open_walk

FRAMES, EVERY = 226, 5
LONG = 1.06
"""By which the first guess is too long."""


@pytest.fixture(scope="module")
def watched():
    """A walk's corners, its poses and readings."""
    walk = open_walk("walk", seed=71, frames=FRAMES)
    recording = carried_imu(walk, Carried())
    watch = CornerWatch()
    for index in range(EVERY, FRAMES - EVERY, EVERY):
        image = walk.render(index).image
        frame = Frame(image, round(index * 1e9 / walk.rate), intrinsics=walk.intrinsics)
        assert watch.due(frame)
        watch.see(frame, None)
    poses = walk.trajectory.poses()[EVERY : FRAMES - EVERY : EVERY]
    buffer = ImuBuffer()
    buffer.extend(recording.readings)
    return watch, poses, recording, buffer


def guessed(poses: np.ndarray) -> np.ndarray:
    guess = poses.copy()
    guess[:, :3, 3] *= LONG
    return guess


def length(poses: np.ndarray, truth: np.ndarray) -> float:
    one, other = (T[:, :3, 3] - T[:, :3, 3].mean(0) for T in (poses, truth))
    return float(np.sqrt((one**2).sum() / (other**2).sum()))


@pytest.fixture(scope="module")
def found(watched):
    watch, poses, recording, buffer = watched
    offset = recording.offset_ns
    stamps = [glimpse.stamp + offset for glimpse in watch.glimpses]
    readings = [buffer.between(*span) for span in pairwise(stamps)]
    up, still = np.array([0.02, 0.0, 1.0]), np.zeros(3)
    mounted, noise = recording.T_camera_imu, recording.noise
    bundle = InertialBundle(
        list(watch.glimpses), readings, guessed(poses), up, still, still, mounted, noise
    )
    return bundle, adjusted(bundle)


def test_corners_and_readings_tell_how_long_a_way_was_and_what_is_up(watched, found) -> None:
    _, result = found
    error = np.log(length(result.T_level_camera, watched[1]))
    assert abs(error) < 0.02
    assert abs(error) < 3 * np.hypot(1.5 * result.sigma, 0.004)
    up = np.einsum("nji,j->ni", result.T_level_camera[:, :3, :3], result.up)
    tilt = np.degrees(np.arccos((up * watched[1][:, 2, :3]).sum(1)))
    assert tilt.mean() < 0.8, "1.1 degrees at first; the force has a bias too"
    assert 0.001 < result.sigma < 0.02


def test_images_without_corners_tell_nothing(found) -> None:
    bundle, _ = found
    none = [replace(one, numbers=one.numbers[:0], pixels=one.pixels[:0]) for one in bundle.glimpses]
    assert adjusted(replace(bundle, glimpses=none)) is None


def alignment(poses: np.ndarray) -> InertialAlignment:
    still, count = np.zeros(3), len(poses)
    up = np.array([0.0, 0.0, 1.0])
    return InertialAlignment(
        2.0, 0.05, 0.05, up, 0.01, still, still, 0.5, still, np.full(count, 2.0), poses
    )


def sights_of(stamps: list[int], poses: np.ndarray) -> list[Sighted]:
    return [Sighted(stamp, T, 0) for stamp, T in zip(stamps, poses, strict=True)]


def test_what_was_adjusted_sets_scale_and_places_right(watched, found) -> None:
    watch, poses, _, _ = watched
    _, result = found
    sights = sights_of([glimpse.stamp for glimpse in watch.glimpses], poses)
    right = corrected(alignment(guessed(poses)), sights, range(len(sights)), result)
    np.testing.assert_allclose(right.T_level_camera, result.T_level_camera, atol=1e-9)
    wanted = 2.0 * length(result.T_level_camera, guessed(poses))
    assert right.scale == pytest.approx(wanted, rel=0.01)
    assert right.sigma < 0.03


def test_the_answer_comes_from_a_process_beside_and_a_dead_one_costs_nothing(watched) -> None:
    watch, poses, recording, buffer = watched
    beside = BundleBeside()
    beside.watch = watch
    sights = sights_of([glimpse.stamp for glimpse in watch.glimpses], poses)
    wrong = alignment(guessed(poses))
    asked = (wrong, sights, buffer, recording.offset_ns, recording.T_camera_imu, recording.noise)
    assert beside.ask(*asked)
    assert beside.busy and not beside.ask(*asked)
    assert beside.answer(sights[-1].stamp) is None, "too early"
    late = sights[-1].stamp + 60_000_000_000
    told = beside.answer(late)
    assert told is not None and told[0] is wrong, "nobody waits for ever"
    assert not beside.busy
    assert beside.ask(*asked)
    beside.drop()
    assert not beside.busy
