# SPDX-License-Identifier: Apache-2.0
"""If these fail, what people play to the node is not what the node gets to see."""

from __future__ import annotations

import cv2
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from peer import view
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image

CAMERA = "dens3r_ros.nodes.simulated_camera"


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for step in range(6):
        cv2.imwrite(str(folder / f"{step:02}.png"), view(step)[..., ::-1])
    return folder


def test_a_short_sequence_is_seen_whole_by_who_comes_a_little_later(start, peer, images) -> None:
    camera = start(CAMERA, "-p", f"source:={images}", "-p", "rate:=5.0")
    assert peer.until(lambda: "playing" in camera.text())
    peer.spin(1.5)
    peer.listen(Image, "image", QoSProfile(depth=10))
    assert peer.until(lambda: len(peer.received["image"]) == 6)
    sent = [view(step).tobytes() for step in range(6)]
    assert [message.data.tobytes() for message in peer.received["image"]] == sent
    assert camera.popen.wait(30) == 0
