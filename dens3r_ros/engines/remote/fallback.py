# SPDX-License-Identifier: Apache-2.0
"""Geometry on the robot while the server is away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from dens3r_ros.engines.preprocess import resample
from dens3r_ros.engines.protocol import Engine, EngineAway, Features, Outputs, WindowPrediction
from dens3r_ros.engines.remote.engine import RemoteEngine
from dens3r_ros.frame import Frame
from dens3r_ros.network.prediction import PairPrediction


class FallbackEngine:
    """The server's answers, and where there are none those of an engine that knows
    correspondences: where frames lie relative to each other.

    Its depth is left out, confidence 1: it knows what parallax shows, so beside the network's it
    is of a few pixels and in a unit of each pair's own. Keyframes that are made meanwhile know the
    points that earlier ones hand on, and the network's own depth when that is back.
    """

    def __init__(self, remote: RemoteEngine, local: Engine) -> None:
        self.remote, self.local = remote, local
        self.info = remote.info
        self.decodings = 0
        """Pairs that were decoded here."""

    @property
    def trouble(self) -> str:
        """Why the server does not answer, and who does."""
        trouble = self.remote.trouble
        return f"{trouble}; geometry helps out" if trouble else ""

    def figures(self) -> dict[str, str]:
        """For diagnostics."""
        return {**self.remote.figures(), "pairs decoded by geometry": str(self.decodings)}

    def encode(self, frames: Sequence[Frame]) -> list[Features]:
        """By the server."""
        return self.remote.encode(frames)

    def decode(
        self, pairs: Sequence[tuple[Features, Features]], outputs: Outputs
    ) -> PairPrediction:
        """By the server, else here; EngineAway for what only a network can tell."""
        try:
            return self.remote.decode(pairs, outputs)
        except EngineAway:
            if any(a is b or a.frame is b.frame for a, b in pairs):
                raise
        self.decodings += len(pairs)
        views = self.local.encode([_cut(view) for pair in pairs for view in pair])
        here = list(zip(views[::2], views[1::2], strict=True))
        return _without_depth(self.local.decode(here, Outputs("", "", "")), pairs, outputs)

    def decode_window(self, features: Sequence[Features], outputs: Outputs) -> WindowPrediction:
        """By the server."""
        return self.remote.decode_window(features, outputs)


def _cut(view: Features) -> Frame:
    """The frame at the server's size, so that maps have the size that is expected."""
    image = resample(view.frame.image, view.placement)
    return Frame(image, view.frame.stamp, view.frame.camera, view.intrinsics)


def _without_depth(
    found: PairPrediction, pairs: Sequence[tuple[Features, Features]], outputs: Outputs
) -> PairPrediction:
    """Correspondences, with points a unit ahead of which nothing is believed."""
    made: dict[str, torch.Tensor] = {}
    for view, one in zip("ab", pairs[0], strict=True):
        if view in outputs.points:
            height, width = one.placement.size
            points = torch.zeros(len(pairs), height, width, 3)
            points[..., 2] = 1
            made |= {f"points_{view}": points, f"confidence_{view}": torch.ones(points.shape[:3])}
    return replace(found, **made)
