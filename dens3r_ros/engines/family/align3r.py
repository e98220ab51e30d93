# SPDX-License-Identifier: Apache-2.0
"""Align3R: a network of pairs that is told the depth of each image by one of single images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor

from dens3r_ros.engines.fingerprint import fingerprint
from dens3r_ros.engines.monocular import MonocularNetwork, MonocularPrediction
from dens3r_ros.engines.protocol import Features, Outputs, Placement
from dens3r_ros.engines.torch_engine import TorchConfig, TorchEncoding, TorchEngine
from dens3r_ros.engines.wanted import wanted_maps
from dens3r_ros.frame import Frame
from dens3r_ros.network.descendants.align3r import Align3R, normalised_points
from dens3r_ros.network.pairwise.backbone import Tokens
from dens3r_ros.network.pairwise.portrait import turn_back
from dens3r_ros.network.prediction import PairPrediction


@dataclass(frozen=True, eq=False)
class _ToldEncoding(TorchEncoding):
    """A frame's tokens, and (1, H, W, 3) points of its depth alone, on the pixels that the network
    sees."""

    points: Tensor


class Align3REngine(TorchEngine):
    """Any network of single images may tell the depth: its unit does not matter, nor its lens,
    since points go in with each of their axes from 0 to 1."""

    mixed_sizes = False

    def __init__(
        self,
        network: Align3R,
        depth: MonocularNetwork,
        config: TorchConfig | None = None,
        model: str = "",
    ) -> None:
        digest = f"{fingerprint(network)} {depth.info.model_hash}"
        config = replace(config or TorchConfig(), compile=False)
        super().__init__(network.network, config, model or network.FAMILY)
        self.whole = network.to(self.device).eval().requires_grad_(False)
        self._depth = depth
        self.info = replace(self.info, model_hash=digest)

    def encode(self, frames: Sequence[Frame]) -> list[Features]:
        """Encode each frame, and see its depth."""
        return [self._told(features) for features in super().encode(frames)]

    def _told(self, features: Features) -> Features:
        points = alone_points(self._depth.predict(features.frame), features.placement)
        seen: TorchEncoding = features.data
        on_pixels = torch.from_numpy(points).to(self.device)
        on_pixels = on_pixels.rot90(1) if seen.turned else on_pixels
        return replace(features, data=_ToldEncoding(seen.tokens, seen.turned, on_pixels[None]))

    def _decode(
        self, pairs: Sequence[tuple[Features, Features]], outputs: Outputs
    ) -> PairPrediction:
        views = [[pair[side].data for pair in pairs] for side in (0, 1)]
        tokens = [
            Tokens(torch.cat([one.tokens.data for one in view]), view[0].tokens.grid)
            for view in views
        ]
        points = [torch.cat([one.points for one in view]) for view in views]
        with torch.inference_mode():
            states = self.whole.decode(tokens[0], tokens[1], points[0], points[1])
            maps = wanted_maps(self.network, states, outputs)
        return turn_back(PairPrediction(**maps), views[0][0].turned, views[1][0].turned)


def alone_points(seen: MonocularPrediction, onto: Placement) -> np.ndarray:
    """(H, W, 3) float32 `normalised_points` of a depth, brought onto the pixels of an engine. Where
    nothing is known, the sky for the most part, it is as far as what is farthest."""
    known = np.isfinite(seen.relative_error) & (seen.depth > 0)
    farthest = float(seen.depth[known].max()) if known.any() else 1.0
    depth = torch.from_numpy(np.where(known, seen.depth, farthest).astype(np.float32))
    points = normalised_points(depth[None], 1.0)[0].numpy()
    x, y = (
        _there(onto, seen.placement, axis, np.arange(size, dtype=np.float64))
        for axis, size in ((1, onto.size[1]), (0, onto.size[0]))
    )
    columns, rows = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
    return cv2.remap(points, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _there(own: Placement, other: Placement, axis: int, at: np.ndarray) -> np.ndarray:
    """Where pixels of one placement lie on those of another of the same image, along an axis."""
    start, other_start = (place.left if axis else place.top for place in (own, other))
    whole = (at + start + 0.5) / own.resized[axis]
    return np.asarray(whole * other.resized[axis] - 0.5 - other_start)
