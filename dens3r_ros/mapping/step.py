# SPDX-License-Identifier: Apache-2.0
"""What one step finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dens3r_ros.engines.protocol import Engine, Features
from dens3r_ros.frame import Frame
from dens3r_ros.mapping.config import TrackingConfig
from dens3r_ros.mapping.graph.graph import PoseGraph
from dens3r_ros.mapping.motion.weights import much_moves
from dens3r_ros.mapping.stopwatch import Stopwatch
from dens3r_ros.mapping.streams.stream import Stream
from dens3r_ros.mapping.tracking.cameras import at_input
from dens3r_ros.mapping.tracking.foreseeing import Foreseen, foreseen
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.leading import led
from dens3r_ros.mapping.tracking.observation import Observation
from dens3r_ros.mapping.tracking.track import Track
from dens3r_ros.mapping.tracking.tracker import View
from dens3r_ros.mapping.update import Tracking

_SURPRISING = 0.1
"""Share of the points followed from the image before that may stray where nothing moves."""


@dataclass(frozen=True, eq=False)
class Companion:
    """A keyframe that was looked at together with a frame and the frame's own keyframe, what was
    seen of it and the frame, and where the frame lies against it once that is known."""

    keyframe: Keyframe
    seen: Observation
    found: Track | None = None


@dataclass(frozen=True, eq=False)
class ByTracking:
    """What tracking knows of a frame that sees little of its keyframe: how sure its place is,
    covariance (6, 6), and another frame, taken shortly before from where parallax shows depth, with
    its T_keyframe_frame."""

    covariance: np.ndarray
    elsewhere: Frame
    T_keyframe_elsewhere: np.ndarray


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
    by_tracking: ByTracking | None = None
    begin_with: Frame | None = None
    """An earlier frame to which it shows parallax: a map could begin with the two."""
    leaving: bool = False
    """Whether its camera would be tracked better against another keyframe."""
    motion: np.ndarray | None = None
    """(h, w) float32 what moves in it, 0 to 1; None where that is not told."""
    keyframe_made: bool = False
    foreseen: np.ndarray | None = None
    """T_keyframe_frame (4, 4) by the image before, where something may move and it is known."""
    number: int = -1
    """Among all frames that have a place, once it has one."""

    def __post_init__(self) -> None:
        """Let the engine know what moves in the frame, as far as that is known."""
        self.features = replace(self.features, moving=self.view.motion)

    def is_source_of(self, keyframe: Keyframe) -> bool:
        """Whether the keyframe was made of its frame."""
        own = (self.frame.stamp, self.frame.camera)
        return own == (keyframe.stamp, keyframe.camera_name)

    def learns_from(self, keyframe: Keyframe, engine: Engine) -> bool:
        """Whether the pair may tell of a lens that the engine would like to know."""
        own = keyframe.camera_name == self.frame.camera
        return own and engine.info.guided and self.frame.intrinsics is None

    def made_keyframe(self, keyframe_id: int) -> None:
        """The frame is a keyframe now."""
        self.keyframe_made = True
        self.stream.move_to(keyframe_id, np.eye(4))

    def find_motion(self, keyframe: Keyframe, found: Track, graph: PoseGraph) -> None:
        """Tell what moves in a frame that was placed against a keyframe, unless that is known."""
        if self.motion is None and self.stream.watch is not None and self.view.texture is not None:
            T, look = found.T_keyframe_frame, self.stream.watch.look
            with self.watch.stage("motion"):
                base, grey = keyframe.base(), self.view.texture.grey
                seen = (grey, self.view.camera, base, T, self.frame.stamp)
                self.motion = look(*seen, graph.between)
                behind = self.stream.watch.behind(base)
                if behind is not None:
                    keyframe.moves(behind)
        if self.motion is not None:
            self.view = replace(self.view, motion=self.motion)
            self.features = replace(self.features, moving=self.motion)

    def _foresee(self, keyframe: Keyframe, config: TrackingConfig) -> Foreseen | None:
        """Where the frame is by what the one before it shows, where things may move and nobody
        knows it yet."""
        stream, size = self.stream, self.features.placement.size
        watch, before = stream.watch, stream.before
        if watch is None or before is None or self.held or stream.lost:
            return None
        place = before, stream.T_keyframe_frame, self.view
        return foreseen(keyframe, *place, config, lambda pixels: watch.followed(pixels, size))

    def lead_to(
        self, keyframe: Keyframe, config: TrackingConfig, T_keyframe_frame: np.ndarray | None = None
    ) -> None:
        """Let the engine begin to look for a keyframe where the frame is, or its camera is thought
        to be; where much may move, looks alone mislead."""
        stream, size = self.stream, self.features.placement.size
        place = (self.features, keyframe, self.view.camera)
        much = much_moves(self.view.motion, keyframe.motion)
        if T_keyframe_frame is not None:
            self.features = led(*place, T_keyframe_frame, sure=True) if much else self.features
            return
        known = self._foresee(keyframe, config)
        if known is not None and (much or known.astray > _SURPRISING):
            self.foreseen = known.T_keyframe_frame
            self.features = led(*place, known.T_keyframe_frame, sure=True)
        elif not much:
            return
        elif self.held or stream.watch is None:
            self.features = led(*place, stream.T_keyframe_frame)
        else:
            watch = stream.watch
            self.features = led(
                *place, stream.T_keyframe_frame, lambda pixels: watch.followed(pixels, size)
            )

    def saw(self, seen: Observation, found: Track | None) -> None:
        """The frame has a place."""
        self.state, self.seen, self.found = Tracking.TRACKING, seen, found
        self.stream.before = self.view
        self.stream.intrinsics = at_input(self.view.camera, self.features.placement)
