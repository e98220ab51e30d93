# SPDX-License-Identifier: Apache-2.0
"""If these fail, a robot drives into what it has seen, or does not drive where nothing is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from dens3r_ros.evaluation.metrics.floor_plan import agreement, true_plan
from dens3r_ros.geometry.rays import pixel_rays
from dens3r_ros.mapping.occupancy.floor import find_floor
from dens3r_ros.mapping.occupancy.occupancy import FREE, OCCUPIED, UNKNOWN, FloorPlan, Plan
from dens3r_ros.mapping.occupancy.plan_file import write_plan
from dens3r_ros.mapping.occupancy.scan import GridConfig
from dens3r_ros.scenes.walk import open_walk

CONFIG = GridConfig()


@dataclass(frozen=True, eq=False)
class Seen:
    """A keyframe that sees the truth."""

    id: int
    T_map_camera: np.ndarray
    points: np.ndarray
    confidence: np.ndarray
    revision: int = 0
    in_window: bool = False


@pytest.fixture(scope="module")
def hall():
    return open_walk("walk", seed=5, frames=2400, width=80, height=60)


@pytest.fixture(scope="module")
def keyframes(hall):
    rays, seen = pixel_rays(hall.intrinsics).numpy(), []
    for number, index in enumerate(range(0, 2400, 40)):
        frame = hall.render(index)
        confidence = np.where(frame.depth > 0, 10, 1).astype(np.float32)
        points = rays * frame.depth[..., None]
        seen.append(Seen(number, frame.T_world_camera, points, confidence))
    return seen


def same(one: Plan, other: Plan) -> bool:
    return np.array_equal(one.cells, other.cells) and np.allclose(one.origin, other.origin)


def test_the_plan_of_a_hall_is_the_halls(hall, keyframes) -> None:
    plan = FloorPlan(CONFIG).draw(keyframes, 1.0, 1.5)
    truth = true_plan(hall.building, CONFIG.resolution, CONFIG.min_height, CONFIG.max_height)
    found = agreement(plan, truth)
    assert found.free > 0.8
    assert found.occupied > 0.8
    assert found.inside < 0.01


def test_what_moved_is_drawn_anew_and_nothing_else(keyframes) -> None:
    some = keyframes[:12]
    plan = FloorPlan(CONFIG)
    before = plan.draw(some, 1.0, 1.5)
    T = some[3].T_map_camera.copy()
    T[:2, 3] += 0.7
    moved = replace(some[3], T_map_camera=T, revision=1)
    after = plan.draw([*some[:3], moved, *some[4:]], 1.0, 1.5)
    assert plan.redrawn == 1
    assert not same(before, after)
    assert same(after, FloorPlan(CONFIG).draw([*some[:3], moved, *some[4:]], 1.0, 1.5))
    back = plan.draw([*some[:3], replace(some[3], revision=2), *some[4:]], 1.0, 1.5)
    assert same(back, before)


def test_a_keyframe_that_is_gone_leaves_nothing_behind(keyframes) -> None:
    plan = FloorPlan(CONFIG)
    plan.draw(keyframes[:10], 1.0, 1.5)
    assert same(plan.draw(keyframes[:6], 1.0, 1.5), FloorPlan(CONFIG).draw(keyframes[:6], 1.0, 1.5))


def test_a_map_in_another_unit_gives_the_same_plan(keyframes) -> None:
    small = []
    for k in keyframes[:8]:
        T = k.T_map_camera.copy()
        T[:3, 3] /= 3
        small.append(replace(k, T_map_camera=T, points=k.points / 3))
    one, other = (
        FloorPlan(CONFIG).draw(v, u, 1.5) for v, u in ((keyframes[:8], 1.0), (small, 3.0))
    )
    assert one.cells.shape == other.cells.shape
    assert (one.cells != other.cells).mean() < 0.01


def test_without_a_floor_only_a_mounted_camera_gives_a_plan(keyframes) -> None:
    blind = []
    for k in keyframes[:4]:
        up = k.points @ k.T_map_camera[2, :3]
        confidence = np.where(up > -0.9, k.confidence, 1).astype(np.float32)
        blind.append(replace(k, confidence=confidence))
    assert FloorPlan(CONFIG).draw(blind, 1.0, 1.5) is None
    assert FloorPlan(CONFIG).draw(blind, 1.0, 1.5, camera_height=1.5) is not None


def test_the_plan_does_not_outgrow_its_bounds(keyframes) -> None:
    plan = FloorPlan(replace(CONFIG, max_side=5.0))
    drawn = plan.draw(keyframes, 1.0, 1.5)
    assert max(drawn.cells.shape) <= 100
    assert plan.cut


def test_the_floor_is_found_at_its_height_and_a_table_is_none(keyframes) -> None:
    k = keyframes[0]
    up = k.T_map_camera[2, :3]
    floor = find_floor(k.points, k.confidence, up)
    assert floor.height == pytest.approx(k.T_map_camera[2, 3], rel=0.02)
    assert find_floor(k.points, np.ones_like(k.confidence), up) is None


def loaded(path: Path) -> tuple[np.ndarray, dict]:
    """As nav2_map_server reads it: shades of black, thresholds, the last row at the bottom."""
    said = yaml.safe_load(path.read_text())
    kind, size, most, pixels = (path.parent / said["image"]).read_bytes().split(b"\n", 3)
    assert (kind, most, said["mode"], said["negate"]) == (b"P5", b"255", "trinary", 0)
    width, height = map(int, size.split())
    shade = (255 - np.frombuffer(pixels, np.uint8).reshape(height, width)) / 255
    cells = np.full((height, width), UNKNOWN, np.int8)
    cells[shade >= said["occupied_thresh"]] = OCCUPIED
    cells[shade <= said["free_thresh"]] = FREE
    return cells[::-1], said


def test_nav2_map_server_reads_back_what_was_written(keyframes, tmp_path) -> None:
    plan = FloorPlan(CONFIG).draw(keyframes[:10], 1.0, 1.5)
    write_plan(tmp_path / "office.yaml", plan)
    cells, said = loaded(tmp_path / "office.yaml")
    assert np.array_equal(cells, plan.cells)
    assert said["resolution"] == CONFIG.resolution
    assert said["origin"][:2] == pytest.approx(plan.origin.tolist(), abs=1e-6)
    assert {UNKNOWN, FREE, OCCUPIED} == set(np.unique(cells).tolist())
