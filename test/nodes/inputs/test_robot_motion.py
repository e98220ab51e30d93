# SPDX-License-Identifier: Apache-2.0
"""If these fail, the robot is taken to have been elsewhere when an image was taken."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
from scipy.spatial.transform import Rotation

from dens3r_ros.nodes.inputs.robot_motion import PoseTrack

S = 1_000_000_000
ORIGIN = np.zeros(3)


def pose(x: float, turn: float = 0.0) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3] = Rotation.from_rotvec([0, 0, turn]).as_matrix()
    T[0, 3] = x
    return T


def track(*entries: tuple[float, float]) -> PoseTrack:
    made = PoseTrack()
    for seconds, x in entries:
        made.add(int(seconds * S), pose(x))
    return made


def test_between_two_messages_the_way_is_straight() -> None:
    found = track((1.0, 0.0), (1.2, 2.0)).position(int(1.05 * S), ORIGIN)
    np.testing.assert_allclose(found, [0.5, 0, 0])


def test_before_after_and_across_gaps_nothing_is_known() -> None:
    made = track((1.0, 0.0), (1.2, 2.0), (3.0, 5.0))
    for seconds in (0.9, 2.0, 3.1):
        assert made.position(int(seconds * S), ORIGIN) is None


def test_a_camera_off_the_middle_swings_with_the_robot() -> None:
    made = PoseTrack()
    made.add(S, pose(1.0, np.pi / 2))
    np.testing.assert_allclose(made.position(S, np.array([0.3, 0, 0.1])), [1, 0.3, 0.1])


def test_a_bag_that_begins_again_begins_the_track_anew() -> None:
    made = track((5.0, 1.0), (5.2, 2.0), (1.0, 7.0), (1.2, 8.0))
    assert made.position(int(5.1 * S), ORIGIN) is None
    np.testing.assert_allclose(made.position(S, ORIGIN), [7, 0, 0])
