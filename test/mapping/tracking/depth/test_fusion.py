# SPDX-License-Identifier: Apache-2.0
"""Fusion is worth half the trajectory's error; a wrong weight loses it silently."""

import numpy as np
import pytest

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.rays import pixel_rays
from dens3r_ros.mapping.config import FusionConfig
from dens3r_ros.mapping.tracking.depth.fusion import Canonical, canonical_from, carried

CAMERA = Intrinsics(40.0, 40.0, 15.5, 11.5, 32, 24)
RAYS = pixel_rays(CAMERA).numpy()


def plane(depth: float) -> np.ndarray:
    return (RAYS * depth).astype(np.float32)


def sure(confidence: float) -> np.ndarray:
    return np.full((24, 32), confidence, np.float32)


def test_predictions_are_weighed_by_what_their_confidence_exceeds_one() -> None:
    canonical = canonical_from(plane(2.0), sure(2.0), 1.0, None)
    canonical.fold(plane(3.0), sure(4.0), FusionConfig())
    assert canonical.points[..., 2] == pytest.approx((2.0 + 3 * 3.0) / 4)
    assert canonical.confidence == pytest.approx(1 + 4 / 2)


def test_no_confidence_and_points_behind_change_nothing() -> None:
    canonical = canonical_from(plane(2.0), sure(2.0), 1.0, None)
    canonical.fold(plane(9.0), sure(1.0), FusionConfig())
    canonical.fold(plane(-9.0), sure(50.0), FusionConfig())
    assert canonical.points[..., 2] == pytest.approx(2.0)


def test_latest_keeps_nothing_of_before() -> None:
    canonical = canonical_from(plane(2.0), sure(9.0), 1.0, None)
    canonical.fold(plane(3.0), sure(2.0), FusionConfig(mode="latest"))
    assert canonical.points[..., 2] == pytest.approx(3.0)
    assert canonical.confidence == pytest.approx(2.0)


def test_points_of_a_known_camera_stay_on_their_pixels() -> None:
    canonical = canonical_from(plane(2.0), sure(2.0), 1.5, RAYS)
    canonical.fold(plane(3.0) + np.float32([0.3, -0.2, 0]), sure(2.0), FusionConfig())
    assert canonical.points == pytest.approx(RAYS * canonical.points[..., 2:], abs=1e-6)


def test_weights_are_bounded_so_that_a_keyframe_can_still_learn() -> None:
    canonical = canonical_from(plane(2.0), sure(2.0), 1.0, None)
    for _ in range(50):
        canonical.fold(plane(2.0), sure(11.0), FusionConfig(max_weight=20.0))
    assert canonical.weight.max() == 20.0


def test_carrying_shows_the_nearer_of_two_surfaces() -> None:
    points = plane(4.0)
    points[8:16, 10:20] = (RAYS * 2.0)[8:16, 10:20]
    canonical = canonical_from(points, sure(3.0), 1.0, None)
    T = np.eye(4)
    T[2, 3] = -1.0
    moved, weight = carried(canonical, T, CAMERA)
    assert (weight > 0).mean() > 0.4
    middle = moved[8:16, 11:19][weight[8:16, 11:19] > 0]
    assert middle[:, 2] == pytest.approx(1.0)
    assert np.unique(np.rint(moved[weight > 0][:, 2])).tolist() == [1.0, 3.0]


def handed_on(own: np.ndarray) -> Canonical:
    """A keyframe whose own prediction has confidence `own`, with points of another at 2 m."""
    source = canonical_from(plane(2.0), sure(3.0), 1.0, RAYS)
    made = canonical_from(plane(7.0), own, 1.0, RAYS)
    points, weight = carried(source, np.eye(4), CAMERA)
    made.inherit(source, points, weight, FusionConfig())
    return made


def test_points_that_are_handed_on_stay_known_where_nothing_else_is() -> None:
    """Else each keyframe of a fast turn knows less than the last one, until the camera is lost."""
    made = handed_on(sure(1.0))
    assert made.points[..., 2] == pytest.approx(2.0, abs=1e-5)
    assert made.confidence == pytest.approx(1 + 0.7 * 2.0, rel=1e-4)


def test_points_that_are_handed_on_count_little_where_the_keyframe_sees_for_itself() -> None:
    made = handed_on(sure(3.0))
    assert made.points[..., 2] == pytest.approx((7.0 + 0.15 * 2.0) / 1.15, rel=1e-4)


def test_depths_that_fill_gaps_leave_what_is_surer_alone() -> None:
    canonical = canonical_from(plane(2.0), sure(4.0), 1.0, RAYS)
    canonical.weight[:, :16] = 0
    canonical.fill(np.full((24, 32), 5.0, np.float32), sure(2.0), FusionConfig())
    assert canonical.points[:, :16, 2] == pytest.approx(5.0)
    assert canonical.points[:, 16:, 2] == pytest.approx(2.0)
    assert canonical.confidence[:, 16:] == pytest.approx(4.0)
