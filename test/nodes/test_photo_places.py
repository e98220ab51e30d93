# SPDX-License-Identifier: Apache-2.0
"""If these fail, a photo's place is told in another unit or frame than the map."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
from dens3r_ros.mapping.metric.level import level_of
from dens3r_ros.nodes.answers.photos import _published
from dens3r_ros.nodes.inputs.metric_scale import Held


def test_a_place_is_in_the_unit_and_frame_of_what_is_published() -> None:
    """A map of half metres that lies on its side: y is up."""
    up = np.array([0.0, 1.0, 0.0])
    T = np.eye(4)
    T[:3, 3] = (2.0, 4.0, 0.0)
    spread = np.diag([1.0, 4.0, 9.0, 0.1, 0.2, 0.3])
    placed, covariance = _published(T, spread, Held("imu", 0.5, 0.1, level_of(up, up)))
    assert placed[:3, 3] == pytest.approx([1.0, 0.0, 2.0])
    # The scale's tenth of one metre and of two, beside a quarter of each variance.
    assert np.diag(covariance) == pytest.approx([0.25 + 0.01, 2.25, 1.0 + 0.04, 0.1, 0.3, 0.2])
    assert covariance[0, 2] == pytest.approx(0.01 * 2.0)
