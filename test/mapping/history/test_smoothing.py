# SPDX-License-Identifier: Apache-2.0
"""The path that is kept: without smoothing it jitters by what every single pair errs, and a frame
that became a keyframe stays behind when that is moved."""

import numpy as np
import pytest

from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.geometry import tangents
from dens3r_ros.mapping.config import GraphConfig, MapperConfig
from dens3r_ros.mapping.history.smoothing import MOST_FRAMES, Trail
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.mapping.tracking.agreement import Difference, settle
from dens3r_ros.mapping.tracking.refinement import NO_DOUBT
from dens3r_ros.mapping.tracking.resection import Resection
from dens3r_ros.mapping.tracking.tracker import Sightings, Track

DEPTH = 2.0
ENGINE, IMAGE = np.array([0.012] * 3 + [0.003] * 3), np.array([0.002] * 3 + [0.0005] * 3)
LASTING = (0.004, 0.002)
NOTHING = Sightings(np.zeros((0, 2), int), np.zeros((0, 3)), np.zeros(0), 1e-3)


def true_pose(n: int) -> np.ndarray:
    """T_frame_keyframe of a camera that walks on while it turns a little."""
    return tangents.exp(np.array([0.02 * n, 0, 0.01 * n, 0, 0.005 * n, 0]))


def solved(T: np.ndarray, error: np.ndarray, sigma: np.ndarray) -> Resection:
    return Resection(tangents.exp(error) @ T, np.diag(sigma**2), np.ones(50, bool), 1e-3)


def tracked(n: int, off_engine: np.ndarray, off_image: np.ndarray) -> Track:
    engine = solved(true_pose(n), off_engine, ENGINE)
    image = solved(true_pose(n), off_image, IMAGE).with_floor(LASTING, DEPTH)
    T, covariance = settle(engine, image, NO_DOUBT, true_pose(n))
    T_pair = np.linalg.inv(engine.T_frame_keyframe)
    difference = Difference.between(engine, image)
    return Track(
        np.linalg.inv(T),
        T_pair,
        1.0,
        covariance,
        1.0,
        1.0,
        0.05,
        NOTHING,
        None,
        NO_DOUBT,
        difference,
    )


def walked(count: int, seed: int) -> list[Track]:
    """The engine errs anew with every frame, the images more and more."""
    random = np.random.default_rng(seed)
    lean = random.standard_normal(6) * ([LASTING[0] * DEPTH] * 3 + [LASTING[1]] * 3)
    return [
        tracked(
            n,
            ENGINE * random.standard_normal(6),
            lean * n / count + IMAGE * random.standard_normal(6),
        )
        for n in range(1, count + 1)
    ]


def off(n: int, T_keyframe_frame: np.ndarray) -> float:
    """Metres by which a frame's place is off."""
    return float(np.linalg.norm(T_keyframe_frame[:3, 3] - np.linalg.inv(true_pose(n))[:3, 3]))


def test_frames_lie_better_once_all_of_their_keyframe_are_known() -> None:
    before, after = [], []
    for seed in range(10):
        tracks, trail = walked(20, seed), Trail(7)
        for n, found in enumerate(tracks, 1):
            trail.add(n, found, DEPTH)
            before.append(off(n, found.T_keyframe_frame))
        after += [off(n, T) for n, T in trail.smoothed()]
    assert len(after) == len(before)
    assert np.sqrt(np.mean(np.square(after))) < 0.7 * np.sqrt(np.mean(np.square(before)))


def test_a_frame_that_one_witness_placed_alone_stays_and_leads_no_other_astray() -> None:
    tracks = walked(20, 3)
    tracks[10] = tracked(11, np.array([0.5, 0, 0, 0, 0.2, 0]), np.zeros(6))
    trail = Trail(7)
    for n, found in enumerate(tracks, 1):
        trail.add(n, found, DEPTH)
    poses = dict(trail.smoothed())
    assert sorted(poses) == [n for n in range(1, 21) if n != 11]
    assert max(off(n, T) for n, T in poses.items()) < 0.03


def test_a_camera_that_stands_still_gathers_no_frames_without_end() -> None:
    trail, given = Trail(7), 0
    for n in range(3 * MOST_FRAMES):
        trail.add(n, tracked(1, np.zeros(6), np.zeros(6)), DEPTH)
        if trail.full:
            given += len(trail.smoothed())
    assert given == 3 * MOST_FRAMES
    assert trail.smoothed() == []


def test_a_frame_that_became_a_keyframe_is_where_the_keyframe_is(walk) -> None:
    config = MapperConfig(graph=GraphConfig(child_process=False))
    mapper = Mapper(OracleEngine(walk, long_side=160), config)
    for n in range(len(walk)):
        mapper.step(walk[n])
    mapper.finish()
    at = {pose.stamp: pose.T_map_camera for pose in mapper.trajectory()}
    keyframes = mapper.keyframes()
    assert len(keyframes) > 1
    for keyframe in keyframes:
        assert at[keyframe.stamp] == pytest.approx(keyframe.T_map_camera, abs=1e-6)
