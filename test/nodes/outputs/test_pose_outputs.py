# SPDX-License-Identifier: Apache-2.0
"""If these fail, a listener to TF gets the place of another moment, or a controller a speed that no
camera has."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("tf2_msgs.msg", reason="tf2_msgs is not there")
import rclpy
from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.msg import Odometry
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from tf2_msgs.msg import TFMessage
from updates import tracked

from dens3r_ros.mapping.update import Update
from dens3r_ros.nodes.messages.poses import UNKNOWN_VARIANCE
from dens3r_ros.nodes.outputs.pose_outputs import PoseOutputs
from dens3r_ros.nodes.settings.config import FrameParameters

TENTH = 100_000_000
"""Nanoseconds."""


def at(x: float, y: float = 0.0) -> np.ndarray:
    T = np.eye(4)
    T[:2, 3] = x, y
    return T


def update(stamp: int, T_odom_camera: np.ndarray, T_map_odom: np.ndarray) -> Update:
    return tracked(T_map_odom @ T_odom_camera, T_map_odom, stamp=stamp, metric=True)


class Wire:
    """Outputs and a listener, two nodes with DDS between them."""

    def __init__(self, frames: FrameParameters) -> None:
        self.context = Context()
        rclpy.init(context=self.context, domain_id=1 + os.getpid() % 100)
        node = rclpy.create_node("outputs", context=self.context)
        listener = rclpy.create_node("listener", context=self.context)
        self._nodes = node, listener
        self._executor = SingleThreadedExecutor(context=self.context)
        for one in self._nodes:
            self._executor.add_node(one)
        self.outputs = PoseOutputs(node, frames, None)
        self.add: dict[str, list[Any]] = {}
        kinds = {"/tf": TFMessage, "/outputs/odometry": Odometry}
        kinds["/outputs/pose"] = PoseWithCovarianceStamped
        for topic, kind in kinds.items():
            self.add[topic] = []
            listener.create_subscription(kind, topic, self.add[topic].append, 50)
            self.until(lambda topic=topic: node.count_subscribers(topic) >= 1)
        self._settle()

    def publish(self, updates: list[Update], tolerance: float = 0.25) -> None:
        for one in updates:
            self.outputs.publish(one, "optical", np.eye(4), tolerance)
        self.until(lambda: len(self.add["/outputs/odometry"]) >= len(updates))
        self._settle()

    def until(self, done: Callable[[], bool], seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < end, "nothing came"
            self._executor.spin_once(timeout_sec=0.02)

    def _settle(self) -> None:
        for _ in range(25):
            self._executor.spin_once(timeout_sec=0.02)

    def transforms(self) -> list[Any]:
        return [t for message in self.add["/tf"] for t in message.transforms]

    def close(self) -> None:
        self.outputs.destroy()
        self._executor.shutdown()
        for node in self._nodes:
            node.destroy_node()
        rclpy.shutdown(context=self.context)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    made = Wire(FrameParameters())
    yield made
    made.close()


def stamp_of(message: Any) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def test_a_correction_of_the_map_counts_from_its_own_frame_on(wire: Wire) -> None:
    """`map` moves with every frame, and three frames lie within the time it is dated ahead."""
    frames = [update(n * TENTH, at(0.1 * n), at(0.0, 0.5 * n)) for n in range(1, 8)]
    wire.publish(frames)
    said: dict[tuple[str, int], Any] = {}
    for t in wire.transforms():
        said[t.child_frame_id, stamp_of(t)] = t.transform.translation
    for pose in wire.add["/outputs/pose"]:
        p = pose.pose.pose.position
        odom, camera = (said[child, stamp_of(pose)] for child in ("odom", "optical"))
        assert (odom.x + camera.x, odom.y + camera.y) == pytest.approx((p.x, p.y), abs=1e-6)
    newest = {child: max(s for c, s in said if c == child) for child in ("odom", "optical")}
    assert newest == {"odom": 7 * TENTH + 250_000_000, "optical": 7 * TENTH}


def test_speeds_are_those_of_a_camera(wire: Wire) -> None:
    """Two frames a nanosecond apart tell no speed, nor does a motion that nobody saw."""
    stamps = [TENTH, 2 * TENTH, 2 * TENTH + 1, 3 * TENTH, 4 * TENTH]
    frames = [update(s, at(s * 1e-9 + 1e-3 * (n == 2)), at(0.0)) for n, s in enumerate(stamps)]
    frames[-1] = replace(frames[-1], motion_seen=False)
    wire.publish(frames)
    twists = [m.twist for m in wire.add["/outputs/odometry"]]
    speeds = [t.twist.linear.x for t in twists]
    assert speeds == pytest.approx([0.0, 1.0, 0.0, 1.0, 1.0], abs=0.02)
    unknown = [t.covariance[0] == UNKNOWN_VARIANCE for t in twists]
    assert unknown == [True, False, True, False, True]


def test_a_further_camera_that_found_its_own_place_is_in_the_tree(wire: Wire) -> None:
    first, other = update(TENTH, at(0.1), at(5.0)), update(TENTH + 7, at(0.3), at(5.0))
    wire.publish([first])
    wire.outputs.transforms.follow(other, "rear_optical")
    wire.outputs.transforms.follow(first, "optical")
    wire.until(lambda: any(t.child_frame_id == "rear_optical" for t in wire.transforms()))
    (rear,) = [t for t in wire.transforms() if t.child_frame_id == "rear_optical"]
    assert rear.header.frame_id == "odom" and stamp_of(rear) == TENTH + 7
    assert rear.transform.translation.x == pytest.approx(0.3)
    assert sum(t.child_frame_id == "optical" for t in wire.transforms()) == 1
