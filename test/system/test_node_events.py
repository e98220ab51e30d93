# SPDX-License-Identifier: Apache-2.0
"""If these fail, what happens on any day, from a bag's loop to a stuck viewer, stops a robot."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("dens3r_ros.msg", reason="needs the built interfaces")
import rclpy
from dens3r_ros.srv import LoadMap, SaveMap
from encoded_images import encoded, smooth_rgb
from peer import EVERY_FRAME, NODE, WALL, Peer, Stream, image, stamp_of, stamped, values
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from sensor_msgs.msg import Image, PointCloud2
from std_srvs.srv import SetBool, Trigger

from dens3r_ros.nodes.inputs.images import ENCODINGS


@pytest.fixture(scope="module")
def shared(start_once: Any, shared_peer: Peer) -> Stream:
    """One node that goes through all of it, and must track again after each."""
    start_once(NODE, *WALL, *EVERY_FRAME, "-p", "input.stall_after:=0.5")
    shared_peer.listen(Image, "dens3r/depth/image")
    shared_peer.listen(PointCloud2, "dens3r/points", 50)
    stream = Stream(shared_peer)
    stream.send(3)
    return stream


@pytest.fixture
def tracked(shared: Stream) -> tuple[Peer, Stream]:
    shared.send(2)
    assert shared.status().tracking == shared.TRACKING
    return shared.peer, shared


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
    peer.call(SetBool, "dens3r/pause", SetBool.Request(data=False))


def test_a_map_is_saved_and_loaded_or_the_reason_is_given(
    tracked: tuple[Peer, Stream], tmp_path: Path
) -> None:
    peer, stream = tracked
    path = tmp_path / "office.map"
    saved = peer.call(SaveMap, "dens3r/save_map", SaveMap.Request(path=str(path)))
    assert saved.success and saved.keyframes > 0 and saved.bytes == path.stat().st_size
    loaded = peer.call(LoadMap, "dens3r/load_map", LoadMap.Request(path=str(path)))
    assert loaded.success and loaded.keyframes == saved.keyframes
    stream.send(6)
    status = stream.status()
    assert status.epoch == loaded.epoch and status.tracking == stream.TRACKING
    missing = peer.call(LoadMap, "dens3r/load_map", LoadMap.Request(path=f"{path}2"))
    assert not missing.success and f"{path}2" in missing.message
    unwritable = peer.call(SaveMap, "dens3r/save_map", SaveMap.Request(path="/proc/office.map"))
    assert not unwritable.success and "/proc" in unwritable.message


def test_a_bag_that_begins_again_is_a_new_epoch(tracked: tuple[Peer, Stream]) -> None:
    _, stream = tracked
    epoch = stream.status().epoch
    stream.stamp -= 50 * 10**9
    stream.send(6)
    status = stream.status()
    assert status.epoch > epoch and status.tracking == stream.TRACKING


def test_another_image_size_is_survived(tracked: tuple[Peer, Stream]) -> None:
    _, stream = tracked
    stream.send(6, height=192, width=256)
    status = stream.status()
    stream.send(1)
    assert status.tracking == stream.TRACKING and "fault" not in status.dropped_reasons


def test_a_second_camera_on_the_same_topic_is_left_out(tracked: tuple[Peer, Stream]) -> None:
    peer, stream = tracked
    peer.received["dens3r/depth/image"].clear()
    for frame_id in ("/camera_optical", "other_optical"):
        stream.send(2, make=lambda step, stamp, f=frame_id: image(step, stamp, f))
    status = stream.status()
    assert dict(zip(status.dropped_reasons, status.dropped_counts, strict=True))["other_frame"] == 2
    seen = peer.received["dens3r/depth/image"]
    assert {m.header.frame_id for m in seen} == {"camera_optical"}


def test_images_without_a_frame_or_from_the_future_are_counted(
    tracked: tuple[Peer, Stream],
) -> None:
    peer, stream = tracked
    ahead = time.time_ns() + 3600 * 10**9
    for stamp, frame_id in ((ahead, "camera_optical"), (stream.stamp, "")):
        peer.publish("image", image(0, stamp, frame_id))
        peer.spin(0.2)
    status = stream.status()
    dropped = dict(zip(status.dropped_reasons, status.dropped_counts, strict=True))
    assert dropped["future_stamp"] == 1 and dropped["no_frame_id"] == 1
    stream.send(2)
    assert stream.status().images_processed == status.images_processed + 2


def test_a_hundred_resets_leave_it_able_to_track(tracked: tuple[Peer, Stream]) -> None:
    peer, stream = tracked
    for _ in range(100):
        assert peer.call(Trigger, "dens3r/reset", Trigger.Request()).success
    stream.send(4)
    assert stream.status().tracking == stream.TRACKING


def test_a_dead_camera_is_told_and_comes_back(tracked: tuple[Peer, Stream]) -> None:
    peer, stream = tracked
    seen = peer.received["dens3r/status"]
    seen.clear()
    assert peer.until(lambda: seen and seen[-1].stalled_topics == ["/image"])
    stream.send(8)
    seen.clear()
    stream.send(8)
    assert peer.until(lambda: seen and not seen[-1].stalled_topics)


def test_parameters_change_live_or_say_why_not(tracked: tuple[Peer, Stream]) -> None:
    peer, stream = tracked
    assert _set(peer, "output.min_confidence", 900.0).successful
    peer.received["dens3r/depth/image"].clear()
    stream.send(3)
    assert np.isnan(values(peer.received["dens3r/depth/image"][-1])).all()
    assert _set(peer, "output.min_confidence", 1.5).successful
    refused = _set(peer, "output.min_confidence", 0.5)
    assert not refused.successful
    locked = _set(peer, "output.path_poses", 100)
    assert not locked.successful and "clean up" in locked.reason


def test_every_encoding_gives_the_colours_of_rgb8(tracked: tuple[Peer, Stream]) -> None:
    peer, stream = tracked
    rgb = smooth_rgb(240, 320)
    peer.received["dens3r/points"].clear()
    names = {}
    for encoding in ENCODINGS:
        names[stream.stamp] = encoding
        stream.send(1, make=lambda _, stamp, e=encoding: stamped(encoded(rgb, e), stamp))
    clouds = peer.received["dens3r/points"]
    assert peer.until(lambda: len(clouds) >= len(names), 20)
    assert {stamp_of(cloud) for cloud in clouds} == set(names)
    for cloud in clouds:
        encoding = names[stamp_of(cloud)]
        seen = np.frombuffer(cloud.data, np.uint8).reshape(240, 320, -1)[2:-2, 2:-2, 14:11:-1]
        wanted = rgb[2:-2, 2:-2].astype(int)
        if encoding.startswith("mono"):
            wanted = (wanted @ [0.299, 0.587, 0.114])[..., None]
        allowed = 0.01 if encoding in ("rgb8", "bgr8", "rgba8", "bgra8") else 10
        assert np.abs(seen - wanted).max() <= allowed, encoding


def test_a_stuck_reader_holds_up_nobody(tracked: tuple[Peer, Stream]) -> None:
    peer, stream = tracked
    context = rclpy.Context()
    rclpy.init(context=context)
    stuck = rclpy.create_node("stuck", context=context)
    stuck.create_subscription(PointCloud2, "dens3r/points", lambda _: None, 5)
    before = stream.status().images_processed
    assert peer.until(lambda: peer.node.count_subscribers("/dens3r/points") == 2)
    peer.received["dens3r/points"].clear()
    first = len(stream.sent)
    stream.send(30)
    assert stream.status().images_processed == before + 30
    clouds = peer.received["dens3r/points"]
    assert peer.until(lambda: len(clouds) >= 30, 10)
    assert [stamp_of(cloud) for cloud in clouds] == stream.sent[first:]
    stuck.destroy_node()
    rclpy.shutdown(context=context)


def _set(peer: Peer, name: str, value: float | int) -> Any:
    wrapped = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=float(value))
    if isinstance(value, int):
        wrapped = ParameterValue(type=ParameterType.PARAMETER_INTEGER, integer_value=value)
    request = SetParameters.Request(parameters=[Parameter(name=name, value=wrapped)])
    return peer.call(SetParameters, "dens3r/set_parameters", request).results[0]
