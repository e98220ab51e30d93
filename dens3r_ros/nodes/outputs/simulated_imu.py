# SPDX-License-Identifier: Apache-2.0
"""Plays what an inertial sensor recorded, beside the frames of a simulated camera."""

from __future__ import annotations

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Imu

from dens3r_ros.imu import ImuRecording
from dens3r_ros.nodes.messages.packing import header_at
from dens3r_ros.nodes.messages.qos import IMU
from dens3r_ros.nodes.messages.transforms import TransformPublisher, transform_at

FRAME_ID = "imu_link"


class SimulatedImu:
    """Publishes imu, and where it sits beside the camera on /tf_static."""

    def __init__(self, node: Node, recording: ImuRecording, camera_frame: str) -> None:
        self._recording = recording
        self._publisher = node.create_publisher(Imu, "imu", IMU)
        fixed = TransformPublisher(node, fixed=True)
        now = node.get_clock().now().nanoseconds
        fixed.publish([transform_at(now, camera_frame, FRAME_ID, recording.T_camera_imu)])
        self._began = 0
        self._next = 0

    def play(self, frame_stamp: int, now: int, first: bool) -> int:
        """Publish the readings up to a frame of the recording; the stamp that the frame gets, so
        that all distances in time are those of the recording."""
        if first:
            self._began, self._next = now - frame_stamp, 0
        stamps = self._recording.readings.stamps
        end = int(np.searchsorted(stamps, frame_stamp, "right"))
        for index in range(self._next, end):
            self._publisher.publish(self._message(index))
        self._next = max(end, self._next)
        return self._began + frame_stamp

    def _message(self, index: int) -> Imu:
        readings = self._recording.readings
        message = Imu(header=header_at(self._began + int(readings.stamps[index]), FRAME_ID))
        message.orientation_covariance[0] = -1.0
        turn, force = message.angular_velocity, message.linear_acceleration
        turn.x, turn.y, turn.z = readings.turn[index].tolist()
        force.x, force.y, force.z = readings.force[index].tolist()
        return message
