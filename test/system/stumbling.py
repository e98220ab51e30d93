# SPDX-License-Identifier: Apache-2.0
"""Engines that fail in the middle of their work, as hardware and networks do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from dens3r_ros.engines.protocol import Features, Outputs
from dens3r_ros.evaluation.oracle.wall_engine import WallEngine
from dens3r_ros.network.prediction import PairPrediction

AT = (6, 7)
"""Calls of `decode` that go wrong."""


class Stumbling(WallEngine):
    """The wall, but for a few calls."""

    def __init__(self, stumble: Callable[[PairPrediction], PairPrediction]) -> None:
        super().__init__()
        self._stumble, self._calls = stumble, 0

    def decode(
        self, pairs: Sequence[tuple[Features, Features]], outputs: Outputs
    ) -> PairPrediction:
        self._calls += 1
        prediction = super().decode(pairs, outputs)
        return self._stumble(prediction) if self._calls in AT else prediction


def raising() -> Stumbling:
    """An error of ours."""

    def stumble(_: PairPrediction) -> PairPrediction:
        raise ZeroDivisionError("stumbled")

    return Stumbling(stumble)


def not_finite() -> Stumbling:
    """A network whose numbers overflow."""

    def stumble(prediction: PairPrediction) -> PairPrediction:
        nothing = torch.full_like(prediction.points_a, torch.nan)
        none_sure = torch.full_like(prediction.confidence_a, torch.nan)
        return replace(
            prediction,
            points_a=nothing,
            points_b=nothing,
            confidence_a=none_sure,
            confidence_b=none_sure,
        )

    return Stumbling(stumble)


def broken_driver() -> Stumbling:
    """A GPU that is lost."""

    def stumble(_: PairPrediction) -> PairPrediction:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    return Stumbling(stumble)
