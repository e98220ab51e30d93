# SPDX-License-Identifier: Apache-2.0
"""If these fail, a parameter that is called live is taken and changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("dens3r_ros.msg", reason="needs the built interfaces")
from peer import EVERY_FRAME, LATCHED, NODE, Peer, Stream, stamp_of, values
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image, PointCloud2
from tf2_msgs.msg import TFMessage

from dens3r_ros.evaluation.oracle.wall_engine import DISTANCE
from dens3r_ros.nodes.settings.config import NodeConfig, parameter_table

LIVE = {name: value for name, value, rule in parameter_table(NodeConfig()) if rule.live}
DEPTH, POINTS, MAP = "dens3r/depth/image", "dens3r/points", "dens3r/map_points"


@pytest.fixture(scope="module")
def shared(start_once: Any, shared_peer: Peer) -> Stream:
    """A node whose engine works at half the image's size and sees a wavy wall, 1.9 to 2.1 away."""
    start_once(NODE, *EVERY_FRAME, "-p", "engine.name:=stumbling:halved")
    shared_peer.listen(Image, DEPTH)
    shared_peer.listen(PointCloud2, POINTS, 50)
    shared_peer.listen(PointCloud2, MAP, LATCHED)
    shared_peer.listen(TFMessage, "/tf", 100)
    stream = Stream(shared_peer)
    stream.send(4)
    assert stream.status().tracking == stream.TRACKING
    return stream


def put(stream: Stream, name: str, value: Any) -> None:
    parameter = Parameter(name, value=value).to_parameter_msg()
    request = SetParameters.Request(parameters=[parameter])
    result = stream.peer.call(SetParameters, "dens3r/set_parameters", request).results[0]
    assert result.successful, result.reason


def next_of(stream: Stream, topic: str) -> Any:
    """The first message of an image that is sent from now on, or of the map after it."""
    seen = stream.peer.received[topic]
    seen.clear()
    stream.send(1)
    assert stream.peer.until(lambda: seen, 20), topic
    return seen[-1]


def depth(stream: Stream) -> np.ndarray:
    return values(next_of(stream, DEPTH))[..., 0]


def known(stream: Stream) -> np.ndarray:
    found = depth(stream)
    return found[np.isfinite(found)]


def of_min_confidence(stream: Stream, put: Callable[[Any], None]) -> None:
    assert len(known(stream))
    put(900.0)
    assert not len(known(stream))


def of_min_range(stream: Stream, put: Callable[[Any], None]) -> None:
    assert known(stream).min() < DISTANCE
    put(DISTANCE)
    assert known(stream).min() > DISTANCE


def of_max_range(stream: Stream, put: Callable[[Any], None]) -> None:
    assert known(stream).max() > DISTANCE
    put(DISTANCE)
    assert known(stream).max() <= DISTANCE


def of_resolution(stream: Stream, put: Callable[[Any], None]) -> None:
    assert depth(stream).shape == (120, 160)
    put("input")
    assert depth(stream).shape == (240, 320)


def of_point_normals(stream: Stream, put: Callable[[Any], None]) -> None:
    assert "normal_x" in {f.name for f in next_of(stream, POINTS).fields}
    put(False)
    assert {f.name for f in next_of(stream, POINTS).fields} == {"x", "y", "z", "rgb"}


def of_map_voxel(stream: Stream, put: Callable[[Any], None]) -> None:
    fine = next_of(stream, MAP)
    stream.peer.received[MAP].clear()
    put(0.5)
    coarse = stream.peer.received[MAP]
    assert stream.peer.until(lambda: coarse, 20)  # though no image comes
    assert coarse[-1].width < 0.5 * fine.width


def of_map_rate(stream: Stream, put: Callable[[Any], None]) -> None:
    def maps_in(seconds: float) -> int:
        seen, end = stream.peer.received[MAP], time.monotonic() + seconds
        seen.clear()
        while time.monotonic() < end:
            stream.send(1)
        return len(seen)

    put(0.05)
    assert maps_in(4.0) == 0
    put(20.0)
    assert maps_in(4.0) > 6


def of_transform_tolerance(stream: Stream, put: Callable[[Any], None]) -> None:
    def ahead() -> float:
        message = next_of(stream, "/tf")
        dated = [stamp_of(t) for t in message.transforms if t.child_frame_id == "odom"]
        return (max(dated) - stream.sent[-1]) * 1e-9

    assert ahead() == pytest.approx(0.1)
    put(0.7)
    assert ahead() == pytest.approx(0.7)


EFFECTS: dict[str, Callable[[Stream, Callable[[Any], None]], None]] = {
    "output.min_confidence": of_min_confidence,
    "output.min_range": of_min_range,
    "output.max_range": of_max_range,
    "output.resolution": of_resolution,
    "output.point_normals": of_point_normals,
    "output.map_voxel": of_map_voxel,
    "output.map_rate": of_map_rate,
    "frames.transform_tolerance": of_transform_tolerance,
}


ELSEWHERE = {"output.require_metric"}
"""Shows only where lengths are no metres: robot/test_metres.py."""


def test_every_live_parameter_is_tried_here() -> None:
    assert EFFECTS.keys() | ELSEWHERE == LIVE.keys()


@pytest.mark.parametrize("name", EFFECTS)
def test_a_change_takes_effect_at_once(shared: Stream, name: str) -> None:
    try:
        EFFECTS[name](shared, lambda value: put(shared, name, value))
    finally:
        put(shared, name, LIVE[name])
