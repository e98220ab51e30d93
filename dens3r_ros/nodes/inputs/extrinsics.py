# SPDX-License-Identifier: Apache-2.0
"""Where cameras sit on the robot: from parameters, else from TF, never guessed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rclpy.node import Node

from dens3r_ros.nodes.messages.poses import matrix_from_seven
from dens3r_ros.nodes.messages.transforms import TransformLookup, TransformUnknown
from dens3r_ros.nodes.settings.config import NodeConfig


@dataclass(frozen=True, eq=False)
class Mounting:
    """Where a further camera sits: T_first_camera (4, 4), `beside` being the first one's frame."""

    beside: str
    T_first_camera: np.ndarray


class Extrinsics:
    """Answers from the parameters where they speak; TF is only listened to where it is needed."""

    def __init__(self, node: Node, config: NodeConfig) -> None:
        self._frames = config.frames
        self._given = config.frames.base_from_camera
        self._cameras = config.input.cameras
        self._first_frame = ""
        self.of_others = _given_others(config)
        self._by_parameters = frozenset(self.of_others)
        needs_base = bool(self._frames.base) and len(self._given) != 7
        foreign_odometry = self._frames.tf_mode == "map_to_odom"
        others = len(self.of_others) < len(self._cameras) - 1
        scale_from, imu_placed = config.input.scale_from, len(config.imu.camera_from_imu) == 7
        asked = needs_base or foreign_odometry or others or scale_from == "tf"
        asked |= scale_from == "imu" and not imu_placed
        self._tf = TransformLookup(node) if asked else None
        if self._tf is None and scale_from == "auto" and not imu_placed:
            self._tf = _where_installed(node)

    def base_from_camera(self, camera_frame: str, stamp: int) -> np.ndarray:
        """(4, 4) T_base_camera; the identity only where the camera itself is the base."""
        if not self._frames.base or self._frames.base == camera_frame:
            return np.eye(4)
        if self._tf is None:
            return matrix_from_seven(self._given)
        return self._tf.matrix(self._frames.base, camera_frame, stamp)

    def given(self, camera: str) -> Mounting | None:
        """How a further camera is mounted, where the parameters say so and the first one is known;
        TF does not know of it."""
        if camera not in self._by_parameters or not self._first_frame:
            return None
        return Mounting(self._first_frame, self.of_others[camera])

    def place(self, camera: str, camera_frame: str, stamp: int) -> None:
        """Look a further camera up beside the first one, where the parameters do not place it."""
        if camera == self._cameras[0]:
            self._first_frame = camera_frame
        elif camera not in self.of_others and self._first_frame:
            if camera_frame == self._first_frame:
                raise TransformUnknown(f"it has the frame of the first one, '{camera_frame}'")
            self.of_others[camera] = self.lookup(self._first_frame, camera_frame, stamp)

    def lookup(self, parent: str, child: str, stamp: int) -> np.ndarray:
        """(4, 4) T_parent_child as TF has it."""
        if self._tf is None:
            raise TransformUnknown(f"TF is not listened to, which may place '{child}'")
        return self._tf.matrix(parent, child, stamp)


def _where_installed(node: Node) -> TransformLookup | None:
    try:
        return TransformLookup(node)
    except TransformUnknown:
        return None


def _given_others(config: NodeConfig) -> dict[str, np.ndarray]:
    """T_first_other of each further camera; empty where the parameters do not say."""
    numbers = config.input.extrinsics
    if len(numbers) == 1:
        return {}
    others = config.input.cameras[1:]
    return {name: matrix_from_seven(numbers[7 * i : 7 * i + 7]) for i, name in enumerate(others)}
