# SPDX-License-Identifier: Apache-2.0
"""A subscriber that keeps what the demo shows and measures at its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from nav_msgs.msg import Path
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image, PointCloud2

from dens3r_ros.nodes.demo.moments import Moments
from dens3r_ros.nodes.messages import interfaces
from dens3r_ros.nodes.messages.poses import matrix_from_seven
from dens3r_ros.nodes.messages.qos import LATCHED, MAPS_OUT, POSES_OUT, TRANSFORMS_OUT
from dens3r_ros.nodes.simulated_camera import TRUE_CAMERA

PICTURES = {"depth": "depth/image", "normals": "normals/color", "confidence": "confidence"}


class Observer(Node):
    """Listens to everything the node says of one camera."""

    def __init__(self, node_name: str = "dens3r") -> None:
        super().__init__("demo_observer")
        self.status: Any = None
        self.latest: dict[str, Image] = {}
        self.moments = Moments(("image", *PICTURES))
        self.cloud: PointCloud2 | None = None
        self.path: Path | None = None
        self.truth: dict[int, np.ndarray] = {}
        """T_world_camera by stamp in nanoseconds."""
        self._listen(Image, "image", self._keep_latest("image"), qos_profile_sensor_data)
        for name, topic in PICTURES.items():
            self._listen(Image, f"{node_name}/{topic}", self._keep_latest(name), MAPS_OUT)
        self._listen(PointCloud2, f"{node_name}/map_points", self._on_cloud, LATCHED)
        self._listen(Path, f"{node_name}/path", self._on_path, LATCHED)
        self._listen(interfaces.messages.Status, f"{node_name}/status", self._on_status, POSES_OUT)
        self._listen(interfaces.tf2_messages.TFMessage, "/tf", self._on_tf, TRANSFORMS_OUT)

    def _listen(self, kind: Any, topic: str, callback: Callable[[Any], None], qos: Any) -> None:
        self.create_subscription(kind, topic, callback, qos)

    def _keep_latest(self, name: str) -> Callable[[Image], None]:
        def keep(message: Image) -> None:
            self.latest[name] = message
            depth = image_values(message) if name == "depth" else None
            self.moments.add(name, nanoseconds(message.header.stamp), message, depth)

        return keep

    def _on_cloud(self, message: PointCloud2) -> None:
        self.cloud = message

    def _on_path(self, message: Path) -> None:
        self.path = message

    def _on_status(self, message: Any) -> None:
        self.status = message

    def _on_tf(self, message: Any) -> None:
        self.truth |= true_poses(message)


def true_poses(message: Any) -> dict[int, np.ndarray]:
    """T_world_camera by stamp in nanoseconds, as far as transforms tell that of our camera."""
    poses = {}
    for transform in message.transforms:
        if transform.child_frame_id == TRUE_CAMERA:
            t, q = transform.transform.translation, transform.transform.rotation
            T_world_camera = matrix_from_seven((t.x, t.y, t.z, q.x, q.y, q.z, q.w))
            poses[nanoseconds(transform.header.stamp)] = T_world_camera
    return poses


def nanoseconds(stamp: Any) -> int:
    """A stamp as one number."""
    return stamp.sec * 1_000_000_000 + stamp.nanosec


def poses_of(path: Path) -> dict[int, np.ndarray]:
    """(4, 4) poses of a path by stamp in nanoseconds."""
    poses = {}
    for stamped in path.poses:
        p, q = stamped.pose.position, stamped.pose.orientation
        poses[nanoseconds(stamped.header.stamp)] = matrix_from_seven(
            (p.x, p.y, p.z, q.x, q.y, q.z, q.w)
        )
    return poses


def image_values(message: Image) -> np.ndarray:
    """The pixels of an image that our own nodes publish."""
    channels = {"32FC1": 1, "rgb8": 3}[message.encoding]
    dtype = np.float32 if message.encoding == "32FC1" else np.uint8
    values = np.frombuffer(message.data, dtype).reshape(message.height, message.width, channels)
    return values[..., 0] if channels == 1 else values


def cloud_values(message: PointCloud2) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3) float32 points and (N, 3) uint8 RGB of a map cloud."""
    values = np.frombuffer(message.data, np.float32).reshape(message.width * message.height, -1)
    bgr = values[:, 3:4].copy().view(np.uint8)
    return values[:, :3].copy(), bgr[:, 2::-1].copy()
