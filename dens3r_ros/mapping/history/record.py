# SPDX-License-Identifier: Apache-2.0
"""What is kept of a frame for good: where it was, relative to its keyframe."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dens3r_ros.frame import Frame
from dens3r_ros.mapping.streams.odometry import in_map
from dens3r_ros.mapping.update import TimedPose


@dataclass(frozen=True, eq=False)
class Record:
    """A frame, kept relative to its keyframe and in that keyframe's length unit."""

    stamp: int
    camera: str
    keyframe_id: int
    T_keyframe_frame: np.ndarray
    epoch: int

    @staticmethod
    def of(frame: Frame, keyframe_id: int, T_keyframe_frame: np.ndarray, epoch: int) -> Record:
        """The record of a frame."""
        return Record(frame.stamp, frame.camera, keyframe_id, T_keyframe_frame, epoch)

    def placed(self, S_map_keyframe: np.ndarray) -> TimedPose:
        """The frame in the map, given its keyframe's pose there."""
        T_map_camera = in_map(S_map_keyframe, self.T_keyframe_frame)
        return TimedPose(self.stamp, self.camera, T_map_camera, self.keyframe_id, self.epoch)
