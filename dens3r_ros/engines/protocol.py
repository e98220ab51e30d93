# SPDX-License-Identifier: Apache-2.0
"""The contract every engine keeps: encode a frame once, decode pairs of encodings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.network.prediction import PairPrediction


class EngineAway(RuntimeError):
    """An engine that runs elsewhere does not answer for now; the same may be asked again later."""


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
    precision: str = "fp32"
    """Number type of most of its work."""
    views: int = 2
    """Views that it can look at together; more than two make it a `WindowEngine`."""
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
class Lead:
    """Where pixels `there` (N, 2) of another frame are expected to lie in this one, `here` (N, 2),
    at the engine's resolution: where to begin to look, and nothing to be believed. T_there_here
    (4, 4), where it is known, takes points that stand still from this camera to that one, in any
    unit: what contradicts it by far is taken to move by itself."""

    other: Frame
    there: np.ndarray
    here: np.ndarray
    T_there_here: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Features:
    """An encoded frame: dear to make, kept while its keyframe is in the window."""

    frame: Frame
    placement: Placement
    intrinsics: Intrinsics | None
    """At the engine's resolution, if the frame's are known."""
    data: Any
    """What only the engine itself reads."""
    moving: np.ndarray | None = None
    """(h, w) float32 how probably each pixel shows something that moves by itself, where somebody
    knows; engines that find poses leave that out of them."""
    lead: Lead | None = None
    """What somebody expects of a pair (this, other)."""


@dataclass(frozen=True)
class Outputs:
    """Which maps are wanted, and of which views: each is "", "a", "b" or "ab"."""

    points: str = "ab"
    normals: str = "ab"
    descriptors: str = "ab"
    views: int = 0
    """Of a window: how many views, from the first on, are to be told of, 0 for all; the others are
    only looked at."""

    def told(self, views: int) -> int:
        """Of how many views of a window that has so many is to be told."""
        return min(self.views, views) or views


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


@runtime_checkable
class WarmingEngine(Engine, Protocol):
    """An engine whose first frame takes longer than those after it, unless it was warmed up."""

    def warm_up(self) -> None:
        """Run once on a blank frame."""
        ...


@runtime_checkable
class HurriedEngine(Engine, Protocol):
    """An engine that can tell roughly what it would tell exactly in more time."""

    hurried: bool
    """Whether it should now."""


@runtime_checkable
class DistantEngine(Engine, Protocol):
    """An engine that runs elsewhere, and may be away: its calls then raise `EngineAway`."""

    @property
    def trouble(self) -> str:
        """Why it does not answer, in a sentence; empty while it does."""
        ...

    def figures(self) -> dict[str, str]:
        """What a person would like to know of the connection, by name."""
        ...


@runtime_checkable
class RememberingEngine(Engine, Protocol):
    """An engine that remembers the frames that it encodes, each as the next of its camera's."""

    def forget(self) -> None:
        """What comes has nothing to do with what came."""
        ...

    def encode_aside(self, frames: Sequence[Frame]) -> list[Features]:
        """Encode frames that are no camera's next ones, and remember nothing of them."""
        ...


def encode_aside(engine: Engine, frames: Sequence[Frame]) -> list[Features]:
    """Encode frames out of the order in which they were taken."""
    if isinstance(engine, RememberingEngine):
        return engine.encode_aside(frames)
    return engine.encode(frames)


@runtime_checkable
class LeavingOut(Engine, Protocol):
    """An engine that was told what moves in its frames."""

    def left_out(self, features: Features) -> np.ndarray | None:
        """(H, W) bool of a frame's upright pixels: what it leaves out because it moves; None of a
        frame that it was told nothing of."""
        ...


@runtime_checkable
class MotionTellingEngine(Engine, Protocol):
    """An engine whose network tells by itself what moves."""

    def moving(self, a: Features, b: Features) -> np.ndarray:
        """(H, W) float32 of a, from 0 (still) to 1 (moves), seen beside b."""
        ...


@dataclass(frozen=True, eq=False)
class ViewPrediction:
    """One view of a window.

    points          (H, W, 3) float32 in the view's own optical frame, in the window's unit; metres
                    where the engine is metric
    confidence      (H, W) float32, 1 (none) to infinity
    normals         (H, W, 3) float32 unit vectors in the view's own frame, where there are any
    T_first_view    (4, 4) float64: takes points in this view to the first one, in the window's unit
    intrinsics      at the engine's resolution: the frame's own, else as the engine sees them
    """

    points: Tensor
    confidence: Tensor
    normals: Tensor | None
    T_first_view: np.ndarray
    intrinsics: Intrinsics


@dataclass(frozen=True, eq=False)
class WindowPrediction:
    """Views that were looked at together, in one unit, in the order in which they were given; the
    first ones of them, where no more were asked for."""

    views: tuple[ViewPrediction, ...]


@runtime_checkable
class WindowEngine(Engine, Protocol):
    """An engine that compares more than two views at a time."""

    def decode_window(self, features: Sequence[Features], outputs: Outputs) -> WindowPrediction:
        """Predict up to `info.views` views together; all have equal sizes."""
        ...
