# SPDX-License-Identifier: Apache-2.0
"""Pair predictions as arrays on the host, one pair at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import overload

import cv2
import numpy as np
from torch import Tensor

from dens3r_ros.engines.protocol import (
    Engine,
    Features,
    Outputs,
    ViewPrediction,
    WindowEngine,
)
from dens3r_ros.network.prediction import PairPrediction


@dataclass(frozen=True, eq=False)
class ViewMaps:
    """Points (h, w, 3), confidence (h, w) of one view; normals where asked for and to be had."""

    points: np.ndarray
    confidence: np.ndarray
    normals: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Observation:
    """What the engine says of a frame (a) and a keyframe (b), all in the frame's optical frame.

    Where the engine is `deferred`, the maps of each view are made when first read; where it is
    `monocular`, it knows their depth without parallax. pixels (h, w, 2)
    where each keyframe pixel lies in the frame, with their confidence, where the engine knows, and
    whether it looks the same there.
    """

    deferred: bool
    monocular: bool
    frame_size: tuple[int, int]
    make_frame: Callable[[], ViewMaps]
    make_keyframe: Callable[[], ViewMaps]
    pixels: np.ndarray | None = None
    pixels_confidence: np.ndarray | None = None
    pixels_alike: np.ndarray | None = None
    views: int = 2
    """That were looked at together."""

    @cached_property
    def frame(self) -> ViewMaps:
        """Of the frame, normals too where asked for and to be had."""
        return self.make_frame()

    @cached_property
    def keyframe(self) -> ViewMaps:
        """Of the keyframe."""
        return self.make_keyframe()

    @property
    def frame_points(self) -> np.ndarray:
        """(h, w, 3) of the frame."""
        return self.frame.points

    @property
    def frame_confidence(self) -> np.ndarray:
        """(h, w) of the frame."""
        return self.frame.confidence

    @property
    def keyframe_points(self) -> np.ndarray:
        """(h, w, 3) of the keyframe."""
        return self.keyframe.points

    @property
    def keyframe_confidence(self) -> np.ndarray:
        """(h, w) of the keyframe."""
        return self.keyframe.confidence


def observe(
    engine: Engine, pairs: Sequence[tuple[Features, Features]], normals: bool = False
) -> list[Observation]:
    """Decode pairs (frame, keyframe); those of equal sizes go to the engine together."""
    outputs = Outputs("ab", "a" if normals and engine.info.normals else "", "")
    groups: dict[tuple[tuple[int, int], tuple[int, int]], list[int]] = {}
    for index, (a, b) in enumerate(pairs):
        groups.setdefault((a.placement.size, b.placement.size), []).append(index)
    look = _later if engine.info.deferred else _at_once
    found: dict[int, Observation] = {}
    for group in groups.values():
        seen = look(engine, [pairs[index] for index in group], outputs)
        found.update(zip(group, seen, strict=True))
    return [found[index] for index in range(len(pairs))]


def observe_together(
    engine: Engine,
    frame: Features,
    keyframes: Sequence[Features],
    normals: bool = False,
    told: int = 0,
) -> list[Observation]:
    """Decode a frame together with keyframes, by one decoding: for each of them what is seen of
    (frame, keyframe), all in one unit; for the first `told`, where the others are only looked at.
    All are of the frame's size, where there is more than one; an engine of pairs sees the first
    one alone."""
    if len(keyframes) == 1 or not isinstance(engine, WindowEngine):
        return observe(engine, [(frame, keyframes[0])], normals)
    views = told + 1 if told else 0
    outputs = Outputs("ab", "a" if normals and engine.info.normals else "", "", views)
    first, *others = engine.decode_window([frame, *keyframes], outputs).views
    made = partial(_given, _own_maps(first))
    return [
        Observation(
            False,
            engine.info.monocular,
            frame.placement.size,
            made,
            partial(_maps_from, other),
            views=1 + len(keyframes),
        )
        for other in others
    ]


def _own_maps(view: ViewPrediction) -> ViewMaps:
    return ViewMaps(_host(view.points), _host(view.confidence), _host(view.normals))


def _maps_from(view: ViewPrediction) -> ViewMaps:
    """Of a view, in the first one's frame."""
    points = cv2.transform(_host(view.points), view.T_first_view[:3].astype(np.float32))
    return ViewMaps(points, _host(view.confidence))


def _at_once(
    engine: Engine, pairs: Sequence[tuple[Features, Features]], outputs: Outputs
) -> list[Observation]:
    prediction = engine.decode(pairs, outputs)
    found = []
    for n, (frame, _) in enumerate(pairs):
        frame_maps, keyframe_maps = (_maps(prediction, n, view) for view in "ab")
        made = partial(_given, frame_maps), partial(_given, keyframe_maps)
        found.append(_observation(engine, prediction, n, frame, *made))
    return found


def _later(
    engine: Engine, pairs: Sequence[tuple[Features, Features]], outputs: Outputs
) -> list[Observation]:
    """Correspondences at once; each view's maps when they are read."""
    prediction = engine.decode(pairs, Outputs("", "", ""))
    found = []
    for n, pair in enumerate(pairs):
        of_a = partial(_asked, engine, pair, Outputs("a", outputs.normals, ""))
        of_b = partial(_asked, engine, pair, Outputs("b", "", ""))
        found.append(_observation(engine, prediction, n, pair[0], of_a, of_b))
    return found


def _asked(engine: Engine, pair: tuple[Features, Features], outputs: Outputs) -> ViewMaps:
    return _maps(engine.decode([pair], outputs), 0, outputs.points)


def _given(maps: ViewMaps) -> ViewMaps:
    return maps


def _observation(
    engine: Engine,
    prediction: PairPrediction,
    n: int,
    frame: Features,
    make_frame: Callable[[], ViewMaps],
    make_keyframe: Callable[[], ViewMaps],
) -> Observation:
    return Observation(
        engine.info.deferred,
        engine.info.monocular,
        frame.placement.size,
        make_frame,
        make_keyframe,
        _take(prediction.pixels_b_in_a, n),
        _take(prediction.pixels_confidence, n),
        None if prediction.pixels_alike is None else prediction.pixels_alike[n].cpu().numpy(),
    )


def _maps(prediction: PairPrediction, n: int, view: str) -> ViewMaps:
    points, confidence, normals = (
        _take(getattr(prediction, f"{kind}_{view}"), n)
        for kind in ("points", "confidence", "normals")
    )
    if points is None or confidence is None:
        raise ValueError(f"the engine gave no points_{view}, which mapping needs")
    return ViewMaps(points, confidence, normals)


def _take(tensor: Tensor | None, n: int) -> np.ndarray | None:
    return None if tensor is None else _host(tensor[n])


@overload
def _host(tensor: Tensor) -> np.ndarray: ...
@overload
def _host(tensor: None) -> None: ...
@overload
def _host(tensor: Tensor | None) -> np.ndarray | None: ...
def _host(tensor: Tensor | None) -> np.ndarray | None:
    return None if tensor is None else tensor.float().cpu().numpy()
