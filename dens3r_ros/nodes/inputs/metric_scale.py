# SPDX-License-Identifier: Apache-2.0
"""Makes the mapper's lengths metres once the robot's own motion has told how long they are."""

from __future__ import annotations

from dataclasses import replace

from rclpy.node import Node

from dens3r_ros.mapping.update import Update
from dens3r_ros.nodes.inputs.extrinsics import Extrinsics
from dens3r_ros.nodes.inputs.robot_motion import RobotMotion
from dens3r_ros.nodes.inputs.scale import ScaleEstimator, in_metres
from dens3r_ros.nodes.settings.config import NodeConfig


class MetricScale:
    """Learns from every frame of the camera that owns odom; changes nothing until it is sure.

    Each scale that is found begins an epoch of the node's, beside those of the mapper.
    """

    def __init__(self, node: Node, config: NodeConfig, extrinsics: Extrinsics) -> None:
        self._logger = node.get_logger()
        self.active = config.input.scale_from != "none"
        self._motion = RobotMotion(node, config, extrinsics)
        self._estimator = ScaleEstimator()
        self.epochs = 0

    @property
    def factor(self) -> float:
        """Metres of the mapper's length unit; 1 while nothing is known of it."""
        return 1.0 if self._estimator.scale is None else self._estimator.scale

    def learn(self, update: Update, frame_id: str) -> None:
        """Take in a frame, not yet scaled, of the camera with this frame."""
        if self.active and self._estimator.add(update, self._motion.of_camera(frame_id)):
            self.epochs += 1
            self._logger.info(
                f"lengths are metres from here on ({self.progress()}; "
                f"{self._estimator.stretches} stretches, spread {self._estimator.spread:.0%})"
            )

    def applied(self, update: Update) -> Update:
        """The update as it is published."""
        if self._estimator.scale is None:
            return replace(update, epoch=update.epoch + self.epochs)
        return in_metres(update, self._estimator.scale, self.epochs)

    def progress(self) -> str:
        """One sentence on how far the scale is known."""
        return self._motion.progress(self._estimator)

    def destroy(self) -> None:
        """Stop listening."""
        self._motion.destroy()
