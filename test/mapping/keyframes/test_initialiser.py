# SPDX-License-Identifier: Apache-2.0
"""Engines that need two views must wait, say so, and lose no frame by it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.mapping.config import GraphConfig, MapperConfig
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.mapping.update import Tracking


class ParallaxOracle(OracleEngine):
    """Knows correspondences always, and depth, at unit baseline, only with parallax."""

    def __init__(self, source, **options) -> None:
        super().__init__(source, **options)
        self.info = replace(self.info, monocular=False)

    def decode(self, pairs, outputs):
        prediction = super().decode(pairs, outputs)
        pixels = [self._correspondence(a, b) for a, b in pairs]
        sure = torch.full(prediction.confidence_b.shape, 5.0)
        for n, (a, b) in enumerate(pairs):
            apart = a.data.T_world_camera[:3, 3] - b.data.T_world_camera[:3, 3]
            if np.linalg.norm(apart) < 0.1:
                prediction.confidence_a[n] = 1
                prediction.confidence_b[n] = 1
        return replace(prediction, pixels_b_in_a=torch.stack(pixels), pixels_confidence=sure)

    def _correspondence(self, a, b) -> torch.Tensor:
        T = np.linalg.inv(a.data.T_world_camera) @ b.data.T_world_camera
        points = (b.data.rays * b.data.shown[..., None]) @ T[:3, :3].T + T[:3, 3]
        K = self._source[0].intrinsics
        x = points[..., 0] / points[..., 2] * K.fx + K.cx
        y = points[..., 1] / points[..., 2] * K.fy + K.cy
        return torch.from_numpy(np.stack((x, y), -1).astype(np.float32))


def test_mapping_starts_by_itself_with_parallax_and_places_the_frames_before(
    box_room, camera_pose
) -> None:
    still = [camera_pose(-1, 0, -1)] * 3
    moving = [camera_pose(-1 + 0.12 * n, 0, -1, 3 * n) for n in range(1, 10)]
    room = box_room(np.array(still + moving))
    config = MapperConfig(graph=GraphConfig(child_process=False))
    mapper = Mapper(ParallaxOracle(room, long_side=160), config)
    updates = [mapper.step(room[index]) for index in range(len(room))]
    assert {update.state for update in updates[:3]} == {Tracking.INITIALISING}
    assert all("parallax" in update.reason or "second" in update.reason for update in updates[:3])
    assert all(update.state is Tracking.TRACKING for update in updates[4:])
    assert len(mapper.trajectory()) == len(room)
    assert updates[-1].counters.tracked == len(room)


def test_turning_alone_is_followed_by_correspondences(box_room, camera_pose) -> None:
    """Pairs without parallax tell no depth: the pose comes from the keyframe's points."""
    moving = [camera_pose(-1 + 0.12 * n, 0, -1) for n in range(5)]
    turning = [camera_pose(-0.52, 0, -1, 4 * n) for n in range(1, 8)]
    room = box_room(np.array(moving + turning))
    config = MapperConfig(graph=GraphConfig(child_process=False))
    mapper = Mapper(ParallaxOracle(room, long_side=160), config)
    updates = [mapper.step(room[index]) for index in range(len(room))]
    assert all(update.state is Tracking.TRACKING for update in updates[2:])
    before, after = updates[4].T_odom_camera, updates[-1].T_odom_camera
    turned = np.degrees(np.arccos((np.trace(before[:3, :3].T @ after[:3, :3]) - 1) / 2))
    assert abs(turned - 28) < 1
