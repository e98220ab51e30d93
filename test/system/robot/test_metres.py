# SPDX-License-Identifier: Apache-2.0
"""If these fail, a costmap takes a unit of the map's own for metres, and a robot drives by it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("dens3r_ros.msg", reason="needs the built interfaces")
import sliding_wall
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.msg import Odometry, Path
from peer import EVERY_FRAME, LATCHED, NODE, Peer, Stream, stamp_of, stamped, values
from sensor_msgs.msg import Image, PointCloud2
from tf2_msgs.msg import TFMessage

from dens3r_ros.evaluation.oracle.wall_engine import DISTANCE

UNITS = ("-p", "engine.name:=sliding_wall:engine", "-p", "mapping.level:=camera")
PATIENT = ("-p", "input.stall_after:=60.0")
"""Waiting for outputs, these tests send no images for a while."""
WITH_LENGTHS = {
    "dens3r/points": PointCloud2,
    "dens3r/depth/image": Image,
    "dens3r/odometry": Odometry,
    "dens3r/pose": PoseWithCovarianceStamped,
    "/tf": TFMessage,
}
LATCHED_WITH_LENGTHS = {"dens3r/map_points": PointCloud2, "dens3r/path": Path}


def listen(peer: Peer) -> None:
    for topic, kind in WITH_LENGTHS.items():
        peer.listen(kind, topic)
    for topic, kind in LATCHED_WITH_LENGTHS.items():
        peer.listen(kind, topic, LATCHED)
    peer.listen(Image, "dens3r/normals")
    peer.listen(DiagnosticArray, "/diagnostics")


def diagnosis(peer: Peer) -> Any:
    seen = peer.received["/diagnostics"]
    seen.clear()
    assert peer.until(lambda: seen)
    return seen[-1].status[0]


def drive(peer: Peer, stream: Stream, images: int) -> None:
    """A robot that tells its odometry twice for each image."""
    for _ in range(images):
        for stamp in (stream.stamp, stream.stamp + 50_000_000):
            message = Odometry(child_frame_id="base_link")
            message.pose.pose.position.x = 7.0 + sliding_wall.metres(stamp)
            peer.publish("odometry", stamped(message, stamp, "robot_odom"))
        peer.spin(0.02)
        stream.send(1)


def test_nothing_with_a_length_leaves_before_it_is_in_metres(start: Any, peer: Peer) -> None:
    required = ("-p", "output.require_metric:=true", "-p", "input.scale_from:=odometry")
    node = start(NODE, *UNITS, *EVERY_FRAME, *PATIENT, *required)
    listen(peer)
    stream = Stream(peer)
    stream.send(4)
    assert not stream.status().metric
    assert peer.until(lambda: peer.received["dens3r/normals"], 20)
    held = [topic for topic in (*WITH_LENGTHS, *LATCHED_WITH_LENGTHS) if peer.received[topic]]
    assert held == []
    told = diagnosis(peer)
    assert "held back" in told.message and "waiting for odometry" in told.message
    assert node.text().count("held back") == 1
    drive(peer, stream, 27)
    assert stream.status().metric
    everything = (*WITH_LENGTHS, *LATCHED_WITH_LENGTHS)
    assert peer.until(lambda: all(peer.received[topic] for topic in everything), 20)
    for message in peer.received["dens3r/depth/image"]:
        assert np.nanmean(values(message)) == pytest.approx(DISTANCE, rel=0.05)
    stamps = [stamp_of(m) for m in peer.received["dens3r/odometry"]]
    assert min(stamps) > stream.sent[8]
    assert diagnosis(peer).message == "tracking"


def test_a_unit_of_the_maps_own_is_called_that_once(start: Any, peer: Peer) -> None:
    node = start(NODE, *UNITS, *EVERY_FRAME, *PATIENT)
    listen(peer)
    stream = Stream(peer)
    stream.send(6)
    assert stream.status().tracking == stream.TRACKING
    assert node.text().count("lengths are not metres") == 1
    assert "input.scale_from" in node.text()
    told = diagnosis(peer)
    assert "lengths are not metres" in told.message
    assert any(v.key == "lengths" and "not metres" in v.value for v in told.values)
    maps = peer.received["dens3r/map_points"]
    assert peer.until(lambda: maps, 20)
    voxel = 0.05 * DISTANCE / sliding_wall.UNIT
    wall = (320 / 256) * (240 / 256) * (DISTANCE / sliding_wall.UNIT) ** 2
    # The wall waves and the camera slides a little: some more voxels than one view fills.
    assert 0.7 < maps[-1].width * voxel**2 / wall < 2
