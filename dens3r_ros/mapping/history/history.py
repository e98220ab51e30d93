# SPDX-License-Identifier: Apache-2.0
"""Where the frames were: written down as they come, and bettered once more is known."""

from __future__ import annotations

import numpy as np

from dens3r_ros.mapping.history.records import Records
from dens3r_ros.mapping.history.smoothing import Trail
from dens3r_ros.mapping.step import Record, Step
from dens3r_ros.mapping.tracking.keyframe import Keyframe


class History:
    """Keeps `records`, and per camera the frames that can still be smoothed; `odom` takes no notice
    of what changes here."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._trails: dict[str, Trail] = {}

    def remember(self, step: Step, keyframe: Keyframe, epoch: int) -> None:
        """A frame that was placed against a keyframe, or is one that was tracked against nothing;
        with the first at another keyframe, those before are smoothed."""
        T = step.stream.T_keyframe_frame
        step.number = self._records.append(Record.of(step.frame, keyframe.id, T, epoch))
        trail = self._trail(step.frame.camera, keyframe.id)
        if step.found is not None:
            trail.add(step.number, step.found, keyframe.canonical.median_depth)
        if trail.full:
            self._smooth(trail)

    def became(self, step: Step, keyframe_id: int) -> None:
        """A frame that was placed is a keyframe now, and moves with it."""
        self._records.move(step.number, keyframe_id, np.eye(4))

    def finish(self) -> None:
        """Smooth all that can be."""
        for trail in self._trails.values():
            self._smooth(trail)

    def _trail(self, camera: str, keyframe_id: int) -> Trail:
        trail = self._trails.get(camera)
        if trail is None or trail.keyframe_id != keyframe_id:
            if trail is not None:
                self._smooth(trail)
            trail = self._trails[camera] = Trail(keyframe_id)
        return trail

    def _smooth(self, trail: Trail) -> None:
        for number, T_keyframe_frame in trail.smoothed():
            if self._records.keyframe_of(number) == trail.keyframe_id:
                self._records.move(number, trail.keyframe_id, T_keyframe_frame)
