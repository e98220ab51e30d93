# SPDX-License-Identifier: Apache-2.0
"""A camera that sends its next image once the one before was answered, at most at its rate."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import rclpy
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CameraInfo, Image

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.nodes.inputs.stamps import NANOSECONDS
from dens3r_ros.nodes.messages import interfaces
from dens3r_ros.nodes.messages.packing import camera_info_message, header_at, image_message
from dens3r_ros.nodes.messages.qos import POSES_OUT

FRAME_ID = "bench_camera_optical"
ANSWER_WITHIN_S = 5.0


class Camera(Node):
    """Sends images and hears of the node's status and odometry."""

    def __init__(self, width: int, height: int, on_status: Callable[[Any], None]) -> None:
        super().__init__("bench_camera")
        noise = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
        self._pixels = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
        self._intrinsics = Intrinsics(
            0.8 * width, 0.8 * width, (width - 1) / 2, (height - 1) / 2, width, height
        )
        self._images = self.create_publisher(Image, "image", QoSProfile(depth=10))
        self._infos = self.create_publisher(CameraInfo, "camera_info", QoSProfile(depth=10))
        self.sent: list[int] = []
        self.status: Any = None
        self._answered = 0
        self._on_status = on_status
        self.create_subscription(interfaces.messages.Status, "dens3r/status", self._hear, POSES_OUT)
        self.create_subscription(Odometry, "dens3r/odometry", self._on_odometry, POSES_OUT)

    def calibrate(self) -> None:
        """Send calibration, and leave it the time to arrive before a first image."""
        self._infos.publish(camera_info_message(self._intrinsics, header_at(1, FRAME_ID)))
        self.spin_until(lambda: False, 1.0)

    def play(self, count: int, rate: float, stop: Callable[[], bool]) -> None:
        """Send `count` images."""
        for _ in range(count):
            due = time.monotonic() + 1 / rate
            self._send()
            self.spin_until(lambda: self._answered == self.sent[-1] or stop(), ANSWER_WITHIN_S)
            self.spin_until(lambda due=due: time.monotonic() >= due or stop(), 1 / rate)
            if stop():
                return

    def connected(self) -> bool:
        """Whether the node listens."""
        return all(p.get_subscription_count() for p in (self._images, self._infos))

    def next_status(self, seconds: float) -> bool:
        """Wait for a status written from now on; whether it came."""
        self.status = None
        return self.spin_until(lambda: self.status is not None, seconds)

    def spin_until(self, done: Callable[[], bool], seconds: float) -> bool:
        """Work off what arrives until `done`; whether that came true in time."""
        end = time.monotonic() + seconds
        while not done() and time.monotonic() < end:
            rclpy.spin_once(self, timeout_sec=0.01)
        return done()

    def take_ms(self, rounds: int = 30) -> float:
        """Median milliseconds in which rclpy makes an Image of the bytes that came."""
        data = serialize_message(image_message(self._pixels, "rgb8", header_at(1, FRAME_ID)))
        times = []
        for _ in range(rounds):
            began = time.perf_counter()
            deserialize_message(data, Image)
            times.append((time.perf_counter() - began) * 1e3)
        return float(np.median(times))

    def _send(self) -> None:
        stamp = time.time_ns()
        header = header_at(stamp, FRAME_ID)
        self._infos.publish(camera_info_message(self._intrinsics, header))
        self._images.publish(image_message(self._pixels, "rgb8", header))
        self.sent.append(stamp)

    def _hear(self, status: Any) -> None:
        self.status = status
        self._on_status(status)

    def _on_odometry(self, message: Odometry) -> None:
        stamp = message.header.stamp
        self._answered = stamp.sec * NANOSECONDS + stamp.nanosec
