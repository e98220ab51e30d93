# SPDX-License-Identifier: Apache-2.0
"""If these fail, edges cannot be told from walls in a cloud, or guesses pass for knowledge."""

import numpy as np

from dens3r_ros.geometry.curvature import normal_variation


def wall(height: int = 6, width: int = 8) -> np.ndarray:
    normals = np.zeros((height, width, 3), np.float32)
    normals[..., 2] = -1
    return normals


def test_a_plane_does_not_bend() -> None:
    np.testing.assert_allclose(normal_variation(wall()), 0, atol=1e-6)


def test_an_edge_bends_by_the_angle_between_its_sides() -> None:
    for degrees in (10, 45, 90):
        angle = np.deg2rad(degrees)
        normals = wall()
        normals[:, 4:] = np.sin(angle), 0, -np.cos(angle)
        found = normal_variation(normals)
        mean = (2 * np.array([0, 0, -1]) + np.array([np.sin(angle), 0, -np.cos(angle)])) / 3
        np.testing.assert_allclose(found[2, 3], 1 - np.linalg.norm(mean), atol=1e-6)
        np.testing.assert_allclose(found[:, [0, 1, 2, 6, 7]], 0, atol=1e-6)


def test_a_nearer_look_at_a_ball_bends_less() -> None:
    def ball(radius: float) -> float:
        y, x = np.mgrid[-10:11, -10:11] / radius
        normals = np.stack((x, y, -np.sqrt(1 - x**2 - y**2)), -1).astype(np.float32)
        return float(normal_variation(normals)[10, 10])

    assert ball(20) > 2 * ball(40) > 4 * ball(80) > 0


def test_what_is_unknown_stays_unknown() -> None:
    normals = wall()
    normals[2, 3] = np.nan
    normals[:, 6:] = np.nan
    found = normal_variation(normals)
    assert np.isnan(found[2, 3]) and np.isnan(found[:, 6:]).all()
    assert found[2, 2] < 1e-6 and found[3, 5] < 1e-6
    normals[:2, :2], normals[0, 0] = np.nan, (0, 0, -1)
    assert np.isnan(normal_variation(normals)[0, 0])
