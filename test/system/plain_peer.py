# SPDX-License-Identifier: Apache-2.0
"""A camera and a listener that know nothing of this package, for a process of their own.

Prints one line per output that was heard: its topic and the bytes of its content.
"""

from __future__ import annotations

import sys
import time
from array import array

import rclpy
from nav_msgs.msg import Odometry
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

HEARD = {"points": PointCloud2, "depth/image": Image, "odometry": Odometry}


class PlainPeer(Node):
    """A driver's usual QoS: reliable, a short queue."""

    def __init__(self, width: int, height: int) -> None:
        super().__init__("plain_peer")
        self.size = width, height
        self.images = self.create_publisher(Image, "image", 5)
        self.infos = self.create_publisher(CameraInfo, "camera_info", 5)
        for topic, kind in HEARD.items():
            self.create_subscription(kind, f"dens3r/{topic}", self._say(topic), 5)
        self.create_timer(0.3, self._send)

    def _say(self, topic):
        return lambda message: print(topic, len(getattr(message, "data", b"")), flush=True)

    def _send(self) -> None:
        width, height = self.size
        image = Image(width=width, height=height, encoding="rgb8", step=3 * width)
        image.data = array("B", bytes(range(250)) * (3 * width * height // 250 + 1))
        image.data = image.data[: 3 * width * height]
        image.header.frame_id = "plain_camera"
        image.header.stamp = self.get_clock().now().to_msg()
        k = [0.8 * width, 0.0, width / 2, 0.0, 0.8 * width, height / 2, 0.0, 0.0, 1.0]
        self.infos.publish(CameraInfo(header=image.header, width=width, height=height, k=k))
        self.images.publish(image)


def main() -> None:
    rclpy.init()
    peer = PlainPeer(*map(int, sys.argv[1:3]))
    end = time.monotonic() + float(sys.argv[3])
    while time.monotonic() < end:
        rclpy.spin_once(peer, timeout_sec=0.1)


if __name__ == "__main__":
    main()
