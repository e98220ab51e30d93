# SPDX-License-Identifier: Apache-2.0
"""Without these a robot stands blind until it has moved, or waits for a network at every frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dens3r_ros.engines.hybrid import HybridEngine
from dens3r_ros.engines.hybrid.alone import on_pixels
from dens3r_ros.engines.loading import load_engine, load_monocular
from dens3r_ros.engines.monocular import MonocularInfo, MonocularPrediction
from dens3r_ros.engines.protocol import Engine, Outputs, Placement
from dens3r_ros.evaluation.monocular_oracle import MonocularNoise, MonocularOracle

EXACT = MonocularNoise(0.0, 0.0, 0.0, (3, 4), 0.0, 0, 0.0, 0.0)
NOTHING = Outputs("", "", "")


@pytest.fixture
def turning(box_room, camera_pose):
    """Two views from one place."""
    return box_room(np.array([camera_pose(0.3, 0, -1, turn) for turn in (0.0, 12.0)]), (240, 320))


@pytest.fixture
def moving(box_room, camera_pose):
    """Two views half a metre apart."""
    poses = [camera_pose(0.0, 0, -1, 0), camera_pose(0.4, 0.1, -0.8, 4)]
    return box_room(np.array(poses), (240, 320))


def engine_for(source, metric: bool = True, noise: MonocularNoise = EXACT) -> HybridEngine:
    return HybridEngine(MonocularOracle(source, metric=metric, noise=noise))


def depth_errors(points: torch.Tensor, truth: np.ndarray, unit: float = 1.0) -> np.ndarray:
    return np.abs(points[0, ..., 2].numpy() * unit / truth - 1)


def test_one_image_is_enough_for_depth_in_metres(moving) -> None:
    engine = engine_for(moving)
    assert isinstance(engine, Engine)
    (a,) = engine.encode([moving[0]])
    found = engine.decode([(a, a)], Outputs("ab", "a", ""))
    assert np.median(depth_errors(found.points_a, moving.truth(0).depth)) < 0.01
    assert float((found.confidence_b > 1.5).float().mean()) > 0.95
    assert engine.info.monocular and engine.info.metric


def test_depth_and_pose_are_known_while_the_camera_only_turns(turning) -> None:
    engine = engine_for(turning)
    b, a = engine.encode([turning[0], turning[1]])
    found = engine.decode([(a, b)], Outputs("ab", "", ""))
    T_a_b = np.linalg.inv(turning.truth(1).T_world_camera) @ turning.truth(0).T_world_camera
    rays = turning.truth(0).depth
    assert found.points_b is not None
    wanted_z = _moved_depth(turning, T_a_b, rays)
    assert np.median(np.abs(found.points_b[0, ..., 2].numpy() / wanted_z - 1)) < 0.02
    assert np.median(depth_errors(found.points_a, turning.truth(1).depth)) < 0.02


def test_both_views_have_the_unit_of_the_second_ones_network(moving) -> None:
    units = MonocularNoise(0.0, 0.7, 0.0, (3, 4), 0.0, 0, 0.0, 0.0)
    engine = engine_for(moving, metric=False, noise=units)
    b, a = engine.encode([moving[0], moving[1]])
    alone = engine.decode([(b, b)], Outputs("b", "", ""))
    unit = float(np.median(moving.truth(0).depth / alone.points_b[0, ..., 2].numpy()))
    assert abs(np.log(unit)) > 0.1
    found = engine.decode([(a, b)], Outputs("ab", "", ""))
    assert np.median(depth_errors(found.points_a, moving.truth(1).depth, unit)) < 0.04
    T_a_b = np.linalg.inv(moving.truth(1).T_world_camera) @ moving.truth(0).T_world_camera
    wanted = _moved_depth(moving, T_a_b, moving.truth(0).depth)
    assert np.median(np.abs(found.points_b[0, ..., 2].numpy() * unit / wanted - 1)) < 0.04


def _moved_depth(room, T_a_b: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """z in a of the points that b's pixels see."""
    y, x = np.indices(depth.shape)
    rays = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(room.camera.K).T
    return (rays * depth[..., None]) @ T_a_b[2, :3] + T_a_b[2, 3]


