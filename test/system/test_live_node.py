# SPDX-License-Identifier: Apache-2.0
"""If these fail, what leaves the node is not what RViz, Nav2 and users expect of each topic."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("dens3r_ros.msg", reason="needs the built interfaces")
from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry, Path
from peer import EVERY_FRAME, LATCHED, NODE, Peer, Stream, stamp_of, values
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray

from dens3r_ros import msg as messages

FRAME_TOPICS = {
    "points": PointCloud2,
    "depth/image": Image,
    "depth/camera_info": CameraInfo,
    "normals": Image,
    "normals/color": Image,
    "confidence": Image,
    "odometry": Odometry,
}
MAP_TOPICS = {
    "map_points": PointCloud2,
    "path": Path,
    "keyframes": messages.Keyframes,
    "keyframe_markers": MarkerArray,
}


@pytest.fixture(scope="module")
def tracked(start_once: Any, shared_peer: Peer) -> tuple[Peer, Stream]:
    """A node that has tracked ten images, with all its topics listened to; not to be disturbed."""
    peer = shared_peer
    start_once(NODE, "-p", "engine.name:=geometric", *EVERY_FRAME)
    for topic, kind in FRAME_TOPICS.items():
        peer.listen(kind, f"dens3r/{topic}")
    peer.listen(TFMessage, "/tf", 100)
    peer.listen(DiagnosticArray, "/diagnostics")
    stream = Stream(peer)
    # Only messages show that both ends of every topic have found each other.
    assert all_heard(peer, stream)
    for topic in FRAME_TOPICS:
        peer.received[f"dens3r/{topic}"].clear()
    stream.send(10)
    assert stream.status().tracking == stream.TRACKING
    return peer, stream


def all_heard(peer: Peer, stream: Stream) -> bool:
    for _ in range(20):
        stream.send(1)
        if all(peer.received[f"dens3r/{topic}"] for topic in FRAME_TOPICS):
            return bool(stream.status())
    return False


def test_one_output_for_each_processed_image_with_its_stamp(tracked: tuple[Peer, Stream]) -> None:
    peer, stream = tracked
    status = stream.status()
    assert status.images_received == status.images_processed + status.images_dropped
    for topic in FRAME_TOPICS:
        seen = peer.received[f"dens3r/{topic}"]
        peer.until(lambda seen=seen: len(seen) >= 10, seconds=10)
        assert [stamp_of(m) for m in seen] == stream.sent[-10:], topic


def newest_whole_set(peer: Peer) -> dict[str, Any]:
    """By topic, the messages of the newest frame of which all arrived."""
    by_stamp = {t: {stamp_of(m): m for m in peer.received[f"dens3r/{t}"]} for t in FRAME_TOPICS}
    newest = max(set.intersection(*(set(seen) for seen in by_stamp.values())))
    return {topic: seen[newest] for topic, seen in by_stamp.items()}


def test_maps_agree_with_each_other_and_are_labelled(tracked: tuple[Peer, Stream]) -> None:
    peer, _ = tracked
    last = newest_whole_set(peer)
    for topic in set(FRAME_TOPICS) - {"odometry"}:
        assert last[topic].header.frame_id == "camera_optical", topic
    depth, cloud = values(last["depth/image"])[..., 0], last["points"]
    points = np.frombuffer(cloud.data, np.float32).reshape(cloud.height, cloud.width, -1)
    np.testing.assert_array_equal(points[..., 2], depth)
    assert np.isfinite(depth).mean() > 0.2 and np.nanmin(depth) > 0
    camera = last["depth/camera_info"]
    assert (camera.height, camera.width) == depth.shape
    v, u = np.nonzero(np.isfinite(depth))
    x = (u - camera.k[2]) / camera.k[0] * depth[v, u]
    np.testing.assert_allclose(points[v, u, 0], x, atol=1e-3 * np.nanmax(depth))
    normals = values(last["normals"])
    lengths = np.linalg.norm(normals, axis=-1)
    assert np.nanmax(np.abs(lengths - 1)) < 1e-3
    assert np.nanmin(values(last["confidence"])) >= 1


def test_odometry_passes_the_checks_of_nav2(tracked: tuple[Peer, Stream]) -> None:
    peer, _ = tracked
    for message in peer.received["dens3r/odometry"]:
        assert (message.header.frame_id, message.child_frame_id) == ("odom", "camera_optical")
        q = message.pose.pose.orientation
        assert abs(q.x**2 + q.y**2 + q.z**2 + q.w**2 - 1) < 1e-6
        for covariance in (message.pose.covariance, message.twist.covariance):
            assert np.isfinite(covariance).all()
            assert min(covariance) >= 0 and max(covariance) < 1e9


def test_transforms_make_one_tree(tracked: tuple[Peer, Stream]) -> None:
    peer, _ = tracked
    parents = {
        t.child_frame_id: t.header.frame_id for m in peer.received["/tf"] for t in m.transforms
    }
    assert parents == {"odom": "map", "camera_optical": "odom"}


def test_late_listeners_get_the_map(tracked: tuple[Peer, Stream]) -> None:
    peer, _ = tracked
    for topic, kind in MAP_TOPICS.items():
        peer.listen(kind, f"dens3r/{topic}", LATCHED)
    assert peer.until(lambda: all(peer.received[f"dens3r/{t}"] for t in MAP_TOPICS))
    cloud = peer.received["dens3r/map_points"][-1]
    assert cloud.header.frame_id == "map" and cloud.is_dense and cloud.width > 100
    assert len(peer.received["dens3r/path"][-1].poses) >= 6
    keyframes = peer.received["dens3r/keyframes"][-1].keyframes
    assert keyframes and keyframes[0].width == 320 and keyframes[0].fx > 0
