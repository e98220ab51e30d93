# SPDX-License-Identifier: Apache-2.0
"""If these fail, what leaves the node is not what RViz, Nav2 and users expect of each topic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("dens3r_ros.msg", reason="needs the built interfaces")
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from nav_msgs.msg import Odometry, Path
from peer import LATCHED, Peer, compressed, image, info, stamp_of
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_srvs.srv import SetBool, Trigger
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray

from dens3r_ros import msg as messages

NODE = "dens3r_ros.nodes.live"
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
EVERY_FRAME = ("-p", "engine.name:=geometric", "-p", "input.policy:=every")


@pytest.fixture
def peer(domain: int) -> Iterator[Peer]:
    made = Peer()
    yield made
    made.close()


class Stream:
    """Sends images one after the other, each once the one before was answered for."""

    def __init__(self, peer: Peer, start_ns: int = 100 * 10**9) -> None:
        self.peer, self.stamp = peer, start_ns
        self.sent: list[int] = []
        peer.listen(messages.Status, "dens3r/status")

    def send(self, count: int, make: Any = image, topic: str = "image", **size: int) -> None:
        for _ in range(count):
            step = len(self.sent) % 12
            if topic == "image":
                self.peer.publish("camera_info", info(self.stamp))
            self.peer.publish(topic, make(step, self.stamp, **size))
            self.sent.append(self.stamp)
            self.stamp += 100_000_000
            self.peer.spin(0.15)

    def status(self) -> Any:
        """The next status in which nothing waits any more."""
        seen = self.peer.received["dens3r/status"]
        seen.clear()
        assert self.peer.until(lambda: seen and seen[-1].images_waiting == 0)
        return seen[-1]


@pytest.fixture
def tracked(start: Any, peer: Peer) -> tuple[Peer, Stream]:
    """A node that has tracked ten images, with all its topics listened to."""
    start(NODE, *EVERY_FRAME)
    for topic, kind in FRAME_TOPICS.items():
        peer.listen(kind, f"dens3r/{topic}")
    peer.listen(TFMessage, "/tf", 100)
    peer.listen(DiagnosticArray, "/diagnostics")
    stream = Stream(peer)
    stream.send(10)
    assert stream.status().tracking == messages.Status.TRACKING_OK
    return peer, stream


def values(message: Image) -> np.ndarray:
    dtype = np.uint8 if message.encoding == "rgb8" else np.float32
    return np.frombuffer(message.data, dtype).reshape(message.height, message.width, -1)


def test_one_output_for_each_processed_image_with_its_stamp(tracked: tuple[Peer, Stream]) -> None:
    peer, stream = tracked
    status = stream.status()
    assert status.images_received == status.images_processed + status.images_dropped
    peer.spin(1.0)
    odometry = [stamp_of(m) for m in peer.received["dens3r/odometry"]]
    assert len(odometry) == len(set(odometry)) >= 6
    assert set(odometry) <= set(stream.sent)
    for topic in FRAME_TOPICS:
        seen = peer.received[f"dens3r/{topic}"]
        peer.until(lambda seen=seen: len(seen) >= len(odometry), seconds=10)
        assert [stamp_of(m) for m in seen] == odometry, topic


def test_maps_agree_with_each_other_and_are_labelled(tracked: tuple[Peer, Stream]) -> None:
    peer, _ = tracked
    last = {topic: peer.received[f"dens3r/{topic}"][-1] for topic in FRAME_TOPICS}
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


def test_reset_begins_an_epoch_and_pause_drops_images(tracked: tuple[Peer, Stream]) -> None:
    peer, stream = tracked
    epoch = stream.status().epoch
    assert peer.call(Trigger, "dens3r/reset", Trigger.Request()).success
    stream.send(4)
    assert stream.status().epoch > epoch
    peer.call(SetBool, "dens3r/pause", SetBool.Request(data=True))
    before = stream.status().images_processed
    stream.send(3)
    status = stream.status()
    assert status.images_processed == before
    assert dict(zip(status.dropped_reasons, status.dropped_counts, strict=True))["paused"] == 3
    assert status.tracking == status.TRACKING_PAUSED


def test_a_bag_that_begins_again_is_a_new_epoch(tracked: tuple[Peer, Stream]) -> None:
    _, stream = tracked
    epoch = stream.status().epoch
    stream.stamp = 50 * 10**9
    stream.send(6)
    status = stream.status()
    assert status.epoch > epoch and status.tracking == status.TRACKING_OK


def test_another_image_size_is_survived(tracked: tuple[Peer, Stream]) -> None:
    _, stream = tracked
    stream.send(6, height=192, width=256)
    status = stream.status()
    assert status.tracking == status.TRACKING_OK and "fault" not in status.dropped_reasons


def test_a_dead_camera_is_told_and_comes_back(start: Any, peer: Peer) -> None:
    start(NODE, *EVERY_FRAME, "-p", "input.stall_after:=0.5")
    stream = Stream(peer)
    stream.send(3)
    seen = peer.received["dens3r/status"]
    assert peer.until(lambda: seen and seen[-1].stalled_topics == ["/image"])
    stream.send(8)
    assert peer.until(lambda: not seen[-1].stalled_topics)


def test_compressed_images_track_too(start: Any, peer: Peer) -> None:
    start(NODE, *EVERY_FRAME, "-p", "input.transport:=compressed")
    stream = Stream(peer)
    stream.send(10, make=compressed, topic="image/compressed")
    status = stream.status()
    assert status.tracking == status.TRACKING_OK and status.focal_length_estimated


def test_parameters_change_live_or_say_why_not(tracked: tuple[Peer, Stream]) -> None:
    peer, stream = tracked
    assert _set(peer, "output.min_confidence", 900.0).successful
    peer.received["dens3r/depth/image"].clear()
    stream.send(3)
    assert np.isnan(values(peer.received["dens3r/depth/image"][-1])).all()
    refused = _set(peer, "output.min_confidence", 0.5)
    assert not refused.successful
    locked = _set(peer, "output.path_poses", 100)
    assert not locked.successful and "clean up" in locked.reason


def _set(peer: Peer, name: str, value: float | int) -> Any:
    wrapped = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=float(value))
    if isinstance(value, int):
        wrapped = ParameterValue(type=ParameterType.PARAMETER_INTEGER, integer_value=value)
    request = SetParameters.Request(parameters=[Parameter(name=name, value=wrapped)])
    return peer.call(SetParameters, "dens3r/set_parameters", request).results[0]


def test_lifecycle_transitions_twenty_times_over(start: Any, peer: Peer) -> None:
    process = start(NODE, *EVERY_FRAME, "-p", "autostart:=false")
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
