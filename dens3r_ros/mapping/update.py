# SPDX-License-Identifier: Apache-2.0
"""What the mapper says after each frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

import numpy as np

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.maps import Maps


class Tracking(Enum):
    """State of the tracker after a frame."""

    INITIALISING = "initialising"
    TRACKING = "tracking"
    LOST = "lost"
    RELOCALISING = "relocalising"


@dataclass(frozen=True)
class Counters:
    """Running totals since the mapper started or was reset."""

    frames: int = 0
    decoded: int = 0
    tracked: int = 0
    lost: int = 0
    keyframes: int = 0
    keyframes_in_window: int = 0
    keyframes_in_archive: int = 0
    pieces: int = 0
    """Of the map, that nothing ties together yet; 1 where all of it is one."""
    edges: int = 0
    loops: int = 0
    loops_refused: int = 0
    solves: int = 0


_DYNAMIC = 0.5
"""Share of the view that moves by itself from which on that is said."""


def place_reason(pieces: int, dynamic: float = 0.0) -> str:
    """What is to be said of a place in a map of so many pieces, and of the share of the view that
    moves."""
    told = []
    if dynamic > _DYNAMIC:
        told.append(f"dynamic: {dynamic:.0%} of the view moves by itself")
    if pieces > 1:
        told.append(f"in one of {pieces} pieces of the map, which nothing ties together yet")
    return "; ".join(told)


@dataclass(frozen=True, eq=False)
class Update:
    """The answer to one frame; poses are camera-to-world, (4, 4) float64, rigid.

    Poses, covariance and maps are None while the state is not TRACKING. The covariance is that of
    T_odom_camera against its keyframe, (6, 6) in the camera's frame: translation, then rotation
    (radians), as nav_msgs/Odometry orders them.
    """

    state: Tracking
    stamp: int
    camera: str
    T_odom_camera: np.ndarray | None
    T_map_camera: np.ndarray | None
    T_map_odom: np.ndarray
    covariance: np.ndarray | None
    keyframe_made: bool
    keyframe_id: int | None
    """Of the keyframe that the frame was tracked against, or that was made of it."""
    epoch: int
    scale: float
    """Length of one unit of `map` in units of `odom`; 1 unless a solve changed the scale."""
    metric: bool
    """Whether lengths are metres."""
    maps: Maps | None
    intrinsics: Intrinsics | None
    """At the input's resolution, of the camera's last frame that has a place; None before one."""
    intrinsics_estimated: bool
    matched: float
    """Share of the keyframe's pixels that the frame still sees."""
    reason: str = ""
    """Why the state is what it is, where that is not plain; with a place, whether the map around
    it is only a piece."""
    motion_seen: bool = True
    """Whether `odom` went on by what was seen of the motion since the last frame with a place, and
    not by what was expected of it."""
    timings: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds per stage."""
    computed: Mapping[str, float] = field(default_factory=dict)
    """Of these, what the stage's own thread computed."""
    counters: Counters = field(default_factory=Counters)
    levelled_by: str = ""
    """What made z of `map` point up: "base", "floor" or "camera"; empty before it is known."""
    notice: str = ""
    """What went wrong beside the frame and was mended; said once."""
    scale_sigma: float = 0.0
    """Standard deviation of the logarithm of the length unit, where lengths became metres by
    something else than the engine; every length may be wrong by it, and the covariance is
    without."""
    piece: int | None = None
    """The piece of the map that the keyframe is of, named by the oldest of its keyframes."""
    decoded: bool = True
    """Whether a decoding, of this frame or an earlier one, was taken over with it."""
    T_keyframe_camera: np.ndarray | None = None
    """The camera's place against its keyframe, in the keyframe's unit."""
    keyframe_unit: float = 1.0
    """Length of the keyframe's unit in units of `odom`."""
    dynamic: float = 0.0
    """Share of the view that moves by itself; 0 where that is not told."""

    @property
    def motion(self) -> np.ndarray | None:
        """(h, w) float32 on the pixels of `maps`: 0 stands still to 1 moves by itself; None where
        that is not told."""
        return None if self.maps is None else self.maps.motion


@dataclass(frozen=True, eq=False)
class TimedPose:
    """One frame's corrected pose in `map`."""

    stamp: int
    camera: str
    T_map_camera: np.ndarray
    keyframe_id: int
    epoch: int


@dataclass(frozen=True, eq=False)
class KeyframeView:
    """A keyframe as others may see it; arrays are not to be changed.

    `points` (h, w, 3), `confidence` (h, w) and `colours` (h, w, 3) uint8 are at the engine's
    resolution while the keyframe is in the window, at a quarter of it in the archive; points are
    in the camera's optical frame in `map`'s length unit. None of them is made before it is read.
    """

    id: int
    stamp: int
    camera: str
    T_map_camera: np.ndarray
    intrinsics: Intrinsics
    """Of the pixels of `points`."""
    in_window: bool
    loop_partners: tuple[int, ...]
    revision: int
    """Grows whenever pose or points change."""
    make: Callable[[], tuple[np.ndarray, np.ndarray, np.ndarray]]
    """Gives points, confidence and colours."""
    piece: int = 0
    """Of the map: keyframes of two pieces do not line up, however their poses look."""

    @cached_property
    def _made(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.make()

    @property
    def points(self) -> np.ndarray:
        """(h, w, 3) float32."""
        return self._made[0]

    @property
    def confidence(self) -> np.ndarray:
        """(h, w) float32, 1 (none) to infinity."""
        return self._made[1]

    @property
    def colours(self) -> np.ndarray:
        """(h, w, 3) uint8 RGB."""
        return self._made[2]
