# SPDX-License-Identifier: Apache-2.0
"""If these fail, what moves bends poses, or what stands still counts for too little."""

from __future__ import annotations

import numpy as np

from dens3r_ros.mapping.config import FusionConfig
from dens3r_ros.mapping.motion.weights import (
    seen_from,
    share_moving,
    stillness,
    stillness_at,
    weighed,
)
from dens3r_ros.mapping.tracking.depth.fusion import Canonical


def test_what_stands_still_counts_fully_and_what_surely_moves_not_at_all() -> None:
    weights = stillness(np.array([0.0, 0.49, 0.7, 0.95], np.float32))
    assert weights[0] == weights[1] == 1 and 0.3 < weights[2] < 0.7 and weights[3] == 0
    assert weighed(np.float32([5.0]), np.float32([1.0]))[0] == 1
    assert weighed(np.float32([5.0]), None)[0] == 5


def test_places_beyond_the_rim_count_as_those_inside() -> None:
    motion = np.zeros((10, 20), np.float32)
    motion[:, 15:] = 1
    pixels = np.array([[-3.0, 5.0], [30.0, 5.0], [2.0, 2.0]])
    assert stillness_at(motion, pixels).tolist() == [1, 0, 1]
    assert stillness_at(None, pixels).tolist() == [1, 1, 1]
    assert share_moving(motion) == 0.25 and share_moving(None) == 0


def test_motion_is_brought_to_another_view() -> None:
    motion = np.zeros((40, 60), np.float32)
    motion[:, 30:] = 1
    x, y = np.meshgrid(np.arange(60, dtype=np.float32), np.arange(40, dtype=np.float32))
    seen = seen_from(motion, x + 20, y)
    assert seen[:, 14:34].min() > 0.9 and seen[:, :4].max() < 0.1 and seen[:, 48:].max() < 0.1


def test_a_wall_behind_somebody_is_no_less_sure_than_before() -> None:
    """Whoever stands before a wall for long would else wipe it out of the map."""
    points = np.ones((4, 4, 3), np.float32)
    canonical = Canonical(points, np.full((4, 4), 6, np.float32), folds=2)
    covered = np.zeros((4, 4), np.float32)
    covered[:2] = 1
    canonical.keep(covered)
    canonical.fold(points, np.where(covered, np.float32(1), np.float32(4)), FusionConfig())
    np.testing.assert_allclose(canonical.confidence, 4)
