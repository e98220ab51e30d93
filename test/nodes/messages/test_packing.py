# SPDX-License-Identifier: Apache-2.0
"""If these fail, RViz, PCL and Nav2 read wrong points, colours or depths from our messages."""

import struct

import numpy as np
import pytest

pytest.importorskip("sensor_msgs.msg", reason="needs ROS message packages")
from std_msgs.msg import Header

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.nodes.messages.packing import (
    CloudPacker,
    PointAttributes,
    camera_info_message,
    image_message,
    point_list_message,
)

HEADER = Header(frame_id="camera_optical")


def maps(height: int = 3, width: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(height, width, 3)).astype(np.float32)
    colours = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return points, colours


def test_every_point_colour_and_normal_arrives() -> None:
    points, colours = maps()
    normals, confidence = -points, points[..., 0] ** 2 + 1
    curvature = points[..., 1] ** 2
    surface = PointAttributes(normals, curvature, confidence)
    cloud = CloudPacker().organised(points, colours, HEADER, surface)
    names = [field.name for field in cloud.fields]
    expected = "x y z rgb normal_x normal_y normal_z curvature confidence"
    assert names == expected.split()
    assert len(cloud.data) == cloud.row_step * cloud.height
    assert (cloud.height, cloud.width, cloud.is_dense) == (3, 4, False)
    for row in range(3):
        for column in range(4):
            at = row * cloud.row_step + column * cloud.point_step
            values = struct.unpack_from("<3f4B5f", cloud.data, at)
            np.testing.assert_array_equal(values[:3], points[row, column])
            assert list(values[3:7]) == [*colours[row, column][::-1], 0]
            np.testing.assert_array_equal(values[7:10], normals[row, column])
            assert values[10:12] == (curvature[row, column], confidence[row, column])


@pytest.mark.parametrize("normals", [True, False])
def test_what_moves_is_the_last_field_of_a_point(normals: bool) -> None:
    """Whoever keeps moving points could not tell which they are."""
    motion = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    points, colours = np.ones((3, 4, 3), np.float32), np.zeros((3, 4, 3), np.uint8)
    surface = PointAttributes(points, motion + 2, motion + 3) if normals else None
    cloud = CloudPacker().organised(points, colours, HEADER, surface, motion)
    assert cloud.fields[-1].name == "motion"
    values = np.frombuffer(cloud.data, np.float32).reshape(3, 4, -1)
    np.testing.assert_array_equal(values[..., cloud.fields[-1].offset // 4], motion)


def test_a_reused_buffer_does_not_change_a_message_already_made() -> None:
    packer = CloudPacker()
    points, colours = maps()
    first = packer.organised(points, colours, HEADER)
    before = bytes(first.data)
    packer.organised(points + 1, colours, HEADER)
    assert bytes(first.data) == before


def test_an_empty_map_is_a_valid_cloud() -> None:
    empty = np.empty((0, 3))
    cloud = point_list_message(empty.astype(np.float32), empty.astype(np.uint8), HEADER)
    assert (cloud.width, cloud.height, len(cloud.data), cloud.is_dense) == (0, 1, 0, True)


def test_depth_image_keeps_metres_and_nan() -> None:
    depth = np.array([[1.5, np.nan], [np.inf, 0.25]], np.float32)
    message = image_message(depth, "32FC1", HEADER)
    assert (message.step, message.encoding, message.header.frame_id) == (
        8,
        "32FC1",
        HEADER.frame_id,
    )
    read = np.frombuffer(message.data, np.float32).reshape(2, 2)
    np.testing.assert_array_equal(read, depth)


def test_camera_info_pairs_with_the_image() -> None:
    message = camera_info_message(Intrinsics(500, 501, 319.5, 239.5, 640, 480), HEADER)
    assert (message.width, message.height) == (640, 480)
    assert message.k[0] == 500 and message.k[4] == 501 and message.k[2] == 319.5
    assert message.p[0] == 500 and message.p[3] == 0
