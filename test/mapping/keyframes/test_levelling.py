# SPDX-License-Identifier: Apache-2.0
"""A tilted map drives robots into the floor: what is up must be found, or be said to be assumed."""

from __future__ import annotations

import numpy as np
import pytest

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.rays import pixel_rays
from dens3r_ros.mapping.config import LevellingConfig
from dens3r_ros.mapping.keyframes.levelling import CameraLeveller

LENS = Intrinsics(90.0, 90.0, 79.5, 59.5, 160, 120)


def tilted(pitch_deg: float, roll_deg: float) -> np.ndarray:
    """R_level_optical of a camera that looks down by `pitch_deg`."""
    p, r = np.radians((pitch_deg, roll_deg))
    upright = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
    down = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    roll = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return upright @ down @ roll


def looked_at(R: np.ndarray, planes: list[tuple[np.ndarray, float]]):
    """Points and confidence of planes n x = d around a camera at the origin."""
    rays = pixel_rays(LENS).numpy().astype(np.float64)
    depth = np.full(rays.shape[:2], np.inf)
    for normal, distance in planes:
        along = (rays @ R.T) @ normal
        hit = np.divide(distance, along, out=np.full_like(along, np.inf), where=along > 1e-6)
        depth = np.minimum(depth, hit)
    depth = depth * np.random.default_rng(0).normal(1, 0.01, depth.shape)
    confidence = np.where(depth < 20, 5.0, 1.0).astype(np.float32)
    points = (rays * np.minimum(depth, 100)[..., None]).astype(np.float32)
    return points, confidence


FLOOR = (np.array([0.0, 0, -1]), 1.4)
WALL = (np.array([1.0, 0, 0]), 4.0)
SIDE = (np.array([0.0, 1, 0]), 2.0)


@pytest.mark.parametrize(("pitch", "roll"), [(5, 0), (15, 8), (30, -12), (-3, 20)])
def test_the_floor_tells_what_is_up(pitch, roll) -> None:
    R = tilted(pitch, roll)
    found, by = CameraLeveller()(*looked_at(R, [FLOOR, WALL, SIDE]))
    assert by == "floor"
    assert np.degrees(np.arccos(found[2] @ R[2])) < 1.5
    assert np.linalg.det(found) == pytest.approx(1)
    assert found @ np.array([0, 0, 1.0]) @ np.array([0, 1.0, 0]) == pytest.approx(0, abs=1e-9)


def test_walls_are_no_floor() -> None:
    found, by = CameraLeveller()(*looked_at(tilted(0, 0), [WALL, SIDE]))
    assert by == "camera"
    assert found == pytest.approx(tilted(0, 0))


def test_the_base_frame_is_believed_where_it_is_given() -> None:
    R = tilted(20, 0)
    T = np.eye(4)
    T[:3, :3] = R
    config = LevellingConfig("base", tuple(map(tuple, T.tolist())))
    found, by = CameraLeveller(config)(*looked_at(tilted(0, 0), [FLOOR]))
    assert by == "base"
    assert found == pytest.approx(R)


def test_an_upright_camera_can_be_asked_for() -> None:
    found, by = CameraLeveller(LevellingConfig("camera"))(*looked_at(tilted(20, 0), [FLOOR]))
    assert by == "camera"
    assert found == pytest.approx(tilted(0, 0))
