# SPDX-License-Identifier: Apache-2.0
"""What can be set of the mapper, nested by concern, with every range and unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np

from dens3r_ros.mapping.motion.config import MotionConfig


@dataclass(frozen=True)
class TrackingConfig:
    """How the pose of a frame is found against its keyframe."""

    stride: int = 8
    """Pixels between the samples of the pose solve, both ways; 1 to 16."""
    match_iterations: int = 6
    """Levenberg-Marquardt steps of the projective matching; 1 to 20."""
    refine: bool = True
    """Sharpen matches on the images themselves, where the engine knows no correspondences."""
    pose_iterations: int = 15
    """Most steps of the pose solve; 1 to 50."""
    huber: float = 1.345
    """Whitened residual from which on a match counts less; 0.5 to 10."""
    sigma_pixels: float = 1.0
    """Expected error of a match in pixels; 0.1 to 10."""
    sigma_depth: float = 0.03
    """Expected relative error of a point's depth; 0 to 0.5."""
    engine_error: tuple[float, float] = (0.006, 0.003)
    """Pose error of an engine's pair that no number of pixels averages out, standard deviation
    a component: a share of the scene's depth, 0 to 0.5, and radians, 0 to 0.5."""
    image_error: tuple[float, float] = (0.004, 0.002)
    """The same for points followed on the images."""
    min_confidence: float = 1.5
    """Confidence (1 is none) below which a pixel is not used; 1 to 100."""
    seed: int = 0
    """Of the random samples from which a pose without a start is found; from 0."""
    lost_fraction: float = 0.05
    """Share of matched keyframe pixels below which a frame is lost; 0 to 1."""
    lost_inliers: float = 0.25
    """Share of matches that agree with the pose below which a frame is lost; 0 to 1."""


@dataclass(frozen=True)
class DecodingConfig:
    """Which frames are decoded, and when what that brings is taken over; all others are tracked on
    the images alone."""

    every: int = 1
    """At most one frame in so many, where it tells something, so that runs repeat; 1 decodes
    every frame before its answer; 0 as many as the machine can; 0 to 1000."""
    lag: int = 3
    """Frames after which a decoding is taken over, which waits for it; 1 to 1000. Not where `every`
    is 0: then it is taken over when it is there."""


@dataclass(frozen=True)
class FusionConfig:
    """How the predictions of many pairs become one pointmap of a keyframe."""

    mode: Literal["weighted", "latest"] = "weighted"
    """Confidence-weighted mean of all predictions, straightened by what frames saw of it, or only
    the latest prediction as it is."""
    max_weight: float = 1000.0
    """Accumulated confidence at which old predictions begin to fade; 1 to 1e6."""


@dataclass(frozen=True)
class KeyframeConfig:
    """When a frame becomes a keyframe."""

    min_matched: float = 0.5
    """Share of the keyframe's pixels still seen, below which a new keyframe is made; 0 to 1."""
    reuse_overlap: float = 0.7
    """Share of view in common with an older keyframe that is taken up again instead; 0 to 1."""
    max_rotation_deg: float = 25.0
    """Rotation from the keyframe, in degrees, that makes a new one; 1 to 90."""
    min_parallax: float = 0.02
    """Median parallax in radians with which an engine that needs parallax starts; 0 to 0.5."""


@dataclass(frozen=True)
class WindowConfig:
    """Keyframes whose features and dense maps are live."""

    keyframes: int = 12
    """At most this many; bounds memory; 3 to 200."""
    views: int = 2
    """Keyframes that are looked at together with a frame and its own keyframe, where the engine
    takes so many views; with 0 it sees pairs; 0 to 30."""


@dataclass(frozen=True)
class GraphConfig:
    """Edges between keyframes, and their solve in a child process."""

    neighbours: int = 4
    """Window keyframes, the predecessor among them, that a new keyframe is linked to both ways;
    with 0 its tracking alone ties it; 0 to 10. The node asks for 3: each costs two decodings."""
    min_overlap: float = 0.15
    """Share of pixels matched both ways for an edge; 0 to 1."""
    apply_after: int = 2
    """Frames between asking for a solve and applying its result; 1 to 100."""
    child_process: bool = True
    """Solve beside the tracker; off solves at once, in this process, with equal results."""


@dataclass(frozen=True)
class LoopConfig:
    """Places seen before."""

    enabled: bool = True
    interval: int = 1
    """One in so many keyframes looks for loops; 1 to 100."""
    candidates: int = 5
    """Most similar keyframes that are looked at; 1 to 20."""
    enough: int = 2
    """Loops of one keyframe after which no more candidates are looked at; 1 to 20."""
    tried_when_lost: int = 5
    """Most keyframes among which a lost frame is looked for; 1 to 20."""
    min_gap: int = 10
    """Keyframes between a keyframe and its earliest possible loop partner; 2 to 1000."""
    min_overlap: float = 0.2
    """Share of pixels matched in the worse direction for a loop; 0 to 1."""
    min_inliers: float = 0.6
    """Share of matches that agree with the loop's pose; 0 to 1."""
    max_contradiction: float = 5.0
    """Distance from the graph, in standard deviations, at which a loop is refused; 1 to 100."""


@dataclass(frozen=True)
class ArchiveConfig:
    """What is kept of keyframes that left the window."""

    keyframes: int = 2000
    """At most this many; redundant ones merge beyond; 10 to 100000."""
    jpeg_quality: int = 90
    """Of the archived image; 30 to 100."""


@dataclass(frozen=True)
class LevellingConfig:
    """How `map` and `odom` become z-up."""

    level: Literal["base", "floor", "camera"] = "floor"
    """By the base frame's transform, by the dominant floor, or assuming an upright camera."""
    T_base_camera: tuple[tuple[float, ...], ...] | None = None
    """(4, 4) rows: the owning camera's optical frame in the z-up base frame; for `base`."""


@dataclass(frozen=True)
class CamerasConfig:
    """Which camera owns `odom`, and where the others sit beside it."""

    odometry: str | None = None
    """Name of the camera that owns `odom`; None takes the first one seen."""
    extrinsics: Mapping[str, np.ndarray] = field(default_factory=lambda: MappingProxyType({}))
    """(4, 4) metric SE(3) per other camera: T_owner_camera, its optical frame in the owner's."""


@dataclass(frozen=True)
class MapperConfig:
    """The whole configuration of a `Mapper`."""

    scale: Literal["auto", "metric", "free"] = "auto"
    """SE(3) graph, Sim(3) graph, or as the engine's nature asks."""
    calibrated: bool = True
    """Use intrinsics where the frame has them; off estimates the focal length always."""
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    decoding: DecodingConfig = field(default_factory=DecodingConfig)
    fusion: FusionConfig = field(default_factory=FusionConfig)
    keyframes: KeyframeConfig = field(default_factory=KeyframeConfig)
    window: WindowConfig = field(default_factory=WindowConfig)
    graph: GraphConfig = field(default_factory=GraphConfig)
    loops: LoopConfig = field(default_factory=LoopConfig)
    archive: ArchiveConfig = field(default_factory=ArchiveConfig)
    levelling: LevellingConfig = field(default_factory=LevellingConfig)
    cameras: CamerasConfig = field(default_factory=CamerasConfig)
    motion: MotionConfig = field(default_factory=MotionConfig)
