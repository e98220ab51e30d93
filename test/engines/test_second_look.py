# SPDX-License-Identifier: Apache-2.0
"""If this fails, near things of a pair come out too far and far ones too near, the more the farther
the camera went: a keyframe's unit then changes with its frames, and the scale of a map drifts."""

from __future__ import annotations

import cv2
import numpy as np

from dens3r_ros.engines.geometric import GeometricEngine
from dens3r_ros.engines.protocol import Outputs
from dens3r_ros.sources.opening import open_source


def test_near_and_far_have_one_unit() -> None:
    walk = open_source("procedural:walk?seed=71&frames=200&size=320x240")
    engine = GeometricEngine()
    near, far = [], []
    for index in (10, 70, 130):
        a, b = engine.encode([walk[index + 16], walk[index]])
        seen = engine.decode([(a, b)], Outputs("b", "", ""))
        assert seen.points_b is not None and seen.confidence_b is not None
        truth = walk.truth(index)
        T = np.linalg.inv(walk.truth(index + 16).T_world_camera) @ truth.T_world_camera
        z = _depth_in_b(seen.points_b[0].numpy(), T)
        sure = seen.confidence_b[0].numpy() > 1.5
        ratio, depth = np.log(truth.depth[sure] / z[sure]), truth.depth[sure]
        middle = np.median(ratio)
        near.append(np.median(ratio[depth < np.percentile(depth, 33)]) - middle)
        far.append(np.median(ratio[depth > np.percentile(depth, 67)]) - middle)
    assert abs(np.mean(near)) < 0.01
    assert abs(np.mean(far)) < 0.01


def test_the_road_before_a_car_has_its_depth() -> None:
    """Its texture moves by a quarter of the image, and where it repeats it seems to stand still."""
    drive = open_source("procedural:drive?seed=2&frames=60&size=320x240")
    engine = GeometricEngine()
    for index in (5, 29, 37):
        a, b = engine.encode([drive[index + 1], drive[index]])
        seen = engine.decode([(a, b)], Outputs("b", "", ""))
        assert seen.points_b is not None and seen.confidence_b is not None
        truth = drive.truth(index)
        T = np.linalg.inv(drive.truth(index + 1).T_world_camera) @ truth.T_world_camera
        road = np.s_[150:]
        sure = seen.confidence_b[0].numpy()[road] > 1.5
        ratio = _depth_in_b(seen.points_b[0].numpy(), T)[road][sure] / truth.depth[road][sure]
        assert sure.mean() > 0.4
        assert abs(np.median(ratio) - 1) < 0.03


def test_what_is_near_before_a_fast_car_comes_out_no_farther() -> None:
    """Two looks leave a hundredth of its depth, by which a map would shrink with every keyframe."""
    drive = open_source("procedural:drive?seed=5&frames=60&size=320x240")
    engine = GeometricEngine()
    off = []
    for index in (6, 14, 22, 30, 38, 46):
        a, b = engine.encode([drive[index + 1], drive[index]])
        seen = engine.decode([(a, b)], Outputs("b", "", ""))
        assert seen.points_b is not None and seen.confidence_b is not None
        truth = drive.truth(index)
        T = np.linalg.inv(drive.truth(index + 1).T_world_camera) @ truth.T_world_camera
        sure = (seen.confidence_b[0].numpy() > 1.5) & (truth.depth < 6)
        off.append(
            np.mean(np.log(_depth_in_b(seen.points_b[0].numpy(), T)[sure] / truth.depth[sure]))
        )
    assert abs(np.mean(off)) < 0.011


def _depth_in_b(points: np.ndarray, T_a_b: np.ndarray) -> np.ndarray:
    """Depth in b, of which the true pose is known, of points in a that are in baselines."""
    points = points * np.float32(np.linalg.norm(T_a_b[:3, 3]))
    return cv2.transform(points, np.linalg.inv(T_a_b)[:3].astype(np.float32))[..., 2]
