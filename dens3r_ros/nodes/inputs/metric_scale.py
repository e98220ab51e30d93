# SPDX-License-Identifier: Apache-2.0
"""Makes the mapper's lengths metres once one of the robot's sources has shown how long they are."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rclpy.node import Node

from dens3r_ros.mapping.inertial.inertial import Inertial
from dens3r_ros.mapping.metric.height import HeightScale
from dens3r_ros.mapping.metric.level import LEVEL, GroundLevel, level_of
from dens3r_ros.mapping.update import Update
from dens3r_ros.nodes.inputs.extrinsics import Extrinsics
from dens3r_ros.nodes.inputs.imu import ImuInput
from dens3r_ros.nodes.inputs.robot_motion import RobotMotion
from dens3r_ros.nodes.inputs.scale import ScaleEstimator, in_metres
from dens3r_ros.nodes.messages.transforms import TransformUnknown
from dens3r_ros.nodes.settings.config import NodeConfig

WAIT_S = 20.0
"""Seconds for which `auto` waits for a better source that is there but not sure yet."""


@dataclass(frozen=True, eq=False)
class Held:
    """A scale that is believed: what it is from, metres of the mapper's unit, the standard
    deviation of the logarithm of that, and what makes z point up with it; revision: how often the
    inertial sensor's had been told."""

    source: str
    metres: float
    sigma: float
    level: GroundLevel = LEVEL
    revision: int = 0


