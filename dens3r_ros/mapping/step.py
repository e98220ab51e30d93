# SPDX-License-Identifier: Apache-2.0
"""What one step finds, and what is kept of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dens3r_ros.engines.protocol import Features
from dens3r_ros.frame import Frame
from dens3r_ros.mapping.odometry import in_map
from dens3r_ros.mapping.stopwatch import Stopwatch
from dens3r_ros.mapping.stream import Stream
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.observation import Observation
from dens3r_ros.mapping.tracking.tracker import Track, View
from dens3r_ros.mapping.update import TimedPose, Tracking


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


@dataclass(eq=False)
class Step:
    """What one step has found so far."""

    frame: Frame
    features: Features
    stream: Stream
    watch: Stopwatch
    view: View
    owner: bool
    """Whether its camera owns `odom`."""
    state: Tracking = Tracking.LOST
    reason: str = ""
    seen: Observation | None = None
    found: Track | None = None
    """None also where the frame began the map and was tracked against nothing."""
    held: bool = False
    """Whether tracking knows its place already, so that it is not lost if nothing more is found."""
    keyframe_made: bool = False
    number: int = -1
    """Among all frames that have a place, once it has one."""

    def is_source_of(self, keyframe: Keyframe) -> bool:
        """Whether the keyframe was made of its frame."""
        own = (self.frame.stamp, self.frame.camera)
        return own == (keyframe.stamp, keyframe.camera_name)

    def made_keyframe(self, keyframe_id: int) -> None:
        """The frame is a keyframe now."""
        self.keyframe_made = True
        self.stream.move_to(keyframe_id, np.eye(4))

    def saw(self, seen: Observation, found: Track | None) -> None:
        """The frame has a place."""
        self.state, self.seen, self.found = Tracking.TRACKING, seen, found
