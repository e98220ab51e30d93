# SPDX-License-Identifier: Apache-2.0
"""If these fail, a robot's own TF tree is not heard, or a frame that is missing is guessed."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("dens3r_ros.msg", reason="needs the built interfaces")
pytest.importorskip("tf2_ros", reason="tf2_ros is not installed")
import sliding_wall
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TransformStamped
from nav_msgs.msg import Odometry
from peer import EVERY_FRAME, NODE, WALL, Peer, Stream, stamped
from tf2_msgs.msg import TFMessage
from tf2_ros import StaticTransformBroadcaster, TransformBroadcaster

OPTICAL = (-0.5, 0.5, -0.5, 0.5)
"""Turn from the optical frame of a camera that looks ahead to a body's axes."""


def transform(parent: str, child: str, x: float, turn: Any = (0, 0, 0, 1), stamp: int = 0) -> Any:
    message = stamped(TransformStamped(child_frame_id=child), stamp, parent)
    message.transform.translation.x = x
    rotation = message.transform.rotation
    rotation.x, rotation.y, rotation.z, rotation.w = map(float, turn)
    return message


def pairs(peer: Peer) -> list[tuple[str, str]]:
    transforms = [t for message in peer.received["/tf"] for t in message.transforms]
    return [(t.header.frame_id, t.child_frame_id) for t in transforms]


def test_poses_wait_for_the_mounting_and_say_so(start: Any, peer: Peer) -> None:
    node = start(NODE, *WALL, *EVERY_FRAME, "-p", "frames.base:=base_link")
    peer.listen(Odometry, "dens3r/odometry")
    peer.listen(TFMessage, "/tf", 100)
    peer.listen(DiagnosticArray, "/diagnostics")
    stream = Stream(peer)
    stream.send(4)
    assert stream.status().tracking == stream.TRACKING
    assert not peer.received["dens3r/odometry"] and not pairs(peer)
    told = peer.received["/diagnostics"][-1].status[0].message
    assert "'camera_optical' to 'base_link'" in told and told in node.text()
    mounting = StaticTransformBroadcaster(peer.node)
    mounting.sendTransform(transform("base_link", "camera_optical", 0.3, OPTICAL))
    peer.spin(1.0)
    stream.send(4)
    last = peer.received["dens3r/odometry"][-1]
    assert last.child_frame_id == "base_link"
    assert last.pose.pose.position.x == pytest.approx(-0.3, abs=1e-3)
    assert set(pairs(peer)) == {("map", "odom"), ("odom", "base_link")}


def test_a_robot_with_odometry_gets_map_to_odom_and_metres(start: Any, peer: Peer) -> None:
    foreign = ("-p", "frames.tf_mode:=map_to_odom", "-p", "input.scale_from:=tf")
    start(NODE, "-p", "engine.name:=sliding_wall:engine", *EVERY_FRAME, *foreign)
    peer.listen(TFMessage, "/tf", 100)
    odometry, stream = TransformBroadcaster(peer.node), Stream(peer)
    for _ in range(45):
        for stamp in (stream.stamp, stream.stamp + 50_000_000):
            way = 7 + sliding_wall.metres(stamp)
            odometry.sendTransform(transform("odom", "camera_optical", way, stamp=stamp))
        peer.spin(0.02)
        stream.send(1)
    status = stream.status()
    assert status.metric and status.epoch == 1
    assert ("map", "odom") in pairs(peer)
