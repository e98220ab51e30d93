# SPDX-License-Identifier: Apache-2.0
"""What the node says to TF, and what it asks of it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from geometry_msgs.msg import TransformStamped
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time

from dens3r_ros.nodes.messages import interfaces
from dens3r_ros.nodes.messages.packing import header_at
from dens3r_ros.nodes.messages.poses import matrix_from_seven, transform_message
from dens3r_ros.nodes.messages.qos import TRANSFORMS_LATCHED, TRANSFORMS_OUT
from dens3r_ros.nodes.messages.tf_tree import Sent


class TransformPublisher:
    """Publishes to /tf, or what never changes to /tf_static; says once where it cannot."""

    def __init__(self, node: Node, sent: Sent | None = None, fixed: bool = False) -> None:
        self._node, self._sent = node, sent
        self._publisher = None
        if interfaces.tf2_messages is None:
            node.get_logger().warning(interfaces.MISSING_TF, once=True)
            return
        topic, qos = ("/tf_static", TRANSFORMS_LATCHED) if fixed else ("/tf", TRANSFORMS_OUT)
        self._publisher = node.create_publisher(interfaces.tf2_messages.TFMessage, topic, qos)

    def publish(self, transforms: list[TransformStamped]) -> None:
        """Send them in one message."""
        if self._publisher is None or not transforms:
            return
        if self._sent is not None:
            self._sent.add(transforms)
        self._publisher.publish(interfaces.tf2_messages.TFMessage(transforms=transforms))

    def destroy(self) -> None:
        """Withdraw from the topic."""
        if self._publisher is not None:
            self._node.destroy_publisher(self._publisher)


def transform_at(stamp: int, parent: str, child: str, T_parent_child: np.ndarray) -> Any:
    """A TransformStamped at a stamp in nanoseconds."""
    return TransformStamped(
        header=header_at(stamp, parent),
        child_frame_id=child,
        transform=transform_message(T_parent_child),
    )


class TransformUnknown(Exception):
    """A transform that nothing publishes; the text names both frames and what is known."""


def held_frames(text: str) -> str:
    """tf2's lines about the frames it knows as one: parent -> child, ..."""
    pairs = re.findall(r"Frame (\S+) exists with parent (\S+)\.", text)
    return ", ".join(f"{parent} -> {child}" for child, parent in pairs) or "nothing"


class TransformLookup:
    """Asks TF, through tf2_ros where it is installed."""

    def __init__(self, node: Node) -> None:
        try:
            import tf2_ros
        except ModuleNotFoundError as error:
            raise TransformUnknown(
                "tf2_ros is not installed, so transforms cannot be looked up: install it, or do "
                "without: give frames.base_from_camera and, of several cameras, input.extrinsics, "
                "with input.scale_from "
                "imu, imu.camera_from_imu, with input.scale_from "
                "imu, imu.camera_from_imu, and no frames.tf_mode map_to_odom or input.scale_from tf"
            ) from error
        # Without the node the buffer's clock does not follow simulated time.
        self._buffer: Any = tf2_ros.Buffer(node=node)
        self._listener = tf2_ros.TransformListener(self._buffer, node)
        self._errors = tf2_ros.TransformException

    def matrix(self, parent: str, child: str, stamp: int) -> np.ndarray:
        """(4, 4) T_parent_child at a stamp in nanoseconds, without waiting for it."""
        try:
            found = self._buffer.lookup_transform(
                parent, child, Time(nanoseconds=stamp), Duration(seconds=0)
            ).transform
        except self._errors as error:
            raise TransformUnknown(
                f"no transform from '{child}' to '{parent}': {str(error).rstrip('. ')}. TF holds "
                f"{held_frames(self._buffer.all_frames_as_string())}"
            ) from error
        t, q = found.translation, found.rotation
        return matrix_from_seven((t.x, t.y, t.z, q.x, q.y, q.z, q.w))
