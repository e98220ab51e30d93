# SPDX-License-Identifier: Apache-2.0
"""The contract every engine keeps: encode a frame once, decode pairs of encodings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.network.prediction import PairPrediction


@dataclass(frozen=True)
class EngineInfo:
    """What an engine is and gives."""

    name: str
    model: str
    model_hash: str
    patch: int
    image_size: int
    """Long side, in pixels, at which the engine works best; 0 where it takes any size as given."""
    metric: bool
    monocular: bool
    """Whether decoding the pair (a, a) gives depth."""
    normals: bool
    descriptors: bool
    device: str
    guided: bool = False
    """Whether it sees better where frames bring intrinsics."""
    deferred: bool = False
    """Whether the maps of each view cost extra, and so are better asked for only when needed, one
    view at a time, after the correspondences."""
    scale_error: float = 0.0
    """Standard deviation of the logarithm of the scale of one image's depth, where lengths are
    metres and each image errs for itself; 0 where all pairs share one unit."""


@dataclass(frozen=True)
class Placement:
    """Where the pixels that an engine works on lie in the frame's image.

    The image is turned by 90 degrees counter-clockwise `quarter_turns` times, resized to
    `resized` (height, width) and cut to `size` (height, width) at (`left`, `top`).
    """

    original: tuple[int, int]
    resized: tuple[int, int]
    left: int
    top: int
    size: tuple[int, int]
    quarter_turns: int = 0


@dataclass(frozen=True, eq=False)
class Features:
    """An encoded frame: dear to make, kept while its keyframe is in the window."""

    frame: Frame
    placement: Placement
    intrinsics: Intrinsics | None
    """At the engine's resolution, if the frame's are known."""
    data: Any
    """What only the engine itself reads."""


@dataclass(frozen=True)
class Outputs:
    """Which maps are wanted, and of which views: each is "", "a", "b" or "ab"."""

    points: str = "ab"
    normals: str = "ab"
    descriptors: str = "ab"


@runtime_checkable
class Engine(Protocol):
    """Turns frames into features, and pairs of features into geometry."""

    info: EngineInfo

    def encode(self, frames: Sequence[Frame]) -> list[Features]:
        """Encode each frame, once."""
        ...

    def decode(
        self, pairs: Sequence[tuple[Features, Features]], outputs: Outputs
    ) -> PairPrediction:
        """Predict every pair (a, b), in the batch order given; all pairs have equal sizes."""
        ...
