# SPDX-License-Identifier: Apache-2.0
"""Encodings that are made once and compared two or more at a time: checks, batches and memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from dens3r_ros.engines.grouping import encode_grouped
from dens3r_ros.engines.memory import halving
from dens3r_ros.engines.preprocess import Prepared, Sizing
from dens3r_ros.engines.protocol import EngineInfo, Features, Outputs, WindowPrediction
from dens3r_ros.engines.torch_engine import TorchConfig, joined
from dens3r_ros.frame import Frame
from dens3r_ros.network.prediction import PairPrediction


class ComparingEngine(ABC):
    """A `WindowEngine`, but for what its network does."""

    config: TorchConfig
    device: torch.device
    sizing: Sizing
    info: EngineInfo

    def warm_up(self, size: tuple[int, int] = (480, 640)) -> None:
        """Run once on a blank frame of `size` (height, width), so that no real one waits for it."""
        features = self.encode([Frame(np.zeros((*size, 3), np.uint8), 0)])
        self.decode([(features[0], features[0])], Outputs())

    def encode(self, frames: Sequence[Frame]) -> list[Features]:
        """Encode each frame, those of equal sizes together."""
        exact, sizing = self.config.exact, self.sizing
        return encode_grouped(
            frames, sizing, exact, self._encode, lambda code, _: code, self.device
        )

    def decode(
        self, pairs: Sequence[tuple[Features, Features]], outputs: Outputs
    ) -> PairPrediction:
        """Predict pairs in one batch, each a window of two."""
        if not pairs:
            raise ValueError("there is no pair to decode")
        height, width = _one_size([view for pair in pairs for view in pair])
        what = f"pairs of {width}x{height}"
        return halving(partial(self._decode, outputs=outputs), pairs, joined, what, self.device)

    def decode_window(self, features: Sequence[Features], outputs: Outputs) -> WindowPrediction:
        """Predict 1 to `info.views` views together."""
        if not 1 <= len(features) <= self.info.views:
            raise ValueError(
                f"{len(features)} views cannot be looked at together; 1 to {self.info.views} can"
            )
        _one_size(features)
        return self._window(features, outputs.told(len(features)))

    @abstractmethod
    def _encode(self, prepared: Sequence[Prepared]) -> list[Any]:
        """What is kept of images of one size, of each in memory of its own."""

    @abstractmethod
    def _decode(
        self, pairs: Sequence[tuple[Features, Features]], outputs: Outputs
    ) -> PairPrediction:
        """Pairs of one size, as many as memory holds."""

    @abstractmethod
    def _window(self, features: Sequence[Features], told: int) -> WindowPrediction:
        """Views of one size and an allowed number; the first `told` are told of."""


def _one_size(features: Sequence[Features]) -> tuple[int, int]:
    """(height, width) of all views; ValueError where they differ."""
    sizes = {view.placement.size for view in features}
    if len(sizes) > 1:
        shown = ", ".join(sorted(f"{width}x{height}" for height, width in sizes))
        raise ValueError(f"views that are looked at together must have one size, not {shown}")
    return sizes.pop()
