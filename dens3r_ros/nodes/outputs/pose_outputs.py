# SPDX-License-Identifier: Apache-2.0
"""Where the camera, or the robot that carries it, is: odometry, pose and TF of each frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.msg import Odometry
from rclpy.node import Node
from scipy.spatial.transform import Rotation

from dens3r_ros.mapping.update import Update
from dens3r_ros.nodes.messages.packing import header_at
from dens3r_ros.nodes.messages.poses import UNKNOWN_VARIANCE, diagonal_covariance, pose_message
from dens3r_ros.nodes.messages.qos import POSES_OUT
from dens3r_ros.nodes.outputs.transform_outputs import Lookup, TransformOutputs
from dens3r_ros.nodes.settings.config import FrameParameters

_SHORTEST_S = 0.004
"""Time between frames below which their poses tell no speed."""


@dataclass(frozen=True, eq=False)
class _LastPose:
    stamp: int
    epoch: int
    T_odom_body: np.ndarray


class PoseOutputs:
    """Publishes ~/odometry, ~/pose and TF of the camera that owns odom."""

    def __init__(self, node: Node, frames: FrameParameters, lookup: Lookup | None) -> None:
        self._node = node
        self._frames = frames
        self._odometry = node.create_publisher(Odometry, "~/odometry", POSES_OUT)
        self._pose = node.create_publisher(PoseWithCovarianceStamped, "~/pose", POSES_OUT)
        self.transforms = None
        if frames.tf_mode != "none":
            self.transforms = TransformOutputs(node, frames, lookup)
        self._last: _LastPose | None = None

    def publish(
        self, update: Update, camera_frame: str, T_body_camera: np.ndarray, tolerance_s: float
    ) -> None:
        """Publish a tracked frame's pose; a frame without one publishes nothing."""
        if update.T_odom_camera is None or update.T_map_camera is None:
            self._last = None
            return
        body = self._frames.base or camera_frame
        T_camera_body = np.linalg.inv(T_body_camera)
        T_odom_body = update.T_odom_camera @ T_camera_body
        T_map_body = update.T_map_camera @ T_camera_body
        self._publish_odometry(update, body, T_odom_body, _covariance(update, T_odom_body))
        self._publish_pose(update, T_map_body, _covariance(update, T_map_body))
        if self.transforms is not None:
            self.transforms.publish(update, body, T_odom_body, tolerance_s)

    def destroy(self) -> None:
        """Withdraw the topics."""
        self._node.destroy_publisher(self._odometry)
        self._node.destroy_publisher(self._pose)
        if self.transforms is not None:
            self.transforms.destroy()

    def _publish_odometry(
        self, update: Update, body: str, T_odom_body: np.ndarray, covariance: list[float]
    ) -> None:
        message = Odometry(header=header_at(update.stamp, self._frames.odom), child_frame_id=body)
        message.pose.pose = pose_message(T_odom_body)
        message.pose.covariance = covariance
        linear, angular, variance = self._twist(update, T_odom_body)
        twist = message.twist.twist
        twist.linear.x, twist.linear.y, twist.linear.z = linear
        twist.angular.x, twist.angular.y, twist.angular.z = angular
        message.twist.covariance = np.diag(np.full(6, variance)).ravel().tolist()
        self._odometry.publish(message)

    def _twist(
        self, update: Update, T_odom_body: np.ndarray
    ) -> tuple[list[float], list[float], float]:
        """Speed and turn since the last frame, in the body's axes, and their variance."""
        last, here = self._last, _LastPose(update.stamp, update.epoch, T_odom_body)
        unknown = [0.0] * 3, [0.0] * 3, UNKNOWN_VARIANCE
        if last is None or last.epoch != update.epoch or update.stamp <= last.stamp:
            self._last = here
            return unknown
        seconds = (update.stamp - last.stamp) * 1e-9
        if seconds < _SHORTEST_S:
            return unknown
        self._last = here
        step = np.linalg.inv(last.T_odom_body) @ T_odom_body
        turn = Rotation.from_matrix(step[:3, :3]).as_rotvec()
        variance = UNKNOWN_VARIANCE
        if update.covariance is not None and update.motion_seen:
            variance = float(2 * np.diag(update.covariance).max() / seconds**2)
            variance += float((update.scale_sigma * np.linalg.norm(step[:3, 3]) / seconds) ** 2)
        return (
            (step[:3, 3] / seconds).tolist(),
            (turn / seconds).tolist(),
            min(variance, UNKNOWN_VARIANCE),
        )

    def _publish_pose(
        self, update: Update, T_map_body: np.ndarray, covariance: list[float]
    ) -> None:
        message = PoseWithCovarianceStamped(header=header_at(update.stamp, self._frames.map))
        message.pose.pose = pose_message(T_map_body)
        message.pose.covariance = covariance
        self._pose.publish(message)


def _covariance(update: Update, T: np.ndarray) -> list[float]:
    """Of a pose, with the doubt in the scale."""
    return diagonal_covariance(update.covariance, T[:3, :3], T[:3, 3], update.scale_sigma)
