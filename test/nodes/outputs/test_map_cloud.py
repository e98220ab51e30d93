# SPDX-License-Identifier: Apache-2.0
"""If these fail, the map shown in RViz grows without bound, or keeps walls where they were."""

import numpy as np
import pytest

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.update import KeyframeView
from dens3r_ros.nodes.outputs.map_cloud import MapCloud, first_of_each_voxel


def keyframe(id: int, x: float, revision: int = 0) -> KeyframeView:
    rng = np.random.default_rng(id)
    T = np.eye(4)
    T[0, 3] = x
    points = rng.random((20, 20, 3)).astype(np.float32)
    confidence = np.full((20, 20), 3.0, np.float32)
    colours = np.zeros((20, 20, 3), np.uint8)
    return KeyframeView(
        id=id,
        stamp=id,
        camera="camera",
        T_map_camera=T,
        intrinsics=Intrinsics(10, 10, 10, 10, 20, 20),
        in_window=True,
        loop_partners=(),
        revision=revision,
        make=lambda: (points, confidence, colours),
    )


def test_at_most_one_point_in_each_voxel() -> None:
    points = np.random.default_rng(0).uniform(-2, 2, (5000, 3)).astype(np.float32)
    kept = points[first_of_each_voxel(points, 0.5)]
    cells = np.floor(kept / 0.5).astype(int)
    assert len(np.unique(cells, axis=0)) == len(kept)
    assert len(kept) == len(np.unique(np.floor(points / 0.5), axis=0))


def test_a_moved_keyframe_moves_its_points_and_no_others() -> None:
    cloud = MapCloud()
    before, _ = cloud.update([keyframe(1, 0.0), keyframe(2, 10.0)], 0.1, 1.5)
    after, _ = cloud.update([keyframe(1, 0.0), keyframe(2, 20.0, revision=1)], 0.1, 1.5)
    np.testing.assert_array_equal(before[before[:, 0] < 5], after[after[:, 0] < 5])
    assert before[:, 0].max() < 12 and after[:, 0].max() > 19


def test_forgotten_keyframes_leave_the_cloud_and_doubtful_points_stay_out() -> None:
    cloud = MapCloud()
    cloud.update([keyframe(1, 0.0), keyframe(2, 10.0)], 0.1, 1.5)
    points, colours = cloud.update([keyframe(1, 0.0)], 0.1, 1.5)
    assert points[:, 0].max() < 5 and len(points) == len(colours)
    assert len(cloud.update([keyframe(1, 0.0)], 0.1, 4.0)[0]) == 0
    assert len(cloud.update([], 0.1, 1.5)[0]) == 0


def test_another_length_unit_makes_the_cloud_anew() -> None:
    cloud = MapCloud()
    before, _ = cloud.update([keyframe(1, 2.0)], 0.001, 1.5)
    after, _ = cloud.update([keyframe(1, 2.0)], 0.001, 1.5, scale=3.0)
    assert np.ptp(after, axis=0) == pytest.approx(3 * np.ptp(before, axis=0), rel=0.01)
    assert after.mean(0) == pytest.approx(3 * before.mean(0), rel=0.01)
