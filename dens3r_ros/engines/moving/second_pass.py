# SPDX-License-Identifier: Apache-2.0
"""Engines for a second pass, told what moves: nothing that moves is of any confidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from dens3r_ros.engines.moving.masks import MovingMasks
from dens3r_ros.engines.protocol import Engine, EngineInfo, Features, Outputs
from dens3r_ros.engines.torch_engine import TorchEncoding, TorchEngine, decode_halving
from dens3r_ros.engines.wanted import wanted_maps
from dens3r_ros.frame import Frame
from dens3r_ros.network.attention.motion import patch_masks
from dens3r_ros.network.attention.watching import watched_decode
from dens3r_ros.network.pairwise.backbone import Tokens
from dens3r_ros.network.pairwise.portrait import turn_back
from dens3r_ros.network.prediction import PairPrediction

_NONE = 1.0
"""The confidence of what is not known."""


class WithoutMovers:
    """Any engine of pairs, whose confidence in what moves is taken away."""

    def __init__(self, engine: Engine, masks: MovingMasks) -> None:
        self._engine, self._masks = engine, masks
        self.info: EngineInfo = engine.info

    def encode(self, frames: Sequence[Frame]) -> list[Features]:
        """As the engine does."""
        return self._engine.encode(frames)

    def decode(
        self, pairs: Sequence[tuple[Features, Features]], outputs: Outputs
    ) -> PairPrediction:
        """As the engine does, but for the confidence of both views."""
        found = self._engine.decode(pairs, outputs)
        changed: dict[str, Tensor] = {}
        for side, view in enumerate("ab"):
            name = f"confidence_{view}"
            confidence: Tensor | None = getattr(found, name)
            if confidence is not None:
                moving = [self._moving(pair[side], confidence.shape[1:]) for pair in pairs]
                hidden = torch.from_numpy(np.stack(moving)).to(confidence.device)
                changed[name] = confidence.masked_fill(hidden, _NONE)
        return replace(found, **changed)

    def left_out(self, features: Features) -> np.ndarray | None:
        """(H, W) bool, what of a frame was found to move."""
        return self._masks.of(features.frame.image)

    def _moving(self, features: Features, size: torch.Size) -> np.ndarray:
        mask = self.left_out(features)
        return np.zeros(tuple(size), bool) if mask is None else mask


@dataclass(frozen=True, eq=False)
class _MaskedEncoding(TorchEncoding):
    """A frame's tokens, and (1, rows * columns) bool which of them move."""

    moving: Tensor


class MaskedAttention(WithoutMovers):
    """A network of the DUSt3R layout in whose first decoder what stands still does not look at
    what moves."""

    def __init__(self, engine: TorchEngine, masks: MovingMasks) -> None:
        super().__init__(_Looking(engine, masks), masks)


class _Looking:
    """The engine with masked attention; its confidence is the network's own."""

    def __init__(self, engine: TorchEngine, masks: MovingMasks) -> None:
        self._engine, self._masks = engine, masks
        self.info = engine.info

    def encode(self, frames: Sequence[Frame]) -> list[Features]:
        return [self._told(features) for features in self._engine.encode(frames)]

    def _told(self, features: Features) -> Features:
        seen: TorchEncoding = features.data
        mask = self._masks.of(features.frame.image)
        if mask is None:
            moving = torch.zeros(seen.tokens.data.shape[:2], dtype=torch.bool)
        else:
            pixels = torch.from_numpy(mask)
            pixels = pixels.rot90(1) if seen.turned else pixels
            moving = patch_masks(pixels[None], self._engine.sizing.patch)
        moving = moving.to(seen.tokens.data.device)
        return replace(features, data=_MaskedEncoding(seen.tokens, seen.turned, moving))

    def decode(
        self, pairs: Sequence[tuple[Features, Features]], outputs: Outputs
    ) -> PairPrediction:
        decode = partial(self._decode, outputs=outputs)
        return decode_halving(decode, pairs, self._engine.device)

    def _decode(
        self, pairs: Sequence[tuple[Features, Features]], outputs: Outputs
    ) -> PairPrediction:
        network = self._engine.network
        a, b = ([pair[side].data for pair in pairs] for side in (0, 1))
        tokens = [_together(view) for view in (a, b)]
        moving = [torch.cat([one.moving for one in view]) for view in (a, b)]
        with torch.inference_mode():
            seen = watched_decode(network, tokens[0], tokens[1], (moving[0], moving[1]))
            maps = wanted_maps(network, seen.states, outputs)
        return turn_back(PairPrediction(**maps), a[0].turned, b[0].turned)


def _together(encodings: Sequence[_MaskedEncoding]) -> Tokens:
    data = torch.cat([one.tokens.data for one in encodings])
    return Tokens(data, encodings[0].tokens.grid)
