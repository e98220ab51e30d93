# SPDX-License-Identifier: Apache-2.0
"""If these fail, a robot's inertial sensor is not heard, or nobody is told why it is of no use."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("dens3r_ros.msg", reason="needs the built interfaces")
from diagnostic_msgs.msg import DiagnosticArray
from peer import EVERY_FRAME, NODE, Peer, Stream, stamped
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Imu

from dens3r_ros.nodes.inputs.imu import unpacked

UNITS = ("-p", "engine.name:=sliding_wall:engine", "-p", "mapping.level:=camera")
SENSOR = (
    *("-p", "input.scale_from:=imu", "-p", "imu.preset:=d435i"),
    *("-p", "imu.camera_from_imu:=[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]"),
    *("-p", "input.stall_after:=60.0"),
)


def reading(stamp: int, frame_id: str = "imu_link") -> Imu:
    message = stamped(Imu(), stamp, frame_id)
    message.orientation.w = 1.0
    turn, force = message.angular_velocity, message.linear_acceleration
    turn.x, turn.y, turn.z = 0.1, -0.2, 0.3
    force.x, force.y, force.z = 0.5, -9.7, 1.25
    message.linear_acceleration_covariance[0] = 0.04
    return message


@pytest.mark.parametrize("frame_id", ["", "imu", "imu_link", "robot1/imu_link", "/front_imu"])
def test_readings_are_taken_from_the_message_as_it_lies(frame_id: str) -> None:
    stamp, frame, turn, force = unpacked(serialize_message(reading(12_000_000_034, frame_id)))
    assert (stamp, frame) == (12_000_000_034, frame_id.lstrip("/"))
    assert turn == (0.1, -0.2, 0.3)
    assert force == (0.5, -9.7, 1.25)


def scale(peer: Peer) -> str:
    seen = peer.received["/diagnostics"]
    seen.clear()
    assert peer.until(lambda: seen)
    return next(v.value for v in seen[-1].status[0].values if v.key == "scale")


def test_what_the_sensor_lacks_is_told(start: Any, peer: Peer) -> None:
    start(NODE, *UNITS, *EVERY_FRAME, *SENSOR)
    peer.listen(DiagnosticArray, "/diagnostics")
    stream = Stream(peer)
    stream.send(2)
    assert "no reading has come" in scale(peer)
    for _ in range(3):
        for share in np.arange(0, 100_000_000, 5_000_000).tolist():
            peer.publish("imu", reading(stream.stamp + share))
        stream.send(1)
    assert "turn the camera" in scale(peer)
    status = stream.status()
    assert not status.metric
    assert status.scale_source == ""
    assert np.isnan(status.scale_metres)
    stream.stamp += 2 * 10**9
    stream.send(2)
    assert "no reading for" in scale(peer)
