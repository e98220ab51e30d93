# SPDX-License-Identifier: Apache-2.0
"""The mapper as a node uses it: if these fail, robots lose their way, their past or their time."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from mapped_walks import INLINE, errors, mapped, oracle

from dens3r_ros.geometry import tangents
from dens3r_ros.mapping.config import CamerasConfig, GraphConfig, KeyframeConfig, MapperConfig
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.mapping.update import Tracking


@pytest.mark.parametrize("calibrated", [True, False])
def test_every_frame_of_a_walk_is_placed(walk, calibrated) -> None:
    updates, mapper = mapped(walk, calibrated=calibrated)
    assert all(update.state is Tracking.TRACKING for update in updates)
    assert updates[-1].counters.keyframes > 1
    found = errors(walk, mapper)
    assert found.errors.size == len(walk)
    assert found.ate_sim3_m < 0.06
    estimated = updates[-1].intrinsics
    assert estimated is not None
    assert estimated.fx == pytest.approx(walk.camera.fx, rel=0.02)
    assert updates[-1].intrinsics_estimated is not calibrated


def test_the_first_keyframe_learns_its_lens_like_the_others(walk) -> None:
    """Coming back to the start is a loop only if the start is understood as well as the rest."""
    _, mapper = mapped(walk, calibrated=False)
    first = min(mapper.keyframes(), key=lambda keyframe: keyframe.id)
    assert first.intrinsics.fx == pytest.approx(walk.camera.fx, rel=0.02)


def test_metric_engines_give_metres(walk) -> None:
    updates, mapper = mapped(walk, metric=True)
    assert errors(walk, mapper).scale == pytest.approx(1, abs=0.03)
    assert updates[-1].metric
    assert {update.epoch for update in updates} == {0}


def test_depth_comes_in_the_unit_of_the_path(walk) -> None:
    updates, mapper = mapped(walk)
    maps = updates[-1].maps
    assert maps is not None
    ratio = maps.depth[maps.confidence > 2] / walk.truth(len(walk) - 1).depth[maps.confidence > 2]
    assert np.median(ratio) * errors(walk, mapper).scale == pytest.approx(1, abs=0.06)
    whole = maps.at_input()
    assert whole.depth.shape == walk[0].size
    assert whole.points[..., 2] == pytest.approx(whole.depth, nan_ok=True)


def test_equal_input_gives_equal_output_with_or_without_a_child_process(walk) -> None:
    runs = []
    for config in (INLINE, INLINE, MapperConfig()):
        updates, mapper = mapped(walk, config)
        runs.append([update.T_odom_camera for update in updates])
        runs[-1] += [pose.T_map_camera for pose in mapper.trajectory()]
        mapper.close()
    assert np.array_equal(runs[0], runs[1])
    assert np.array_equal(runs[0], runs[2])


def test_odom_never_jumps_and_map_to_odom_carries_corrections(walk) -> None:
    updates, _ = mapped(walk)
    steps = [
        np.linalg.norm(b.T_odom_camera[:3, 3] - a.T_odom_camera[:3, 3])
        for a, b in pairwise(updates)
    ]
    assert max(steps) < 4 * np.median(steps)
    for update in updates:
        assert update.T_map_odom @ update.T_odom_camera == pytest.approx(update.T_map_camera)
        assert update.covariance is not None
        assert (np.linalg.eigvalsh(update.covariance) >= -1e-12).all()


def test_standing_still_grows_neither_keyframes_nor_drift(box_room, camera_pose) -> None:
    room = box_room(np.array([camera_pose(0, 0, -1, 10)] * 25))
    updates, _ = mapped(room)
    assert updates[-1].counters.keyframes == 1
    moved = [np.linalg.norm(update.T_odom_camera[:3, 3]) for update in updates]
    assert max(moved) < 0.05


def test_turning_on_the_spot_is_no_loss(box_room, camera_pose) -> None:
    room = box_room(np.array([camera_pose(0.5, 0, 0, 6 * n) for n in range(30)]))
    updates, _ = mapped(room)
    assert all(update.state is Tracking.TRACKING for update in updates)
    first, last = (updates[n].T_map_camera for n in (0, -1))
    turned = np.degrees(np.arccos((np.trace(first[:3, :3].T @ last[:3, :3]) - 1) / 2))
    assert turned == pytest.approx(174, abs=4)


def test_reset_forgets_and_counts_an_epoch(walk) -> None:
    mapper = Mapper(oracle(walk), INLINE)
    for index in range(6):
        mapper.step(walk[index])
    mapper.reset()
    assert mapper.trajectory() == []
    update = mapper.step(walk[6])
    assert update.epoch == 1
    assert update.keyframe_id == 0
    assert update.counters.frames == 1


def test_the_window_is_bounded(walk) -> None:
    config = replace(
        INLINE,
        window=replace(INLINE.window, keyframes=3),
        keyframes=KeyframeConfig(min_matched=0.9),
    )
    mapper = Mapper(oracle(walk), config)
    updates = [mapper.step(walk[index]) for index in range(12)]
    assert updates[-1].counters.keyframes > 4
    assert max(update.counters.keyframes_in_window for update in updates) == 3


def test_tracking_alone_ties_keyframes_where_nothing_more_is_asked_for(walk) -> None:
    config = replace(INLINE, graph=GraphConfig(child_process=False, neighbours=0))
    updates, mapper = mapped(walk, config)
    counters = updates[-1].counters
    assert counters.edges == counters.keyframes - 1 + 2 * counters.loops
    assert errors(walk, mapper).ate_sim3_m < 0.06


def test_going_back_and_forth_takes_up_older_keyframes(box_room, camera_pose) -> None:
    there = [camera_pose(0.3 * np.sin(n), 0, 0, 8 * n) for n in range(7)]
    once, _ = mapped(box_room(np.array(there)))
    thrice, _ = mapped(box_room(np.array([*there, *there[::-1], *there])))
    assert thrice[-1].counters.keyframes <= once[-1].counters.keyframes + 1


def test_a_second_camera_enters_the_map_by_what_it_sees_or_by_its_mounting(
    box_room, camera_pose
) -> None:
    """Front and rear cameras take turns; they never see the same."""
    front = [camera_pose(-0.5 + 0.05 * n, 0, -1, 2 * n) for n in range(8)]
    mounting = camera_pose(0, 0, -0.3, 180)
    poses = np.array([T for pose in front for T in (pose, pose @ mounting)])
    room = box_room(poses)
    cameras = CamerasConfig(odometry="front", extrinsics={"rear": mounting})
    mapper = Mapper(oracle(room, metric=True), replace(INLINE, cameras=cameras))
    for index in range(len(room)):
        frame = replace(room[index], camera=("front", "rear")[index % 2])
        frame = replace(frame, stamp=room[index].stamp)
        update = mapper.step(frame)
        if index > 1:
            assert update.state is Tracking.TRACKING, update.reason
    placed = {pose.stamp: pose.T_map_camera for pose in mapper.trajectory()}
    first, last = placed[room[14].stamp], placed[room[15].stamp]
    apart = np.linalg.inv(first) @ last
    assert apart[:3, 3] == pytest.approx(mounting[:3, 3], abs=0.15)
    assert apart[:3, :3] == pytest.approx(mounting[:3, :3], abs=0.03)


def test_covariance_is_as_large_as_the_errors(walk) -> None:
    """Normalised squared errors of a frame against its keyframe lie around one a component."""
    scores = []
    for seed in range(2):
        updates, _ = mapped(walk, metric=True, seed=seed)
        made = {u.keyframe_id: n for n, u in enumerate(updates) if u.keyframe_made}
        for n, update in enumerate(updates):
            k = made[update.keyframe_id]
            if n <= k:
                continue
            found = np.linalg.inv(updates[k].T_odom_camera) @ update.T_odom_camera
            true = np.linalg.inv(walk.poses[k]) @ walk.poses[n]
            error = tangents.log(np.linalg.inv(true) @ found)[:6]
            scores.append(error @ np.linalg.solve(update.covariance, error) / 6)
    assert 0.5 < np.mean(scores) < 2


def test_each_epoch_is_explained(walk, tmp_path) -> None:
    """Without a reason in the log a user cannot tell a reset from a fault."""
    mapper = Mapper(oracle(walk), INLINE)
    mapper.step(walk[0])
    mapper.save(tmp_path / "a.map")
    for why in ("somebody wished it", "another wish"):
        mapper.reset(why)
        assert mapper.why_epoch == why
    mapper.load(tmp_path / "a.map")
    assert "a.map was loaded" in mapper.why_epoch
    odometry = mapper._session.odometry
    odometry.begin(0, np.eye(4))
    odometry.correct(np.diag([2.0, 2.0, 2.0, 1.0]), np.eye(4))
    assert "scale" in mapper.why_epoch
