# SPDX-License-Identifier: Apache-2.0
"""If these fail, a way of setting the node up that the documentation promises does not work."""

from __future__ import annotations

from array import array
from collections import defaultdict
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("dens3r_ros.msg", reason="needs the built interfaces")
import sliding_wall
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from nav_msgs.msg import Odometry, Path
from peer import (
    EVERY_FRAME,
    LATCHED,
    NODE,
    WALL,
    Peer,
    Stream,
    compressed,
    image,
    info,
    stamp_of,
    stamped,
    values,
)
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import Image, PointCloud2

from dens3r_ros.evaluation.oracle.wall_engine import DISTANCE


def test_compressed_images_track_too(start: Any, peer: Peer) -> None:
    start(NODE, *WALL, *EVERY_FRAME, "-p", "input.transport:=compressed")
    stream = Stream(peer)
    stream.send(12, make=compressed, topic="image/compressed")
    status = stream.status()
    assert status.tracking == stream.TRACKING and status.focal_length_estimated


def test_a_camera_is_heard_as_it_publishes(start: Any, peer: Peer) -> None:
    def heard_as() -> set[ReliabilityPolicy]:
        found = peer.node.get_subscriptions_info_by_topic("/image")
        return {end.qos_profile.reliability for end in found}

    reliable = peer.node.create_publisher(Image, "image", 2)
    start(NODE, *WALL)
    assert peer.until(lambda: heard_as() == {ReliabilityPolicy.RELIABLE})
    peer.node.destroy_publisher(reliable)
    stream = Stream(peer)
    stream.send(3)
    assert heard_as() == {ReliabilityPolicy.BEST_EFFORT}
    assert stream.status().images_received >= 2


def plain(step: int, stamp: int, frame_id: str) -> Any:
    """Nothing in the image moves otherwise than the engine says."""
    message = image(step, stamp, frame_id)
    message.data = array("B", bytes([128]) * len(message.data))
    return message


def test_two_cameras_make_one_map(start: Any, peer: Peer) -> None:
    numbers = [sliding_wall.BASELINE, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    engine = ("-p", "engine.name:=sliding_wall:stereo", "-p", "mapping.level:=camera")
    cameras = ("-p", "input.cameras:=[left, right]", "-p", f"input.extrinsics:={numbers}")
    start(NODE, *engine, *EVERY_FRAME, *cameras)
    for camera in ("left", "right"):
        peer.listen(PointCloud2, f"dens3r/{camera}/points")
    peer.listen(Odometry, "dens3r/odometry")
    peer.listen(Path, "dens3r/path", LATCHED)
    stream = Stream(peer)
    for step in range(15):
        for camera in ("left", "right"):
            peer.publish(f"{camera}/camera_info", info(stream.stamp, f"{camera}_optical"))
            peer.publish(f"{camera}/image", plain(step, stream.stamp, f"{camera}_optical"))
            peer.spin(0.1)
        stream.stamp += 50_000_000
    status = stream.status()
    assert status.tracking == stream.TRACKING and status.images_processed > 20
    for camera in ("left", "right"):
        clouds = peer.received[f"dens3r/{camera}/points"]
        assert len(clouds) > 8
        assert {cloud.header.frame_id for cloud in clouds} == {f"{camera}_optical"}
    assert {m.child_frame_id for m in peer.received["dens3r/odometry"]} == {"left_optical"}
    seen = peer.received["dens3r/path"]
    assert peer.until(lambda: seen and len(seen[-1].poses) > 20)
    places: dict[int, list[Any]] = defaultdict(list)
    for pose in seen[-1].poses:
        places[stamp_of(pose)].append(pose.pose.position)
    gaps = [abs(a.y - b.y) for a, b in (pair for pair in places.values() if len(pair) == 2)]
    assert len(gaps) > 8
    np.testing.assert_allclose(gaps, sliding_wall.BASELINE, atol=0.02)
    before = stream.status().images_processed
    for step in range(30):
        peer.publish("left/image", image(step, stream.stamp, "left_optical"))
        stream.stamp += 50_000_000
        peer.spin(0.1)
    alone = stream.status()
    assert "/right/image" in alone.stalled_topics and alone.images_processed > before + 15


def test_before_simulated_time_runs_images_are_taken(start: Any, peer: Peer) -> None:
    node = start(NODE, *WALL, *EVERY_FRAME, "-p", "use_sim_time:=true")
    peer.listen(Image, "dens3r/depth/image")
    stream = Stream(peer)
    stream.send(8)
    seen = peer.received["dens3r/depth/image"]
    assert peer.until(lambda: seen) and {stamp_of(m) for m in seen} <= set(stream.sent)
    assert node.interrupt()[0] == 0


def test_two_nodes_of_one_name_are_told(start: Any, peer: Peer) -> None:
    nodes = [start(NODE, *WALL) for _ in range(2)]
    told = "another node is called /dens3r"
    assert peer.until(lambda: any(told in node.text() for node in nodes))


def test_odometry_of_the_robot_makes_metres(start: Any, peer: Peer) -> None:
    engine = ("-p", "engine.name:=sliding_wall:engine")
    start(NODE, *engine, *EVERY_FRAME, "-p", "input.scale_from:=odometry")
    peer.listen(Odometry, "dens3r/odometry")
    peer.listen(Image, "dens3r/depth/image")
    stream = Stream(peer)
    stream.send(4)
    before = stream.status()
    assert not before.metric
    for _ in range(45):
        for ahead in (0, 50_000_000):
            peer.publish("odometry", robot(stream.stamp + ahead))
        stream.send(1)
    after = stream.status()
    assert after.metric and after.epoch == before.epoch + 1
    depth = {stamp_of(m): np.nanmean(values(m)) for m in peer.received["dens3r/depth/image"]}
    assert depth[min(depth)] == pytest.approx(DISTANCE / sliding_wall.UNIT, rel=0.03)
    assert depth[max(depth)] == pytest.approx(DISTANCE, rel=0.05)
    seen = peer.received["dens3r/odometry"][-4:]
    steps = np.diff([m.pose.pose.position.y for m in seen]) / np.diff([stamp_of(m) for m in seen])
    np.testing.assert_allclose(np.abs(steps) * 1e9, sliding_wall.SPEED, rtol=0.05)


def robot(stamp: int) -> Odometry:
    """A robot that drives to its left, somewhere else in its own frame."""
    message = Odometry(child_frame_id="base_link")
    message.pose.pose.position.x = 7.0 + sliding_wall.metres(stamp)
    return stamped(message, stamp, "robot_odom")


def test_lifecycle_transitions_twenty_times_over(start: Any, peer: Peer) -> None:
    process = start(NODE, *WALL, *EVERY_FRAME, "-p", "autostart:=false")
    steps = [
        (Transition.TRANSITION_CONFIGURE, "inactive"),
        (Transition.TRANSITION_ACTIVATE, "active"),
        (Transition.TRANSITION_DEACTIVATE, "inactive"),
        (Transition.TRANSITION_CLEANUP, "unconfigured"),
    ]
    for _ in range(20):
        for transition, label in steps:
            request = ChangeState.Request(transition=Transition(id=transition))
            assert peer.call(ChangeState, "dens3r/change_state", request).success
            state = peer.call(GetState, "dens3r/get_state", GetState.Request())
            assert state.current_state.label == label
    assert process.interrupt()[0] == 0
