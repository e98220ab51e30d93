# SPDX-License-Identifier: Apache-2.0
"""A reliable subscriber to every output of a frame, which notes what arrived, and when."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import QoSProfile

from dens3r_ros.nodes.inputs.stamps import NANOSECONDS
from dens3r_ros.nodes.outputs.camera_outputs import TOPICS
from dens3r_ros.nodes.starting.process import run_node

LISTENED = {**TOPICS, "odometry": Odometry}


class Listener(Node):
    """Keeps (stamp, time of arrival), both in nanoseconds, of each message by topic.

    A file that ends in .ready tells that every topic has been heard.
    """

    def __init__(self) -> None:
        super().__init__("bench_listener")
        self._file = Path(str(self.declare_parameter("file", "").value))
        self._ready = False
        self._arrivals: dict[str, list[tuple[int, int]]] = {topic: [] for topic in LISTENED}
        for topic, kind in LISTENED.items():
            self.create_subscription(
                kind, f"dens3r/{topic}", self._note(topic), QoSProfile(depth=10)
            )

    def close(self) -> None:
        """Leave the notes behind."""
        self._file.write_text(json.dumps(self._arrivals), encoding="utf-8")

    def _note(self, topic: str) -> Callable[[Any], None]:
        def note(message: Any) -> None:
            stamp = message.header.stamp
            self._arrivals[topic].append((stamp.sec * NANOSECONDS + stamp.nanosec, time.time_ns()))
            if not self._ready and all(self._arrivals.values()):
                self._ready = True
                self._file.with_suffix(".ready").touch()

        return note


if __name__ == "__main__":
    raise SystemExit(run_node(Listener))
