# SPDX-License-Identifier: Apache-2.0
"""If these fail, a robot's TF tree breaks when the node joins it: a frame has two parents, or the
pose of another moment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("dens3r_ros.msg", reason="needs the built interfaces")
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseWithCovarianceStamped, TransformStamped
from peer import EVERY_FRAME, NODE, WALL, Peer, Stream, image, info, stamp_of, stamped
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import PointCloud2
from tf2_msgs.msg import TFMessage
from trees import Tree, parents

MOVING = ("-p", "engine.name:=sliding_wall:engine", "-p", "mapping.level:=camera")
PATIENT = ("-p", "input.stall_after:=60.0")
MOUNTED = ("-p", "frames.base_from_camera:=[0.3, 0.0, 0.2, 0.0, 0.0, 0.0, 1.0]")
STATIC = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class Robot:
    """What a robot's description and odometry publish."""

    def __init__(self, peer: Peer) -> None:
        self._fixed = peer.node.create_publisher(TFMessage, "/tf_static", STATIC)
        self._moving = peer.node.create_publisher(TFMessage, "/tf", 10)

    def mount(self, *links: tuple[str, str]) -> None:
        self._fixed.publish(TFMessage(transforms=[_link(*link, 0) for link in links]))

    def drive(self, parent: str, child: str, stamp: int) -> None:
        self._moving.publish(TFMessage(transforms=[_link(parent, child, stamp)]))


def _link(parent: str, child: str, stamp: int) -> TransformStamped:
    message = stamped(TransformStamped(child_frame_id=child), stamp, parent)
    message.transform.rotation.w = 1.0
    message.transform.translation.x = 0.25
    return message


def told(peer: Peer) -> str:
    """The newest diagnosis."""
    seen = peer.received["/diagnostics"]
    seen.clear()
    assert peer.until(lambda: seen)
    return seen[-1].status[0].message


def test_tf_at_each_images_stamp_is_its_pose(start: Any, peer: Peer) -> None:
    start(NODE, *MOVING, *EVERY_FRAME, "-p", "frames.transform_tolerance:=0.25")
    peer.listen(PointCloud2, "dens3r/points")
    peer.listen(PoseWithCovarianceStamped, "dens3r/pose")
    peer.listen(TFMessage, "/tf", 100)
    stream = Stream(peer)
    stream.send(10)
    stream.status()
    tree = Tree(t for m in peer.received["/tf"] for t in m.transforms)
    poses = {stamp_of(m): m.pose.pose for m in peer.received["dens3r/pose"]}
    clouds = [stamp_of(m) for m in peer.received["dens3r/points"]]
    assert len(clouds) > 5 and clouds[-1] == stream.sent[-1]
    assert abs(poses[clouds[-1]].position.y - poses[clouds[0]].position.y) > 0.5
    for stamp in clouds:
        T = tree.at("map", "camera_optical", stamp)
        p = poses[stamp].position
        np.testing.assert_allclose(T[:3, 3], [p.x, p.y, p.z], atol=1e-6)
    newest = {pair: max(stamps) for pair, stamps in tree.stamps().items()}
    assert newest["odom", "camera_optical"] == clouds[-1]
    assert newest["map", "odom"] == clouds[-1] + 250_000_000


@pytest.mark.parametrize("late", [False, True], ids=["there before", "comes later"])
def test_a_camera_that_has_a_parent_keeps_it(start: Any, peer: Peer, late: bool) -> None:
    robot = Robot(peer)
    described = [("base_link", "head"), ("head", "camera_optical")]
    if not late:
        robot.mount(*described)
    node = start(NODE, *WALL, *EVERY_FRAME, *PATIENT)
    peer.listen(DiagnosticArray, "/diagnostics")
    peer.listen(TFMessage, "/tf", 100)
    stream = Stream(peer)
    stream.send(4)
    if late:
        stream.status()
        assert parents(peer.received["/tf"])["camera_optical"] == "odom"
        robot.mount(*described)
        peer.spin(0.5)
        peer.received["/tf"].clear()
    stream.send(4)
    assert stream.status().tracking == stream.TRACKING
    assert parents(peer.received["/tf"]) == {}
    advice = told(peer)
    assert "head -> camera_optical" in advice and "base:=base_link" in advice
    assert node.text().count("base:=base_link") == 1


def test_a_robots_odometry_keeps_its_transform(start: Any, peer: Peer) -> None:
    robot = Robot(peer)
    start(NODE, *WALL, *EVERY_FRAME, *PATIENT, *MOUNTED, "-p", "frames.base:=base_link")
    peer.listen(DiagnosticArray, "/diagnostics")
    peer.listen(TFMessage, "/tf", 100)
    stream = Stream(peer)

    def heard() -> bool:
        """Whether the node listens to TF besides the peer."""
        robot.drive("odom", "base_link", stream.stamp)
        return peer.node.count_subscribers("/tf") > 1

    assert peer.until(heard)
    for _ in range(6):
        robot.drive("odom", "base_link", stream.stamp)
        peer.spin(0.1)
        stream.send(1)
    assert stream.status().tracking == stream.TRACKING
    links = [t for m in peer.received["/tf"] for t in m.transforms]
    assert {t.child_frame_id for t in links} == {"base_link"}
    assert {t.transform.translation.x for t in links} == {0.25}
    assert "tf_mode:=map_to_odom" in told(peer)


def test_a_further_camera_gets_its_place(start: Any, peer: Peer) -> None:
    numbers = [0.2, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    engine = ("-p", "engine.name:=sliding_wall:stereo", "-p", "mapping.level:=camera")
    cameras = ("-p", "input.cameras:=[left, right]", "-p", f"input.extrinsics:={numbers}")
    start(NODE, *engine, *EVERY_FRAME, *cameras)
    peer.listen(TFMessage, "/tf_static", STATIC)
    stream = Stream(peer)
    for step in range(6):
        for camera in ("left", "right"):
            peer.publish(f"{camera}/camera_info", info(stream.stamp, f"{camera}_optical"))
            peer.publish(f"{camera}/image", image(step, stream.stamp, f"{camera}_optical"))
            peer.spin(0.1)
        stream.stamp += 50_000_000
    assert peer.until(lambda: peer.received["/tf_static"], 20)
    (mounting,) = [t for m in peer.received["/tf_static"] for t in m.transforms]
    assert (mounting.header.frame_id, mounting.child_frame_id) == ("left_optical", "right_optical")
    assert mounting.transform.translation.x == 0.2
