# SPDX-License-Identifier: Apache-2.0
"""Whether lengths are metres, what is missing where they are not, and what is held back then."""

from __future__ import annotations

from rclpy.impl.rcutils_logger import RcutilsLogger

from dens3r_ros.engines.protocol import EngineInfo
from dens3r_ros.mapping.update import Update
from dens3r_ros.nodes.inputs.metric_scale import MetricScale


class Metres:
    """Says once, in the log, that lengths are not metres; again only after they have been."""

    def __init__(self, logger: RcutilsLogger, engine: EngineInfo, scale: MetricScale) -> None:
        self._logger, self._engine, self._scale = logger, engine, scale
        self._told: str | None = None
        self._epoch = -1
        self.since: int | None = None
        """Stamp (ns) of the first frame of this epoch whose lengths are metres."""

    def note(self, update: Update, required: bool) -> bool:
        """Take in a frame; whether what has a length may be published of it."""
        if not update.metric:
            self.since = None
        elif self.since is None or update.epoch != self._epoch:
            self.since = update.stamp
        self._epoch = update.epoch
        told = None if update.metric else self.lack(required)
        beginning = told is not None and self._told is None and update.T_map_camera is not None
        if beginning:
            self._logger.warning(f"{told}: {self.missing()}")
        if beginning or update.metric:
            self._told = told
        return update.metric or not required

    @staticmethod
    def lack(required: bool) -> str:
        """What it means for those who listen that lengths are not metres."""
        if required:
            return "points, depth, poses, TF and map are held back until lengths are metres"
        return "lengths are not metres but in a unit of the map's own"

    def missing(self) -> str:
        """What would make them metres."""
        if self._scale.active:
            return self._scale.progress()
        if self._engine.metric:
            return "mapping.scale is free, which lets the engine's metres drift"
        return (
            f"engine {self._engine.name} does not know them; set input.scale_from to auto, imu, "
            "odometry, tf or height, or take a model that does (dens3r models list)"
        )
