# SPDX-License-Identifier: Apache-2.0
"""If these fail, what a robot calls up is not away from the ground, or poses no longer fit
together."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation
from updates import tracked

from dens3r_ros.mapping.metric.level import LEVEL, level_of

TILTED = Rotation.from_euler("xyz", (5, -7, 60), degrees=True).as_matrix()


def pose(rotation: np.ndarray, *position: float) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = rotation, position
    return T


def test_gravity_points_down_in_both_frames_and_they_still_fit() -> None:
    T_map_odom = pose(Rotation.from_euler("z", 10, degrees=True).as_matrix(), 0.2, 0.1, 0)
    up_map = TILTED[:, 2]
    up_odom = T_map_odom[:3, :3].T @ up_map
    one = tracked(pose(TILTED, 1, 2, 3), T_map_odom)
    level = level_of(up_map, up_odom)
    found = level.applied(one)
    assert np.allclose(level.map[:3, :3] @ up_map, (0, 0, 1))
    assert np.allclose(level.odom[:3, :3] @ up_odom, (0, 0, 1))
    assert np.allclose(found.T_map_camera, found.T_map_odom @ found.T_odom_camera)
    assert np.isclose(np.linalg.det(level.map[:3, :3]), 1)
    assert found.levelled_by == "gravity"
    turned = np.degrees(np.arccos((np.trace(level.map[:3, :3]) - 1) / 2))
    assert turned < 10


def test_without_gravity_nothing_turns() -> None:
    one = tracked(np.eye(4), np.eye(4))
    assert level_of(None, np.array([0.0, 0, 1])) is LEVEL
    assert LEVEL.applied(one) is one
