# SPDX-License-Identifier: Apache-2.0
"""If these fail, a lifecycle manager finds the node dead while it loads, or alive when off."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("dens3r_ros.msg", reason="needs the built interfaces")
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from nav_msgs.msg import Odometry
from peer import EVERY_FRAME, LATCHED, NODE, WALL, K, Peer, Stream, image, info
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import GetParameters, SetParameters
from sensor_msgs.msg import CameraInfo, Image

SLOW_TO_LOAD = ("-p", "engine.name:=stumbling:slow_to_load", "-p", "autostart:=false")


def changed(peer: Peer, transition: int) -> Any:
    client = peer.node.create_client(ChangeState, "dens3r/change_state")
    assert peer.until(client.service_is_ready)
    return client.call_async(ChangeState.Request(transition=Transition(id=transition)))


def state(peer: Peer) -> str:
    return peer.call(GetState, "dens3r/get_state", GetState.Request()).current_state.label


def test_while_the_engine_loads_everything_else_is_answered(start: Any, peer: Peer) -> None:
    start(NODE, *SLOW_TO_LOAD)
    assert state(peer) == "unconfigured"
    configured = changed(peer, Transition.TRANSITION_CONFIGURE)
    names = GetParameters.Request(names=["engine.name"])
    answers = 0
    while not configured.done():
        began = time.monotonic()
        peer.call(GetParameters, "dens3r/get_parameters", names)
        assert time.monotonic() - began < 2.0
        answers += 1
        peer.spin(0.1)
    assert answers > 5
    assert configured.result().success and state(peer) == "inactive"


def test_what_is_being_loaded_cannot_be_changed_meanwhile(start: Any, peer: Peer) -> None:
    start(NODE, *SLOW_TO_LOAD)
    configured = changed(peer, Transition.TRANSITION_CONFIGURE)
    peer.spin(1.0)
    value = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value="geometric")
    request = SetParameters.Request(parameters=[Parameter(name="engine.name", value=value)])
    result = peer.call(SetParameters, "dens3r/set_parameters", request).results[0]
    assert not configured.done()
    assert not result.successful and "clean up" in result.reason
    assert peer.until(configured.done) and configured.result().success


def test_an_engine_that_cannot_be_loaded_fails_the_transition_and_another_may_be_tried(
    start: Any, peer: Peer
) -> None:
    node = start(NODE, "-p", "engine.name:=stumbling:not_loadable", "-p", "autostart:=false")
    configured = changed(peer, Transition.TRANSITION_CONFIGURE)
    assert peer.until(configured.done) and not configured.result().success
    assert "no such thing" in node.text() and state(peer) == "unconfigured"
    value = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=WALL[1][13:])
    request = SetParameters.Request(parameters=[Parameter(name="engine.name", value=value)])
    assert peer.call(SetParameters, "dens3r/set_parameters", request).results[0].successful
    again = changed(peer, Transition.TRANSITION_CONFIGURE)
    assert peer.until(again.done) and again.result().success


def test_nothing_comes_out_after_deactivate(start: Any, peer: Peer) -> None:
    start(NODE, *EVERY_FRAME, "-p", "engine.name:=stumbling:sluggish")
    for kind, topic in ((Image, "dens3r/depth/image"), (Odometry, "dens3r/odometry")):
        peer.listen(kind, topic)
    stream = Stream(peer)
    stream.send(4, height=48, width=64)
    outputs = [peer.received[topic] for topic in ("dens3r/depth/image", "dens3r/odometry")]
    assert peer.until(lambda: all(outputs))

    def magenta(step: int, stamp: int) -> Image:
        message = image(step, stamp, height=48, width=64)
        message.data[0], message.data[1], message.data[2] = 255, 0, 255
        return message

    stream.send(1, make=magenta)
    off = changed(peer, Transition.TRANSITION_DEACTIVATE)
    assert peer.until(off.done, 2.0) and off.result().success
    peer.spin(0.3)
    sent = [len(one) for one in outputs]
    peer.spin(4.0)
    assert [len(one) for one in outputs] == sent
    on = changed(peer, Transition.TRANSITION_ACTIVATE)
    assert peer.until(on.done) and on.result().success
    stream.send(4, height=48, width=64)
    assert peer.until(lambda: all(len(o) > n for o, n in zip(outputs, sent, strict=True)))


@pytest.mark.parametrize("first", ["camera", "node"])
def test_calibration_that_is_published_once_and_latched_is_heard(
    start: Any, peer: Peer, first: str
) -> None:
    latched = None
    if first == "camera":
        latched = peer.node.create_publisher(CameraInfo, "camera_info", LATCHED)
        latched.publish(info(10**9))
    start(NODE, *WALL, *EVERY_FRAME)
    peer.listen(CameraInfo, "dens3r/depth/camera_info")
    stream = Stream(peer)
    assert peer.until(lambda: peer.received["dens3r/status"])
    if latched is None:
        latched = peer.node.create_publisher(CameraInfo, "camera_info", LATCHED)
        latched.publish(info(10**9))
    for step in range(20):
        peer.publish("image", image(step, stream.stamp))
        stream.stamp += 100_000_000
        peer.spin(0.15)
    status = stream.status()
    assert not status.focal_length_estimated
    assert status.focal_length == pytest.approx(K[0])


def test_a_solver_that_is_killed_costs_neither_map_nor_images(start: Any, peer: Peer) -> None:
    node = start(NODE, *EVERY_FRAME, "-p", "engine.name:=sliding_wall:engine")
    stream = Stream(peer)
    stream.send(12)
    before = stream.status()
    for pid in _solvers(node.popen.pid):
        os.kill(pid, signal.SIGKILL)
    stream.send(40)
    after = stream.status()
    assert after.tracking == stream.TRACKING and after.epoch == before.epoch
    assert after.images_processed == before.images_processed + 40
    assert after.keyframes_in_window + after.keyframes_in_archive > before.keyframes_in_window
    assert node.text().count("it is started again") == 1
    assert _solvers(node.popen.pid)


def _solvers(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    children = [c for t in tasks for c in (t / "children").read_text().split()]
    return [int(c) for c in children if "spawn_main" in Path(f"/proc/{c}/cmdline").read_text()]
