# SPDX-License-Identifier: Apache-2.0
"""Pair predictions as arrays on the host, one pair at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from dens3r_ros.engines.protocol import Engine, Features, Outputs
from dens3r_ros.network.prediction import PairPrediction


@dataclass(frozen=True, eq=False)
class Observation:
    """What the engine says of a frame (a) and a keyframe (b), all in the frame's optical frame.

    points (h, w, 3), confidence (h, w) of each; normals of the frame, where the engine has them;
    pixels (h, w, 2) where each keyframe pixel lies in the frame, with their confidence, where the
    engine knows.
    """

    frame_points: np.ndarray
    frame_confidence: np.ndarray
    frame_normals: np.ndarray | None
    keyframe_points: np.ndarray
    keyframe_confidence: np.ndarray
    pixels: np.ndarray | None = None
    pixels_confidence: np.ndarray | None = None


def observe(
    engine: Engine, pairs: Sequence[tuple[Features, Features]], normals: bool = False
) -> list[Observation]:
    """Decode pairs (frame, keyframe); those of equal sizes go to the engine together."""
    outputs = Outputs("ab", "a" if normals and engine.info.normals else "", "")
    groups: dict[tuple[tuple[int, int], tuple[int, int]], list[int]] = {}
    for index, (a, b) in enumerate(pairs):
        groups.setdefault((a.placement.size, b.placement.size), []).append(index)
    found: dict[int, Observation] = {}
    for group in groups.values():
        prediction = engine.decode([pairs[index] for index in group], outputs)
        found.update((index, _one(prediction, n)) for n, index in enumerate(group))
    return [found[index] for index in range(len(pairs))]


def _one(prediction: PairPrediction, n: int) -> Observation:
    def take(tensor: Tensor | None) -> np.ndarray | None:
        return None if tensor is None else tensor[n].float().cpu().numpy()

    def must(tensor: Tensor | None, name: str) -> np.ndarray:
        array = take(tensor)
        if array is None:
            raise ValueError(f"the engine gave no {name}, which mapping needs")
        return array

    return Observation(
        must(prediction.points_a, "points_a"),
        must(prediction.confidence_a, "confidence_a"),
        take(prediction.normals_a),
        must(prediction.points_b, "points_b"),
        must(prediction.confidence_b, "confidence_b"),
        take(prediction.pixels_b_in_a),
        take(prediction.pixels_confidence),
    )
