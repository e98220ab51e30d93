# SPDX-License-Identifier: Apache-2.0
"""If these fail, what ROS users read our messages with reads something else than we wrote."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sensor_msgs.msg", reason="needs ROS message packages")
from encoded_images import encoded, smooth_rgb
from scipy.spatial.transform import Rotation
from std_msgs.msg import Header

from dens3r_ros.nodes.inputs.images import ENCODINGS, rgb_from_image
from dens3r_ros.nodes.messages.packing import CloudPacker, PointAttributes, image_message
from dens3r_ros.nodes.messages.poses import pose_message

HEADER = Header(frame_id="camera_optical")
RGB = smooth_rgb()
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("encoding", ["32FC1", "32FC3", "rgb8", "mono8"])
def test_cv_bridge_decodes_what_we_publish(encoding: str) -> None:
    cv_bridge = pytest.importorskip("cv_bridge", reason="cv_bridge is not installed")
    shape = (6, 8, 3) if encoding in ("32FC3", "rgb8") else (6, 8)
    values = RNG.uniform(0, 255, shape).astype(np.float32 if "F" in encoding else np.uint8)
    message = image_message(values, encoding, HEADER)
    np.testing.assert_array_equal(cv_bridge.CvBridge().imgmsg_to_cv2(message), values)


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "rgba8", "bgra8", "mono8", "mono16"])
def test_we_read_what_cv_bridge_encodes(encoding: str) -> None:
    cv_bridge = pytest.importorskip("cv_bridge", reason="cv_bridge is not installed")
    ours = encoded(RGB, encoding)
    bridge = cv_bridge.CvBridge()
    theirs = bridge.cv2_to_imgmsg(bridge.imgmsg_to_cv2(ours), encoding)
    np.testing.assert_array_equal(rgb_from_image(theirs, 10**6), rgb_from_image(ours, 10**6))


@pytest.mark.parametrize(
    "encoding", [e for e in ENCODINGS if e.startswith(("bayer", "yuv", "uyvy"))]
)
def test_cv_bridge_sees_the_same_colours(encoding: str) -> None:
    cv_bridge = pytest.importorskip("cv_bridge", reason="cv_bridge is not installed")
    message = encoded(RGB, encoding)
    try:
        theirs = cv_bridge.CvBridge().imgmsg_to_cv2(message, "rgb8")
    except cv_bridge.CvBridgeError as error:
        pytest.skip(f"this cv_bridge does not convert {encoding}: {error}")
    ours = rgb_from_image(message, 10**6).astype(int)
    assert np.abs(theirs - ours)[2:-2, 2:-2].max() <= 8


def test_read_points_returns_our_points_colours_and_normals() -> None:
    point_cloud2 = pytest.importorskip(
        "sensor_msgs_py.point_cloud2", reason="sensor_msgs_py is not installed"
    )
    points = RNG.normal(size=(24, 32, 3)).astype(np.float32)
    points[3, 4] = np.nan
    surface = PointAttributes(-points, points[..., 0] ** 2, points[..., 1] ** 2 + 1)
    cloud = CloudPacker().organised(points, RGB, HEADER, surface)
    read = point_cloud2.read_points(cloud, skip_nans=False).reshape(24, 32)
    np.testing.assert_array_equal(np.stack([read[c] for c in "xyz"], -1), points)
    normals = np.stack([read[f"normal_{c}"] for c in "xyz"], -1)
    np.testing.assert_array_equal(normals, -points)
    np.testing.assert_array_equal(read["curvature"], surface.curvature)
    np.testing.assert_array_equal(read["confidence"], surface.confidence)
    packed = np.ascontiguousarray(read["rgb"]).view(np.uint32)
    colours = np.stack([packed >> 16 & 255, packed >> 8 & 255, packed & 255], -1)
    np.testing.assert_array_equal(colours, RGB)


def test_tf_transformations_turns_as_we_do() -> None:
    tf_transformations = pytest.importorskip(
        "tf_transformations", reason="tf_transformations is not installed"
    )
    for vector in RNG.normal(size=(20, 3)):
        T = np.eye(4)
        T[:3, :3] = Rotation.from_rotvec(vector).as_matrix()
        q = pose_message(T).orientation
        np.testing.assert_allclose(
            tf_transformations.quaternion_matrix([q.x, q.y, q.z, q.w]), T, atol=1e-9
        )
