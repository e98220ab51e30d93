# SPDX-License-Identifier: Apache-2.0
"""TF of all cameras, except where another node has a say in it already."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from rclpy.node import Node

from dens3r_ros.mapping.update import Update
from dens3r_ros.nodes.messages.tf_tree import OthersTree, Sent
from dens3r_ros.nodes.messages.transforms import TransformPublisher, transform_at
from dens3r_ros.nodes.outputs.tf_conflicts import obstacle, owned, rivalry
from dens3r_ros.nodes.settings.config import FrameParameters

Lookup = Callable[[str, str, int], np.ndarray]
"""(parent, child, stamp in nanoseconds) to T_parent_child."""


class TransformOutputs:
    """Publishes `map` to `odom` to the body, and the cameras that TF does not place."""

    def __init__(self, node: Node, frames: FrameParameters, lookup: Lookup | None) -> None:
        self._frames, self._lookup = frames, lookup
        self._body = frames.base
        self._began: float | None = None
        self._placed: dict[str, tuple[str, bytes]] = {}
        sent = Sent()
        self._moving = TransformPublisher(node, sent)
        self._fixed = TransformPublisher(node, sent, fixed=True)
        self._tree = OthersTree(node, sent)
        self._tree.watch(filter(None, (frames.map, frames.odom, frames.base)))

    def complaint(self) -> str | None:
        """What is wrong between the node's transforms and another's, and what to do."""
        if not self._body:
            return None
        return self._obstacle() or rivalry(self._frames, self._body, self._tree)

    def publish(
        self, update: Update, body: str, T_odom_body: np.ndarray, tolerance_s: float
    ) -> None:
        """Publish where the body is at the frame's stamp, unless another node does.

        `map` to `odom` is sent for that stamp too, so that both together are the pose of the frame,
        and dated ahead for whoever cannot wait for the next one.
        """
        self._body = body
        self._tree.watch([body])
        if self._obstacle() is not None:
            return
        frames, stamp = self._frames, update.stamp
        T_map_odom, transforms = update.T_map_odom, []
        if frames.tf_mode == "odom_and_map":
            transforms.append(transform_at(stamp, frames.odom, body, T_odom_body))
        elif self._lookup is not None:
            T_foreign = self._lookup(frames.odom, body, stamp)
            T_map_odom = T_map_odom @ T_odom_body @ np.linalg.inv(T_foreign)
        for at in dict.fromkeys((stamp, stamp + int(tolerance_s * 1e9))):
            transforms.append(transform_at(at, frames.map, frames.odom, T_map_odom))
        self._began = self._began or time.monotonic()
        self._moving.publish(transforms)

    def place(self, first_frame: str, camera_frame: str, T_first_camera: np.ndarray) -> None:
        """Publish, once, where a further camera sits beside the first one by the parameters."""
        where = first_frame, T_first_camera.tobytes()
        if self._taken(camera_frame) or self._placed.get(camera_frame) == where:
            return
        self._placed[camera_frame] = where
        self._fixed.publish([transform_at(0, first_frame, camera_frame, T_first_camera)])

    def follow(self, update: Update, camera_frame: str) -> None:
        """Publish where a further camera is that was placed by what it sees alone."""
        if update.T_odom_camera is None or update.T_map_camera is None:
            return
        if self._taken(camera_frame) or self._obstacle() is not None:
            return
        parent, T = self._frames.odom, update.T_odom_camera
        if self._frames.tf_mode == "map_to_odom":
            parent, T = self._frames.map, update.T_map_camera
        self._moving.publish([transform_at(update.stamp, parent, camera_frame, T)])

    def destroy(self) -> None:
        """Withdraw from TF."""
        for part in (self._moving, self._fixed, self._tree):
            part.destroy()

    def _obstacle(self) -> str | None:
        return obstacle(self._frames, self._body, self._tree, self._began)

    def _taken(self, camera_frame: str) -> bool:
        """Whether the camera's frame has a parent by another node, or is one of the node's own."""
        own = {child for _, child in owned(self._frames, self._body)}
        self._tree.watch([camera_frame])
        return camera_frame in own or self._tree.link(camera_frame) is not None