class MetricScale:
    """Learns from every frame of the camera that owns odom; changes nothing until it is sure, then
    holds what it found for as long as the mapper's epoch lasts.

    Each scale that is found begins an epoch of the node's, beside those of the mapper.
    """

    def __init__(self, node: Node, config: NodeConfig, extrinsics: Extrinsics) -> None:
        self._logger = node.get_logger()
        self._config, self._extrinsics = config, extrinsics
        self._chosen = config.input.scale_from
        self.active = self._chosen != "none"
        self._motion = RobotMotion(node, config, extrinsics)
        self._by_motion, self._by_height = ScaleEstimator(), HeightScale()
        self._imu = ImuInput(node, config, extrinsics) if self._uses("imu") else None
        self.camera_height: float | None = config.input.camera_height or None
        """Metres of the camera above the floor, where that is known."""
        self.held: Held | None = None
        self.epochs = 0
        self._epoch = -1
        self._ready: int | None = None
        """Stamp since when a source of `auto` has been sure."""
        self._found: set[int] = set()
        """Epochs of the node's that a found scale began."""

    @property
    def gyroscope(self) -> Inertial | None:
        """What tells how the camera turned."""
        return None if self._imu is None else self._imu.inertial

    @property
    def factor(self) -> float:
        """Metres of the mapper's length unit; 1 while nothing is known of it."""
        return 1.0 if self.held is None else self.held.metres

    @property
    def level(self) -> GroundLevel:
        """What makes z of the mapper's frames point up."""
        return LEVEL if self.held is None else self.held.level

    def learn(self, update: Update, frame_id: str) -> None:
        """Take in a frame, not yet scaled, of the camera with this frame."""
        self._find_height(frame_id, update.stamp)
        if not self.active:
            return
        if update.epoch != self._epoch:
            self._epoch, self.held, self._ready = update.epoch, None, None
        self._show(update, frame_id)
        held = self.held
        self.held = self._bettered(held) if held else self._choice(update.stamp)
        if held is not None and self.held is not None and self.held.metres == held.metres:
            self.held = replace(self.held, level=held.level)  # Only how surely it is known.
        elif self.held is not None and self.held is not held:
            self.epochs += 1
            self._found.add(update.epoch + self.epochs)
            self._logger.info(
                f"lengths are metres{', known better,' if held else ''} from here on "
                f"({self.progress()}; standard deviation {self.held.sigma:.1%})"
            )

    def _bettered(self, held: Held) -> Held:
        """What is held, or what the inertial sensor has learned since."""
        inertial = self.gyroscope
        if held.source != "imu" or inertial is None or inertial.revision == held.revision:
            return held
        return self._by_imu(inertial) or held

    def began_epoch(self, epoch: int) -> str:
        """Why, if the scale began this epoch of the node's, else nothing."""
        return "lengths are metres from here on" if epoch in self._found else ""

    def applied(self, update: Update) -> Update:
        """The update as it is published."""
        if self.held is None:
            return replace(update, epoch=update.epoch + self.epochs)
        held = self.held
        levelled = held.level.applied(update)
        return in_metres(levelled, held.metres, self.epochs, held.sigma)

    def progress(self) -> str:
        """One sentence on how far the scale is known, and what hinders a source."""
        if self.held is not None:
            told = f"from {self.held.source}: {self.held.metres:.4g} m for a unit of the mapper's"
            fault = self._imu.inertial.fault if self._imu is not None else ""
            return f"{told}; imu: {fault}" if fault else f"{told} odom"
        said = {
            "imu": self._imu.inertial.progress if self._imu is not None else None,
            "odometry": lambda: self._motion.progress(self._by_motion),
            "tf": lambda: self._motion.progress(self._by_motion),
            "height": self._by_height.progress,
        }
        here = [name for name in said if name == self._chosen or name in self._present()]
        told = "; ".join(sentence() for name in here if (sentence := said[name]) is not None)
        return told or "waiting for any of imu, odometry and input.camera_height"

    def destroy(self) -> None:
        """Stop listening."""
        self._motion.destroy()
        if self._imu is not None:
            self._imu.destroy()

    def _uses(self, source: str) -> bool:
        return self._chosen in (source, "auto")

    def _find_height(self, frame_id: str, stamp: int) -> None:
        """How high the camera is mounted, where frames.base tells it."""
        if self.camera_height is None and self._config.frames.base:
            try:
                T = self._extrinsics.base_from_camera(frame_id, stamp)
            except TransformUnknown:
                return  # Who publishes poses says so.
            self.camera_height = float(T[2, 3]) if T[2, 3] > 0 else None

    def _show(self, update: Update, frame_id: str) -> None:
        """Let every source take the frame in."""
        if self._imu is not None:
            self._imu.mount(frame_id, update.stamp)
            self._imu.inertial.learn(update)
        if self.held is not None:
            return
        if self._chosen in ("odometry", "tf", "auto"):
            self._by_motion.add(update, self._motion.of_camera(frame_id))
        if self._uses("height") and self.camera_height is not None:
            self._by_height.add(update, self.camera_height)

    def _present(self) -> list[str]:
        """Sources of `auto` that there are, the best first."""
        if self._chosen != "auto":
            return []
        imu = self._imu is not None and self._imu.inertial.present
        there = (imu and not self._imu_fails(), self._motion.present, bool(self.camera_height))
        names = ("imu", "odometry", "height")
        return [name for name, is_there in zip(names, there, strict=True) if is_there]

    def _imu_fails(self) -> bool:
        return self._imu is not None and bool(self._imu.inertial.fault)

    def _choice(self, stamp: int) -> Held | None:
        """The scale of the best source that is sure."""
        sure = self._sure()
        if not sure:
            return None
        best = sure[0]
        if self._chosen != "auto" or self._present()[:1] == [best.source]:
            return best
        self._ready = stamp if self._ready is None else self._ready
        return best if stamp - self._ready > WAIT_S * 1e9 else None

    def _sure(self) -> list[Held]:
        """What is believed, the best source first."""
        found = []
        by_imu = None if self.gyroscope is None else self._by_imu(self.gyroscope)
        if by_imu is not None:
            found.append(by_imu)
        if self._by_motion.scale is not None:
            found.append(Held(self._motion.source, self._by_motion.scale, self._by_motion.sigma))
        if self._by_height.scale is not None:
            found.append(Held("height", self._by_height.scale, self._by_height.sigma))
        return found

    @staticmethod
    def _by_imu(inertial: Inertial) -> Held | None:
        """What the inertial sensor tells."""
        aligned = inertial.alignment
        if aligned is None:
            return None
        level = level_of(inertial.up_map, aligned.up)
        metres = inertial.scale or aligned.scale
        return Held("imu", metres, inertial.sigma, level, inertial.revision)
