# SPDX-License-Identifier: Apache-2.0
"""If these fail, a phone that asks a robot where a photo was taken stops its eyes, changes its map,
or is told a wrong place."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("dens3r_ros.msg", reason="needs the built interfaces")
from dens3r_ros.srv import LoadMap, Localize, SaveMap
from peer import EVERY_FRAME, NODE, Peer, Stream, compressed, image, info
from rcl_interfaces.srv import GetParameters
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_srvs.srv import Trigger

GEOMETRY = ("-p", "engine.name:=geometric", "-p", "engine.max_side:=320")


def asked(peer: Peer, **fields: Any) -> Any:
    """The answer of a node that is configured: its services are there a moment before it is."""
    for _ in range(100):
        answer = peer.call(Localize, "dens3r/localize", Localize.Request(**fields))
        if "not configured" not in answer.message:
            break
        time.sleep(0.2)
    return answer


@pytest.fixture
def maps(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def test_a_photo_is_placed_in_the_live_map_and_changes_nothing(
    start: Any, peer: Peer, maps: None
) -> None:
    """Raw, compressed, with and without a calibration, and again in the map that was loaded."""
    start(NODE, *EVERY_FRAME, *GEOMETRY)
    stream = Stream(peer)
    empty = asked(peer, image=image(3, 1))
    assert not empty.success and "empty" in empty.message
    stream.send(14)
    assert peer.until(lambda: stream.status().tracking == stream.TRACKING)
    stream.send(4)
    before = stream.status()
    step = 6
    raw = asked(peer, image=image(step, 7 * 10**9), camera_info=info(1))
    assert raw.success, raw.message
    assert raw.lens == "given" and raw.same_piece and not raw.metric and len(raw.keyframes)
    assert raw.pose.header.frame_id == "map" and raw.pose.header.stamp.sec == 7
    assert 0 < raw.matched <= 1 and 0 < raw.inliers <= 1
    covariance = np.array(raw.pose.pose.covariance).reshape(6, 6)
    assert np.all(np.linalg.eigvalsh(covariance) > 0)
    small = asked(peer, compressed=compressed(step, 8 * 10**9))
    assert small.success and small.lens == "map"

    def place(answer: Any) -> np.ndarray:
        position = answer.pose.pose.pose.position
        return np.array([position.x, position.y, position.z])

    sigma = np.sqrt(np.trace(covariance[:3, :3]))
    assert np.linalg.norm(place(small) - place(raw)) < 6 * sigma + 0.02
    after = stream.status()
    assert (after.images_received, after.images_processed) == (
        before.images_received,
        before.images_processed,
    )
    assert (after.keyframes_in_window, after.keyframes_in_archive, after.epoch) == (
        before.keyframes_in_window,
        before.keyframes_in_archive,
        before.epoch,
    )
    saved = peer.call(SaveMap, "dens3r/save_map", SaveMap.Request(path="room.map"))
    assert saved.success, saved.message
    peer.call(Trigger, "dens3r/reset", Trigger.Request())
    assert not asked(peer, image=image(step, 1)).success
    loaded = peer.call(LoadMap, "dens3r/load_map", LoadMap.Request(path="room.map"))
    again = asked(peer, image=image(step, 9 * 10**9), camera_info=info(1))
    assert again.success and again.epoch == loaded.epoch and not again.same_piece
    assert np.linalg.norm(place(again) - place(raw)) < 6 * sigma + 0.02


def test_what_is_no_photo_is_a_sentence(start: Any, peer: Peer) -> None:
    start(NODE, *EVERY_FRAME, *GEOMETRY)
    stream = Stream(peer)
    stream.send(8)
    broken = info(1)
    broken.k = [float("nan")] * 9
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "holds no photo"),
        ({"compressed": CompressedImage(format="jpeg", data=b"no picture")}, "cannot be read"),
        ({"image": Image(encoding="odd", width=9, height=9, data=b"x" * 243)}, "'odd'"),
        ({"image": image(2, 1), "camera_info": broken}, "not finite"),
        (
            {"image": image(2, 1), "camera_info": CameraInfo(width=100, height=7, k=info(1).k)},
            "calibrated for 100x7",
        ),
        ({"image": image(2, 1, height=40, width=40)}, "too few"),
    ]
    for fields, told in cases:
        answer = asked(peer, **fields)
        assert not answer.success and told in answer.message, answer.message


def test_images_and_parameters_go_on_while_a_photo_is_looked_for(start: Any, peer: Peer) -> None:
    """The engine takes three seconds for the photo."""
    start(NODE, "-p", "engine.name:=stumbling:sluggish")
    stream = Stream(peer)
    stream.send(6)
    assert peer.until(lambda: stream.status().tracking == stream.TRACKING)
    photo = image(3, 1)
    for channel, value in enumerate((255, 0, 255)):
        photo.data[channel] = value
    client = peer.node.create_client(Localize, "dens3r/localize")
    assert peer.until(client.service_is_ready)
    before = stream.status().images_received
    began = time.monotonic()
    answer = client.call_async(Localize.Request(image=photo, camera_info=info(1)))
    stream.send(3)
    parameters = peer.node.create_client(GetParameters, "dens3r/get_parameters")
    assert peer.until(parameters.service_is_ready)
    names = parameters.call_async(GetParameters.Request(names=["output.map_rate"]))
    assert peer.until(names.done, 2.0) and not answer.done()
    assert peer.until(answer.done, 30) and time.monotonic() - began > 2.5
    assert stream.status().images_received == before + 3
