# SPDX-License-Identifier: Apache-2.0
"""If these fail, depth images between decodings are full of holes, or show what nobody has seen."""

from __future__ import annotations

import numpy as np

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.front_end.carrying import _close
from dens3r_ros.mapping.tracking.depth.fusion import Canonical, carried

CAMERA = Intrinsics(75.0, 75.0, 39.5, 29.5, 80, 60)
INNER = np.s_[15:45, 20:60]


def plane(depth: np.ndarray | float) -> Canonical:
    u, v = np.meshgrid(np.arange(80), np.arange(60))
    z = np.broadcast_to(np.asarray(depth, np.float32), (60, 80))
    points = np.stack([(u - 39.5) / 75 * z, (v - 29.5) / 75 * z, z], -1).astype(np.float32)
    return Canonical(points, np.ones((60, 80), np.float32))


def nearer(by: float) -> np.ndarray:
    T = np.eye(4)
    c, s = np.cos(0.2), np.sin(0.2)
    T[:2, :2], T[2, 3] = [[c, -s], [s, c]], -by
    return T


def test_a_wall_that_has_come_nearer_has_no_holes() -> None:
    points, weight = carried(plane(3.0), nearer(1.1), CAMERA, 1.0)
    assert (weight[INNER] > 0).mean() < 0.6
    _close(points, weight)
    assert (weight[INNER] > 0).all()
    np.testing.assert_allclose(points[INNER][..., 2], 1.9, atol=1e-5)


def test_what_is_seen_does_not_grow() -> None:
    points, weight = carried(plane(3.0), np.eye(4), CAMERA, 1.0)
    weight[:, 40:], points[:, 40:] = 0, 0
    _close(points, weight)
    assert not (weight[:, 40:] > 0).any()


def test_nothing_is_put_between_two_surfaces() -> None:
    depth = np.where(np.arange(80) < 40, 2.0, 4.0)
    points, weight = carried(plane(depth), np.eye(4), CAMERA, 1.0)
    weight[:, 40], points[:, 40] = 0, 0
    _close(points, weight)
    assert not (weight[:, 40] > 0).any()
