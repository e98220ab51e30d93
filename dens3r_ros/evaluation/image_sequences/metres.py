# SPDX-License-Identifier: Apache-2.0
"""What makes a sequence's lengths metres, as in the node: its inertial sensor, or the height at
which its camera is carried."""

from __future__ import annotations

import numpy as np

from dens3r_ros.evaluation.metrics.trajectory import TrajectoryErrors, compare
from dens3r_ros.imu import ImuRecording
from dens3r_ros.mapping.inertial.recorded import RecordedInertial
from dens3r_ros.mapping.metric.height import HeightScale
from dens3r_ros.mapping.update import Update
from dens3r_ros.sources.source import Source


class MetricScores:
    """Learns from a run, frame by frame, what a length unit of `odom` is.

    Readings are handed over as they would come, up to the frame that is looked at; the offset of
    their stamps is found out. With `camera_height` (metres) the floor tells instead.
    """

    def __init__(self, source: Source, camera_height: float = 0.0) -> None:
        recording: ImuRecording | None = getattr(source, "imu", None)
        self._recording = None if camera_height else recording
        self._height = camera_height
        self._by_height = HeightScale()
        self._fed = None if self._recording is None else RecordedInertial(self._recording)
        self.inertial = None if self._fed is None else self._fed.inertial
        self._began: int | None = None
        self._known_after: float | None = None
        self._last: Update | None = None

    @property
    def source(self) -> str:
        """ "imu", "height", or nothing."""
        return "imu" if self.inertial is not None else "height" if self._height else ""

    def before(self, stamp: int) -> None:
        """A frame comes that was taken at a stamp in nanoseconds."""
        self._began = stamp if self._began is None else self._began
        if self._fed is not None:
            self._fed.before(stamp)

    def after(self, update: Update) -> None:
        """What the mapper said of it."""
        self._last = update
        known = self.inertial is not None and self.inertial.learn(update)
        if self._height:
            known = self._by_height.add(update, self._height)
        if known and self._began is not None and self._known_after is None:
            self._known_after = (update.stamp - self._began) * 1e-9

    def figures(
        self, stamps: np.ndarray, found: np.ndarray, wanted: np.ndarray, free: TrajectoryErrors
    ) -> dict[str, object]:
        """What was learned, and the error in metres with it; nothing where nothing was asked."""
        if not self.source:
            return {}
        scale = self._scale()
        figures: dict[str, object] = {"scale_source": self.source if scale else "none"}
        if scale is None:
            return figures | {"scale_missing": self._missing()}
        metric = found.copy()
        metric[:, :3, 3] *= scale
        figures["ate_se3_m"] = compare(stamps, metric, wanted).ate_se3_m
        figures["scale"] = free.scale / scale
        figures["scale_error"] = abs(free.scale / scale - 1)
        told = self._by_height if self.inertial is None else self.inertial
        figures["scale_sigma"] = told.sigma
        figures["scale_known_after_s"] = self._known_after
        if self.inertial is not None and self.inertial.up_map is not None:
            up = free.S_world_map[:3, :3] @ self.inertial.up_map
            figures["gravity_deg"] = float(np.degrees(np.arccos(up[2] / np.linalg.norm(up))))
            figures["level_deg"] = _level(found, wanted, self.inertial.up_map)
        return figures

    def _scale(self) -> float | None:
        """Metres of one unit of `map`."""
        of_odom = self._by_height.scale
        if self.inertial is not None:
            of_odom = self.inertial.scale
        return None if of_odom is None or self._last is None else of_odom * self._last.scale

    def _missing(self) -> str:
        if self.inertial is not None:
            return self.inertial.progress()
        return self._by_height.progress()


def _level(found: np.ndarray, wanted: np.ndarray, up_map: np.ndarray) -> float:
    """Degrees, a mean over frames (N, 4, 4): how far off what is up is for a camera with a place in
    the map. The path's own error does not tilt it, unlike that of the whole map's gravity."""
    here, there = found[:, :3, :3].transpose(0, 2, 1) @ up_map, wanted[:, 2, :3]
    cosine = (here * there).sum(1) / np.linalg.norm(here, axis=1)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean())
