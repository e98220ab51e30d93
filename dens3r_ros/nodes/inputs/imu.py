# SPDX-License-Identifier: Apache-2.0
"""The topic imu: hundreds of readings a second, each handed over at once."""

from __future__ import annotations

import struct

import numpy as np
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Imu

from dens3r_ros.mapping.inertial.inertial import Inertial
from dens3r_ros.nodes.inputs.extrinsics import Extrinsics
from dens3r_ros.nodes.inputs.stamps import NANOSECONDS
from dens3r_ros.nodes.messages.poses import matrix_from_seven
from dens3r_ros.nodes.messages.qos import IMU
from dens3r_ros.nodes.messages.transforms import TransformUnknown
from dens3r_ros.nodes.settings.config import NodeConfig

_LITTLE_ENDIAN = b"\x00\x01"
"""Of the plain encoding, which Fast DDS and Cyclone write on all usual machines."""
_READINGS = struct.Struct("<37d")
_TURN, _FORCE = slice(13, 16), slice(25, 28)


class ImuInput:
    """Fills an `Inertial` from the topic, and finds out where the sensor sits."""

    def __init__(self, node: Node, config: NodeConfig, extrinsics: Extrinsics) -> None:
        self._node, self._extrinsics = node, extrinsics
        given = config.imu.camera_from_imu
        mounted = matrix_from_seven(given) if len(given) == 7 else None
        patient = config.input.policy == "every"
        self.inertial = Inertial(config.imu.noise, mounted, config.imu.offset_s, patient)
        self._frame = ""
        self._subscription = node.create_subscription(Imu, "imu", self._on_imu, IMU, raw=True)

    def mount(self, camera_frame: str, stamp: int) -> None:
        """Look the sensor up beside the camera, where the parameters do not place it."""
        if self.inertial.T_camera_imu is not None or not self._frame:
            return
        if self._frame == camera_frame:
            self.inertial.T_camera_imu = np.eye(4)
            return
        try:
            T = self._extrinsics.lookup(camera_frame, self._frame, stamp)
        except TransformUnknown as error:
            self._node.get_logger().warning(
                f"the imu is not used yet: {error}; imu.camera_from_imu may say where it sits",
                throttle_duration_sec=10.0,
            )
        else:
            self.inertial.T_camera_imu = T

    def destroy(self) -> None:
        """Stop listening."""
        self._node.destroy_subscription(self._subscription)

    def _on_imu(self, message: bytes) -> None:
        stamp, frame, turn, force = unpacked(message)
        if not np.isfinite((*turn, *force)).all():
            self._node.get_logger().warning(
                "imu readings that are no numbers are ignored", throttle_duration_sec=10.0
            )
            return
        self._frame = self._frame or frame
        self.inertial.buffer.add(stamp, turn, force)


def unpacked(message: bytes) -> tuple[int, str, tuple[float, ...], tuple[float, ...]]:
    """Stamp (ns), frame, rad/s and m/s^2 of a serialised sensor_msgs/Imu: of its 37 numbers six are
    needed, and making a message of all of them takes longer than all else."""
    if message[:2] != _LITTLE_ENDIAN:
        return _deserialised(message)
    seconds, nanoseconds, length = struct.unpack_from("<iII", message, 4)
    frame = bytes(message[16 : 16 + length - 1]).decode()
    numbers = _READINGS.unpack_from(message, 4 + -(-(12 + length) // 8) * 8)
    stamp = seconds * NANOSECONDS + nanoseconds
    return stamp, frame.lstrip("/"), numbers[_TURN], numbers[_FORCE]


def _deserialised(message: bytes) -> tuple[int, str, tuple[float, ...], tuple[float, ...]]:
    whole = deserialize_message(message, Imu)
    stamp = whole.header.stamp.sec * NANOSECONDS + whole.header.stamp.nanosec
    turn, force = whole.angular_velocity, whole.linear_acceleration
    frame = whole.header.frame_id.lstrip("/")
    return stamp, frame, (turn.x, turn.y, turn.z), (force.x, force.y, force.z)
