# SPDX-License-Identifier: Apache-2.0
"""Hears when poses arrive, what the node says of itself, and where the camera truly was."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from nav_msgs.msg import Odometry, Path
from rclpy.node import Node

from dens3r_ros.nodes.demo.alignment import aligned_error, path_length
from dens3r_ros.nodes.demo.observer import nanoseconds, poses_of, true_poses
from dens3r_ros.nodes.messages import interfaces
from dens3r_ros.nodes.messages.qos import LATCHED, POSES_OUT, TRANSFORMS_OUT


class Watcher(Node):
    """Notes every odometry's stamp and arrival, the latest status, and true poses."""

    def __init__(self) -> None:
        super().__init__("bench_watcher")
        self.arrivals: list[tuple[int, int]] = []
        self.status: Any = None
        self.truth: dict[int, np.ndarray] = {}
        """T_world_camera by stamp in nanoseconds."""
        self._path: Path | None = None
        self.create_subscription(Odometry, "dens3r/odometry", self._on_odometry, POSES_OUT)
        kind = interfaces.messages.Status
        self.create_subscription(kind, "dens3r/status", self._on_status, POSES_OUT)
        if interfaces.tf2_messages is not None:
            kind = interfaces.tf2_messages.TFMessage
            self.create_subscription(kind, "/tf", self._on_transforms, TRANSFORMS_OUT)

    def ask_for_path(self) -> None:
        """Have the node publish it, which costs it something."""
        self.create_subscription(Path, "dens3r/path", self._on_path, LATCHED)

    @property
    def path(self) -> dict[int, np.ndarray]:
        """(4, 4) poses in the map by stamp, as the node knows them now."""
        return {} if self._path is None else poses_of(self._path)

    def _on_odometry(self, message: Odometry) -> None:
        self.arrivals.append((nanoseconds(message.header.stamp), time.time_ns()))

    def _on_path(self, message: Path) -> None:
        self._path = message

    def _on_status(self, status: Any) -> None:
        self.status = status

    def _on_transforms(self, message: Any) -> None:
        self.truth |= true_poses(message)


def accuracy(poses: dict[int, np.ndarray], truth: dict[int, np.ndarray]) -> dict[str, Any]:
    """Positions in the map against the true ones, by stamp; empty where no truth is known."""
    if not truth:
        return {}
    return {
        "images_in_the_path": len(poses),
        "path_m": path_length(truth),
        "ate_sim3_m": aligned_error(poses, truth),
    }