def test_the_network_runs_once_a_frame_and_only_when_its_depth_is_wanted(moving) -> None:
    engine = engine_for(moving)
    b, a = engine.encode([moving[0], moving[1]])
    found = engine.decode([(a, b)], NOTHING)
    assert found.pixels_b_in_a is not None and found.points_b is None
    assert engine.runs == 0
    engine.decode([(a, b)], Outputs("b", "", ""))
    assert engine.runs == 1
    engine.decode([(a, b)], Outputs("b", "", ""))
    engine.decode([(b, b)], Outputs("ab", "ab", ""))
    assert engine.runs == 1
    engine.decode([(a, b)], Outputs("a", "a", ""))
    assert engine.runs == 2


def test_maps_asked_for_one_by_one_are_those_of_all_at_once(moving) -> None:
    engine = engine_for(moving)
    pair = tuple(reversed(engine.encode([moving[0], moving[1]])))
    later = engine.decode([pair], Outputs("a", "", ""))
    at_once = engine_for(moving)
    pair = tuple(reversed(at_once.encode([moving[0], moving[1]])))
    whole = at_once.decode([pair], Outputs("ab", "", ""))
    assert torch.equal(later.points_a, whole.points_a)


def test_views_that_show_different_things_claim_no_depth_of_each_other(moving) -> None:
    engine = engine_for(moving)
    blank = replace(moving[1], image=np.zeros_like(moving[1].image))
    b, a = engine.encode([moving[0], blank])
    found = engine.decode([(a, b)], Outputs("b", "", ""))
    assert float(found.confidence_b.max()) == 1.0


class NoNormals:
    """Sees a slanted plane everywhere, and no normals."""

    info = MonocularInfo("plane", "plane", "", True, 0.05, False, "cpu")

    def predict(self, frame):
        height, width = frame.size
        y, x = np.indices((height, width))
        camera = frame.intrinsics
        rays = np.stack([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy], -1)
        depth = (1 / (0.5 + 0.1 * rays[..., 0] - 0.2 * rays[..., 1])).astype(np.float32)
        error = np.full((height, width), 0.05, np.float32)
        placement = Placement((height, width), (height, width), 0, 0, (height, width))
        return MonocularPrediction(depth, error, None, None, placement)


def test_normals_are_those_of_the_depth_where_the_network_has_none(moving) -> None:
    engine = HybridEngine(NoNormals())
    (a,) = engine.encode([moving[0]])
    found = engine.decode([(a, a)], Outputs("", "a", ""))
    wanted = -np.array([0.1, -0.2, 0.5]) / np.linalg.norm([0.1, -0.2, 0.5])
    inner = found.normals_a[0, 20:-20, 20:-20].numpy()
    angle = np.degrees(np.arccos(np.clip(inner @ wanted, -1, 1)))
    assert np.median(angle) < 3


def test_a_networks_pixels_are_found_in_the_image_and_the_rest_is_unknown() -> None:
    original = (100, 200)
    depth = np.tile(np.arange(1, 81, dtype=np.float32), (48, 1))
    source = Placement(original, (50, 100), 10, 1, (48, 80))
    seen = MonocularPrediction(depth, np.full((48, 80), 0.1, np.float32), None, None, source)
    found = on_pixels(seen, Placement(original, original, 0, 0, original))
    assert found.inverse.shape == original
    assert 1 / found.inverse[50, 100] == pytest.approx(depth[0, 40] - 0.25, abs=0.02)
    known = np.isfinite(found.error)
    assert not known[:, :18].any() and not known[:, 184:].any()
    assert known[4:96, 22:178].all()


def test_the_shipped_network_looks_at_single_images(moving) -> None:
    network = load_monocular("dens3r-tiny", device="cpu")
    seen = network.predict(moving[0])
    assert seen.depth.shape == seen.placement.size
    assert (seen.depth[np.isfinite(seen.relative_error)] > 0).all()
    assert seen.normals is not None and seen.intrinsics is not None


def test_an_engine_that_needs_two_views_is_refused_as_a_network() -> None:
    with pytest.raises(ValueError, match="no depth of a single image"):
        load_engine("hybrid", "dens3r_ros.engines.geometric:GeometricEngine")
