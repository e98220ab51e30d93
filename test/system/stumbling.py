# SPDX-License-Identifier: Apache-2.0
"""Engines that fail in the middle of their work, as hardware and networks do."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from dens3r_ros.engines.protocol import Features, Outputs, Placement
from dens3r_ros.evaluation.oracle.wall_engine import WallEngine
from dens3r_ros.frame import Frame
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


class Sluggish(WallEngine):
    """The wall, but an image whose first pixel is magenta takes three seconds."""

    def encode(self, frames: Sequence[Frame]) -> list[Features]:
        if any((frame.image[0, 0] == (255, 0, 255)).all() for frame in frames):
            time.sleep(3.0)
        return super().encode(frames)


def sluggish() -> Sluggish:
    """A GPU that is shared with others."""
    return Sluggish()


def slow_to_load() -> WallEngine:
    """A large model on a slow disk."""
    time.sleep(4.0)
    return WallEngine()


def not_loadable() -> WallEngine:
    """A model that is not there."""
    raise FileNotFoundError("no such thing")


class Halved(WallEngine):
    """The wall at half the image's size, as networks see."""

    def encode(self, frames: Sequence[Frame]) -> list[Features]:
        features = super().encode(frames)
        return [self._halved(one) for one in features]

    def _halved(self, one: Features) -> Features:
        height, width = one.frame.size
        size = height // 2, width // 2
        camera = one.intrinsics and one.intrinsics.resized(size[1], size[0])
        return replace(
            one, placement=Placement((height, width), size, 0, 0, size), intrinsics=camera
        )


def halved() -> Halved:
    """An engine with a size of its own."""
    return Halved()
