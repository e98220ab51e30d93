# SPDX-License-Identifier: Apache-2.0
"""If these fail, saving or loading a map stops a robot's eyes, or a request ends the node."""

from __future__ import annotations

import os
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("dens3r_ros.msg", reason="needs the built interfaces")
from dens3r_ros.msg import Status
from dens3r_ros.srv import LoadMap, Localize, SaveMap
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from peer import EVERY_FRAME, NODE, WALL, Peer, Stream, image, info
from rcl_interfaces.srv import GetParameters
from std_srvs.srv import SetBool, Trigger

SMALL = {"height": 48, "width": 64}


@pytest.fixture
def maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the node keeps maps that are not named otherwise."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "dens3r" / "maps"


def begun(start: Any, peer: Peer, *arguments: str) -> Stream:
    start(NODE, *EVERY_FRAME, *arguments)
    stream = Stream(peer)
    stream.send(4, **SMALL)  # the first may be lost while camera and node find each other
    assert peer.until(lambda: stream.status().tracking == stream.TRACKING)
    return stream


def at_30_hz(stream: Stream, slow: bool = False) -> None:
    """One image, and the time until the next."""
    message = image(len(stream.sent) % 50, stream.stamp, **SMALL)
    if slow:
        for channel, value in enumerate((255, 0, 255)):
            message.data[channel] = value
    stream.peer.publish("camera_info", info(stream.stamp))
    stream.peer.publish("image", message)
    stream.sent.append(stream.stamp)
    stream.stamp += 33_000_000
    stream.peer.spin(0.033)


def asked(peer: Peer, kind: Any, name: str, **fields: Any) -> Any:
    """The answer to a request, as it will be."""
    client = peer.node.create_client(kind, f"dens3r/{name}")
    assert peer.until(client.service_is_ready)
    return client.call_async(kind.Request(**fields))


def test_images_status_and_parameters_go_on_while_services_wait(
    start: Any, peer: Peer, maps: Path
) -> None:
    """Each service waits for the end of an image that the engine takes three seconds for."""
    stream = begun(start, peer, "-p", "engine.name:=stumbling:sluggish")
    told: list[float] = []
    before = stream.status().images_received - len(stream.sent)
    peer.node.create_subscription(Status, "dens3r/status", lambda _: told.append(time.time()), 10)
    for name, kind, fields in (
        ("save_map", SaveMap, {"path": "office.map"}),
        ("load_map", LoadMap, {"path": "office.map"}),
        ("reset", Trigger, {}),
    ):
        at_30_hz(stream, slow=True)
        peer.spin(0.5)
        began = time.time()
        answer = asked(peer, kind, name, **fields)
        parameters = asked(peer, GetParameters, "get_parameters", names=["output.map_rate"])
        while not answer.done() and time.time() < began + 60:
            assert parameters.done() or time.time() < began + 1.5
            at_30_hz(stream)
        assert answer.result().success, answer.result().message
        times = [began, *(t for t in told if t > began), time.time()]
        assert max(b - a for a, b in pairwise(times)) < 2.2, name
    assert (maps / "office.map").is_file()
    status = stream.status()
    assert status.images_received == before + len(stream.sent)
    assert status.images_received == status.images_processed + status.images_dropped
    assert set(status.dropped_reasons) <= {"reset", "waiting_for_camera_info"}


def test_a_pipe_in_place_of_a_map_is_refused_at_once(start: Any, peer: Peer, maps: Path) -> None:
    stream = begun(start, peer, *WALL)
    maps.mkdir(parents=True)
    os.mkfifo(maps / "pipe")
    for kind, name in ((LoadMap, "load_map"), (SaveMap, "save_map")):
        began = time.time()
        answer = asked(peer, kind, name, path="pipe")
        assert peer.until(answer.done, 10)
        assert time.time() - began < 5
        assert not answer.result().success and "no regular file" in answer.result().message
    before = stream.status().images_processed
    stream.send(2, **SMALL)
    assert stream.status().images_processed == before + 2
    assert (maps / "pipe").is_fifo()


def test_every_request_is_answered_with_success_or_a_reason(
    start: Any, peer: Peer, maps: Path, tmp_path: Path
) -> None:
    begun(start, peer, *WALL)
    text = tmp_path / "notes.txt"
    text.write_text("mine")
    maps.mkdir(parents=True)
    (maps / "notes.txt").write_text("mine")
    odd = ["~nobody/x", "", "/dev/null", "/proc/self/mem", "../x", str(text), "notes.txt"]
    odd += ["x" * 5000, "a/" * 1500, "a/" * 3000, ".", "/", "~", "/dev/zero", "notes.txt/x"]
    for path in odd:
        for kind, name in ((LoadMap, "load_map"), (SaveMap, "save_map")):
            answer = peer.call(kind, f"dens3r/{name}", kind.Request(path=path))
            assert not answer.success and answer.message, (name, path)
    assert text.read_text() == (maps / "notes.txt").read_text() == "mine"
    saved = peer.call(SaveMap, "dens3r/save_map", SaveMap.Request(path="site/office.map"))
    assert saved.success and saved.bytes == (maps / "site" / "office.map").stat().st_size
    peer.call(Trigger, "dens3r/reset", Trigger.Request())
    emptied = peer.call(SaveMap, "dens3r/save_map", SaveMap.Request(path="site/office.map"))
    assert not emptied.success and "empty" in emptied.message
    loaded = peer.call(LoadMap, "dens3r/load_map", LoadMap.Request(path="site/office.map"))
    assert loaded.success and loaded.keyframes == saved.keyframes > 0


def test_before_it_is_configured_services_say_so(start: Any, peer: Peer) -> None:
    start(NODE, *WALL, "-p", "autostart:=false")
    requests = [
        (Trigger, "reset", Trigger.Request()),
        (SetBool, "pause", SetBool.Request(data=True)),
        (SaveMap, "save_map", SaveMap.Request(path="a")),
        (LoadMap, "load_map", LoadMap.Request(path="a")),
        (Localize, "localize", Localize.Request()),
    ]
    for kind, name, request in requests:
        answer = peer.call(kind, f"dens3r/{name}", request)
        assert not answer.success and "configure" in answer.message


def test_what_waits_when_the_node_is_cleaned_up_is_answered(
    start: Any, peer: Peer, maps: Path
) -> None:
    stream = begun(start, peer, "-p", "engine.name:=stumbling:sluggish")
    at_30_hz(stream, slow=True)
    peer.spin(0.3)
    answer = asked(peer, SaveMap, "save_map", path="office.map")
    peer.spin(0.3)
    for number in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP):
        request = ChangeState.Request(transition=Transition(id=number))
        assert peer.call(ChangeState, "dens3r/change_state", request).success
    assert peer.until(answer.done, 10)
    assert not answer.result().success and "stopped before" in answer.result().message
