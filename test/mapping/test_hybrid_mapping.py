# SPDX-License-Identifier: Apache-2.0
"""With the hybrid engine a robot sees from its first image on, in metres; without these it would
wait for parallax, lose its way at every turn on the spot, or run its network for every frame."""

from __future__ import annotations

import numpy as np
import pytest

from dens3r_ros.engines.hybrid import HybridEngine
from dens3r_ros.evaluation.metrics.trajectory import compare
from dens3r_ros.evaluation.monocular_oracle import MonocularOracle
from dens3r_ros.mapping.config import GraphConfig, MapperConfig
from dens3r_ros.mapping.files.map_reading import read_map
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.mapping.update import Tracking

CONFIG = MapperConfig(graph=GraphConfig(child_process=False))


@pytest.fixture(scope="module")
def turning(box_room, camera_pose):
    """12 frames from one place, 66 degrees round."""
    return box_room(np.array([camera_pose(0.3, 0, -1, 6.0 * n) for n in range(12)]), (168, 240))


@pytest.fixture(scope="module")
def moving(box_room, camera_pose):
    """16 frames forward and round."""
    s = np.linspace(0, 1, 16)
    poses = [camera_pose(1.5 * t - 0.7, 0.1 * np.sin(6 * t), 1.2 * t - 2, 60 * t - 20) for t in s]
    return box_room(np.array(poses), (168, 240))


def mapped(source, metric: bool, read_maps: bool = False):
    engine = HybridEngine(MonocularOracle(source, metric=metric, long_side=240))
    mapper = Mapper(engine, CONFIG)
    updates = []
    for index in range(len(source)):
        updates.append(mapper.step(source[index]))
        if read_maps and updates[-1].maps is not None:
            _ = updates[-1].maps.depth
    mapper.finish()
    return updates, mapper, engine


def errors(source, mapper):
    index_of = {source[i].stamp: i for i in range(len(source))}
    placed = mapper.trajectory()
    truth = np.array([source.truth(index_of[pose.stamp]).T_world_camera for pose in placed])
    stamps = np.array([pose.stamp for pose in placed]) * 1e-9
    return compare(stamps, np.array([pose.T_map_camera for pose in placed]), truth)


@pytest.fixture(scope="module")
def in_metres(moving):
    return mapped(moving, metric=True)


def test_it_starts_on_the_first_frame_and_sees_while_the_camera_only_turns(turning) -> None:
    updates, _, _ = mapped(turning, metric=False, read_maps=True)
    assert all(update.state is Tracking.TRACKING for update in updates)
    assert updates[0].keyframe_made
    assert updates[-1].counters.keyframes > 1
    for index, update in enumerate(updates):
        assert float((update.maps.confidence > 1.5).mean()) > 0.9
        ratio = update.maps.depth / turning.truth(index).depth
        assert np.abs(ratio / np.median(ratio) - 1).mean() < 0.08
    turns = [np.linalg.inv(updates[0].T_map_camera) @ u.T_map_camera for u in updates]
    last = np.degrees(np.arccos((np.trace(turns[-1][:3, :3]) - 1) / 2))
    assert last == pytest.approx(66, abs=2)


def test_lengths_are_metres_where_the_network_speaks_of_metres(moving, in_metres) -> None:
    updates, mapper, _ = in_metres
    assert all(update.metric for update in updates)
    assert all(update.state is Tracking.TRACKING for update in updates)
    found = errors(moving, mapper)
    assert found.ate_se3_m < 0.12
    assert found.scale == pytest.approx(1.0, abs=0.06)
    assert updates[-1].epoch == 0


def test_the_network_runs_once_a_keyframe_unless_frames_maps_are_read(moving, in_metres) -> None:
    updates, _, engine = in_metres
    assert engine.runs == updates[-1].counters.keyframes < len(moving)


def test_what_images_told_of_metres_is_kept_in_a_saved_map(in_metres, tmp_path) -> None:
    _, mapper, engine = in_metres
    mapper.save(tmp_path / "map")
    loaded = read_map(tmp_path / "map")
    assert sorted(loaded.priors) == sorted(loaded.poses)
    assert all(0.05 <= prior.sigma < 0.1 for prior in loaded.priors.values())
    again = Mapper(engine, CONFIG)
    assert again.load(tmp_path / "map") == len(loaded.poses)


def test_a_free_network_makes_a_free_map(moving) -> None:
    updates, mapper, _ = mapped(moving, metric=False)
    assert not updates[-1].metric
    assert errors(moving, mapper).ate_sim3_m < 0.06
