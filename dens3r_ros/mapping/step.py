# SPDX-License-Identifier: Apache-2.0
"""What one step finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dens3r_ros.engines.protocol import Features
from dens3r_ros.frame import Frame
from dens3r_ros.mapping.stopwatch import Stopwatch
from dens3r_ros.mapping.stream import Stream
from dens3r_ros.mapping.tracking.cameras import at_input
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.observation import Observation
from dens3r_ros.mapping.tracking.track import Track
from dens3r_ros.mapping.tracking.tracker import View
from dens3r_ros.mapping.update import Tracking


@dataclass(frozen=True, eq=False)
class Companion:
    """A keyframe that was looked at together with a frame and the frame's own keyframe, what was
    seen of it and the frame, and where the frame lies against it once that is known."""

    keyframe: Keyframe
    seen: Observation
    found: Track | None = None


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
    beside: Sequence[Companion] = ()
    held: bool = False
    """Whether tracking knows its place already, so that it is not lost if nothing more is found."""
    leaving: bool = False
    """Whether its camera would be tracked better against another keyframe."""
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
        self.stream.intrinsics = at_input(self.view.camera, self.features.placement)
