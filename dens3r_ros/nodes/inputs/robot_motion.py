# SPDX-License-Identifier: Apache-2.0
"""Where the robot says its camera is, from its odometry or from TF, for the sake of scale."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import deque

import numpy as np
from nav_msgs.msg import Odometry
from rclpy.node import Node

from dens3r_ros.nodes.inputs.extrinsics import Extrinsics
from dens3r_ros.nodes.inputs.scale import ScaleEstimator, Where
from dens3r_ros.nodes.inputs.stamps import NANOSECONDS
from dens3r_ros.nodes.messages.poses import matrix_from_seven
from dens3r_ros.nodes.messages.qos import ODOMETRY_IN
from dens3r_ros.nodes.messages.transforms import TransformUnknown
from dens3r_ros.nodes.settings.config import NodeConfig

_REMEMBERED = 2000
_GAP_S = 0.5
"""Seconds between odometry messages beyond which nothing is read between them."""


class PoseTrack:
    """The robot's last poses by stamp; written by one thread, read by another."""

    def __init__(self) -> None:
        self._poses: deque[tuple[int, np.ndarray]] = deque(maxlen=_REMEMBERED)
        self._changing = threading.Lock()

    def add(self, stamp: int, T_odom_body: np.ndarray) -> None:
        """Add a pose; an earlier stamp than the last one's begins the track anew."""
        with self._changing:
            if self._poses and stamp <= self._poses[-1][0]:
                self._poses.clear()
            self._poses.append((stamp, T_odom_body))

    def __len__(self) -> int:
        return len(self._poses)

    def position(self, stamp: int, arm: np.ndarray) -> np.ndarray | None:
        """(3,) position of a point at `arm` in the body's frame; None outside the track."""
        with self._changing:
            at = bisect_left(self._poses, stamp, key=lambda entry: entry[0])
            if at == len(self._poses) or (at == 0 and self._poses[0][0] != stamp):
                return None
            (before, T_before), (after, T_after) = self._poses[max(at - 1, 0)], self._poses[at]
        if after - before > _GAP_S * NANOSECONDS:
            return None
        share = (stamp - before) / max(after - before, 1)
        ends = [T[:3, :3] @ arm + T[:3, 3] for T in (T_before, T_after)]
        return (1 - share) * ends[0] + share * ends[1]


class RobotMotion:
    """Feeds a `ScaleEstimator` from the topic or transforms that the parameters name."""

    def __init__(self, node: Node, config: NodeConfig, extrinsics: Extrinsics) -> None:
        self._node, self._config, self._extrinsics = node, config, extrinsics
        chosen = config.input.scale_from
        self.source = "odometry" if chosen == "auto" else chosen
        self._track = PoseTrack()
        self._subscription = None
        if self.source == "odometry":
            self._subscription = node.create_subscription(
                Odometry, "odometry", self._on_odometry, ODOMETRY_IN
            )

    @property
    def present(self) -> bool:
        """Whether the robot tells its motion."""
        return self.source == "tf" or len(self._track) > 0

    def of_camera(self, frame_id: str) -> Where:
        """How the robot places the camera with this frame."""
        if self.source == "tf":
            return lambda stamp: self._by_transforms(frame_id, stamp)
        return lambda stamp: self._by_odometry(frame_id, stamp)

    def progress(self, estimator: ScaleEstimator) -> str:
        """One sentence on how far the scale is known."""
        if estimator.scale is not None:
            return f"from {self.source}: {estimator.scale:.4g} m for a unit of the mapper's odom"
        if not estimator.stretches:
            return f"waiting for {self.source}: no stretch of the way could be compared yet"
        return (
            f"waiting for {self.source}: {estimator.stretches} stretches of the way compared, "
            f"their ratios spread by {estimator.spread:.0%}"
        )

    def destroy(self) -> None:
        """Stop listening."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)

    def _on_odometry(self, message: Odometry) -> None:
        p, q = message.pose.pose.position, message.pose.pose.orientation
        seven = (p.x, p.y, p.z, q.x, q.y, q.z, q.w)
        if not np.isfinite(seven).all() or abs(np.linalg.norm(seven[3:]) - 1) > 0.01:
            self._node.get_logger().warning(
                "odometry without a valid pose is ignored", throttle_duration_sec=10.0
            )
            return
        base = self._config.frames.base
        if base and message.child_frame_id != base:
            self._node.get_logger().warning(
                f"odometry is of '{message.child_frame_id}', but frames.base is '{base}': "
                "the camera's place on the robot is taken to be the same on both",
                once=True,
            )
        stamp = message.header.stamp.sec * NANOSECONDS + message.header.stamp.nanosec
        self._track.add(stamp, matrix_from_seven(seven))

    def _by_odometry(self, frame_id: str, stamp: int) -> np.ndarray | None:
        try:
            T_base_camera = self._extrinsics.base_from_camera(frame_id, stamp)
        except TransformUnknown as error:
            self._warn(error)
            return None
        return self._track.position(stamp, T_base_camera[:3, 3])

    def _by_transforms(self, frame_id: str, stamp: int) -> np.ndarray | None:
        try:
            return self._extrinsics.lookup(self._config.frames.odom, frame_id, stamp)[:3, 3]
        except TransformUnknown as error:
            self._warn(error)
            return None

    def _warn(self, error: TransformUnknown) -> None:
        self._node.get_logger().warning(f"no scale yet: {error}", throttle_duration_sec=10.0)
