# SPDX-License-Identifier: Apache-2.0
"""Pair predictions as arrays on the host, one pair at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from torch import Tensor

from dens3r_ros.engines.protocol import Engine, Features, Outputs
from dens3r_ros.network.prediction import PairPrediction


@dataclass(frozen=True, eq=False)
class FrameMaps:
    """Points (h, w, 3), confidence (h, w), and normals where the engine has them."""

    points: np.ndarray
    confidence: np.ndarray
    normals: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Observation:
    """What the engine says of a frame (a) and a keyframe (b), all in the frame's optical frame.

    keyframe_points (h, w, 3), keyframe_confidence (h, w); pixels (h, w, 2) where each keyframe
    pixel lies in the frame, with their confidence, where the engine knows. What it says of the
    frame alone is made when first read where `deferred`: it costs extra then.
    """

    make_frame: Callable[[], FrameMaps]
    frame_size: tuple[int, int]
    deferred: bool
    keyframe_points: np.ndarray
    keyframe_confidence: np.ndarray
    pixels: np.ndarray | None = None
    pixels_confidence: np.ndarray | None = None

    @cached_property
    def _frame(self) -> FrameMaps:
        return self.make_frame()

    @property
    def frame_points(self) -> np.ndarray:
        """(h, w, 3) of the frame."""
        return self._frame.points

    @property
    def frame_confidence(self) -> np.ndarray:
        """(h, w) of the frame."""
        return self._frame.confidence

    @property
    def frame_normals(self) -> np.ndarray | None:
        """(h, w, 3) of the frame, where the engine has them."""
        return self._frame.normals


def observe(
    engine: Engine, pairs: Sequence[tuple[Features, Features]], normals: bool = False
) -> list[Observation]:
    """Decode pairs (frame, keyframe); those of equal sizes go to the engine together."""
    later = Outputs("a", "a" if normals and engine.info.normals else "", "")
    now = Outputs("b", "", "") if engine.info.deferred else Outputs("ab", later.normals, "")
    groups: dict[tuple[tuple[int, int], tuple[int, int]], list[int]] = {}
    for index, (a, b) in enumerate(pairs):
        groups.setdefault((a.placement.size, b.placement.size), []).append(index)
    found: dict[int, Observation] = {}
    for group in groups.values():
        prediction = engine.decode([pairs[index] for index in group], now)
        for n, index in enumerate(group):
            make = partial(_asked_later, engine, pairs[index], later)
            if not engine.info.deferred:
                make = partial(_given, _frame_maps(prediction, n))
            found[index] = _one(prediction, n, make, pairs[index][0], engine.info.deferred)
    return [found[index] for index in range(len(pairs))]


def _asked_later(engine: Engine, pair: tuple[Features, Features], outputs: Outputs) -> FrameMaps:
    return _frame_maps(engine.decode([pair], outputs), 0)


def _given(maps: FrameMaps) -> FrameMaps:
    return maps


def _frame_maps(prediction: PairPrediction, n: int) -> FrameMaps:
    return FrameMaps(
        _must(prediction.points_a, n, "points_a"),
        _must(prediction.confidence_a, n, "confidence_a"),
        _take(prediction.normals_a, n),
    )


def _one(
    prediction: PairPrediction,
    n: int,
    make_frame: Callable[[], FrameMaps],
    frame: Features,
    deferred: bool,
) -> Observation:
    return Observation(
        make_frame,
        frame.placement.size,
        deferred,
        _must(prediction.points_b, n, "points_b"),
        _must(prediction.confidence_b, n, "confidence_b"),
        _take(prediction.pixels_b_in_a, n),
        _take(prediction.pixels_confidence, n),
    )


def _take(tensor: Tensor | None, n: int) -> np.ndarray | None:
    return None if tensor is None else tensor[n].float().cpu().numpy()


def _must(tensor: Tensor | None, n: int, name: str) -> np.ndarray:
    array = _take(tensor, n)
    if array is None:
        raise ValueError(f"the engine gave no {name}, which mapping needs")
    return array
