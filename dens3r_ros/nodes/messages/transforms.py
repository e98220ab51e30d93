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
from dens3r_ros.nodes.messages.poses import transform_message
from dens3r_ros.nodes.messages.qos import TRANSFORMS_OUT


class TransformPublisher:
    """Publishes to /tf; says once where it cannot."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._publisher = None
        if interfaces.tf2_messages is None:
            node.get_logger().warning(interfaces.MISSING_TF)
            return
        self._publisher = node.create_publisher(
            interfaces.tf2_messages.TFMessage, "/tf", TRANSFORMS_OUT
        )

    def publish(self, stamp: int, transforms: list[tuple[str, str, np.ndarray]]) -> None:
        """Send (parent, child, T_parent_child) at a stamp in nanoseconds."""
        if self._publisher is None or not transforms:
            return
        message = interfaces.tf2_messages.TFMessage()
        message.transforms = [
            TransformStamped(
                header=header_at(stamp, parent),
                child_frame_id=child,
                transform=transform_message(T),
            )
            for parent, child, T in transforms
        ]
        self._publisher.publish(message)

    def destroy(self) -> None:
        """Withdraw from /tf."""
        if self._publisher is not None:
            self._node.destroy_publisher(self._publisher)


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
                "and no frames.tf_mode map_to_odom or input.scale_from tf"
            ) from error
        # Without the node the buffer's clock does not follow simulated time.
        self._buffer: Any = tf2_ros.Buffer(node=node)
        self._listener = tf2_ros.TransformListener(self._buffer, node)
        self._errors = tf2_ros.TransformException

    def matrix(self, parent: str, child: str, stamp: int) -> np.ndarray:
        """(4, 4) T_parent_child at a stamp in nanoseconds, without waiting for it."""
        from dens3r_ros.nodes.messages.poses import matrix_from_seven

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
