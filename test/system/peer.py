# SPDX-License-Identifier: Apache-2.0
"""A camera and a listener in the test's own process, on the other side of DDS."""

from __future__ import annotations

import time
from array import array
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from typing import Any

import cv2
import numpy as np
import rclpy
from dens3r_ros.msg import Status
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

K = [300.0, 0, 159.5, 0, 300.0, 119.5, 0, 0, 1]
NODE = "dens3r_ros.nodes.live"
WALL = ("-p", "engine.name:=dens3r_ros.evaluation.oracle.wall_engine:WallEngine")
"""An engine that costs next to nothing and is sure of everything."""
EVERY_FRAME = ("-p", "input.policy:=every")
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class Peer:
    """Publishes images and collects messages by topic."""

    def __init__(self) -> None:
        self.context = Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node("peer", context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self.received: dict[str, list[Any]] = defaultdict(list)
        self._publishers: dict[str, Any] = {}

    def listen(self, kind: Any, topic: str, qos: Any = 10) -> None:
        self.node.create_subscription(kind, topic, self.received[topic].append, qos)

    def publish(self, topic: str, message: Any) -> None:
        if topic not in self._publishers:
            self._publishers[topic] = self.node.create_publisher(
                type(message), topic, qos_profile_sensor_data
            )
            self.until(lambda: self._publishers[topic].get_subscription_count() > 0)
        self._publishers[topic].publish(message)

    def until(self, done: Callable[[], Any], seconds: float = 120.0) -> bool:
        end = time.monotonic() + seconds
        while not done() and time.monotonic() < end:
            self._executor.spin_once(timeout_sec=0.05)
        return bool(done())

    def spin(self, seconds: float) -> None:
        self.until(lambda: False, seconds)

    def call(self, kind: Any, name: str, request: Any) -> Any:
        client = self.node.create_client(kind, name)
        assert self.until(client.service_is_ready), f"no service {name}"
        future = client.call_async(request)
        assert self.until(future.done), f"no answer from {name}"
        self.node.destroy_client(client)
        return future.result()

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


@cache
def texture(seed: int = 0, size: int = 900) -> np.ndarray:
    """A poster with detail at many scales."""
    rng = np.random.default_rng(seed)
    layers = [
        cv2.resize(rng.random((n, n, 3)), (size, size), interpolation=cv2.INTER_CUBIC)
        for n in (6, 24, 96, 300)
    ]
    return np.clip(sum(layers) / 4 * 255, 0, 255).astype(np.uint8)


def view(step: int, height: int = 240, width: int = 320) -> np.ndarray:
    """A camera that slides past two walls of different depth, so that there is parallax."""
    far = texture(1)[200 : 200 + height, 200 + 4 * step : 200 + 4 * step + width].copy()
    near = texture(2)[200 : 200 + height, 100 + 9 * step : 100 + 9 * step + width]
    far[height // 2 :] = near[height // 2 :]
    return far


def image(step: int, stamp: int, frame_id: str = "camera_optical", **size: int) -> Image:
    pixels = view(step, **size)
    message = Image(height=pixels.shape[0], width=pixels.shape[1], encoding="rgb8")
    message.step = pixels.shape[1] * 3
    message.data = array("B", pixels.tobytes())
    return stamped(message, stamp, frame_id)


def compressed(step: int, stamp: int, frame_id: str = "camera_optical") -> CompressedImage:
    data = cv2.imencode(".jpg", view(step)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
    message = CompressedImage(format="rgb8; jpeg compressed bgr8")
    message.data = array("B", data.tobytes())
    return stamped(message, stamp, frame_id)


def info(stamp: int, frame_id: str = "camera_optical") -> CameraInfo:
    message = CameraInfo(width=320, height=240, distortion_model="plumb_bob", k=K, d=[0.0] * 5)
    return stamped(message, stamp, frame_id)


def stamped(message: Any, stamp: int, frame_id: str = "camera_optical") -> Any:
    message.header.frame_id = frame_id
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp, 10**9)
    return message


def stamp_of(message: Any) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


class Stream:
    """Sends images at intervals that a slow machine keeps up with."""

    TRACKING = Status.TRACKING_OK

    def __init__(self, peer: Peer, start_ns: int = 100 * 10**9, calibrated: bool = True) -> None:
        self.peer, self.stamp, self._calibrated = peer, start_ns, calibrated
        self.sent: list[int] = []
        peer.listen(Status, "dens3r/status")

    def send(self, count: int, make: Any = image, topic: str = "image", **size: int) -> None:
        for _ in range(count):
            step = len(self.sent) % 50
            if topic == "image" and self._calibrated:
                self.peer.publish("camera_info", info(self.stamp))
            self.peer.publish(topic, make(step, self.stamp, **size))
            self.sent.append(self.stamp)
            self.stamp += 100_000_000
            self.peer.spin(0.15)

    def status(self) -> Any:
        """The next status in which nothing waits any more."""
        seen = self.peer.received["dens3r/status"]
        seen.clear()
        assert self.peer.until(lambda: seen and seen[-1].images_waiting == 0)
        return seen[-1]


def values(message: Image) -> np.ndarray:
    dtype = np.uint8 if message.encoding == "rgb8" else np.float32
    return np.frombuffer(message.data, dtype).reshape(message.height, message.width, -1)
