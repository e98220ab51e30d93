# SPDX-License-Identifier: Apache-2.0
"""The oracle looking at several views together, to measure what windows bring without weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from dens3r_ros.engines.protocol import Features, Outputs, ViewPrediction, WindowPrediction
from dens3r_ros.evaluation.oracle.noise import OracleNoise
from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.sources.source import Source

MOST_VIEWS = 32


class WindowOracle(OracleEngine):
    """Predictions of 1 to `views` views at once, from the truth, disturbed by documented noise.

    The law: with n views, errors that come of comparing them (warp of depth, turn and shift of the
    views after the first) are sqrt(2 / n) of a pair's; what is a view's own stays as it is, and the
    window has one unit (`noise.among`). A window of two is the pair of `OracleEngine`, bit for bit.
    """

    def __init__(
        self,
        source: Source,
        noise: OracleNoise | None = None,
        seed: int = 0,
        metric: bool = False,
        long_side: int = 512,
        views: int = MOST_VIEWS,
    ) -> None:
        super().__init__(source, noise, seed, metric, long_side)
        self.info = replace(self.info, name="window-oracle", views=views)

    def decode_window(self, features: Sequence[Features], outputs: Outputs) -> WindowPrediction:
        """Disturb the truth of all views."""
        if not 1 <= len(features) <= self.info.views:
            raise ValueError(
                f"{len(features)} views cannot be looked at together; 1 to {self.info.views} can"
            )
        self.decodings += 1
        told = outputs.told(len(features))
        seen = self.disturbed([view.data for view in features])
        return WindowPrediction(
            tuple(
                ViewPrediction(
                    torch.from_numpy(one.points),
                    torch.from_numpy(one.confidence),
                    torch.from_numpy(one.normals) if outputs.normals else None,
                    one.T,
                    view.intrinsics or view.data.camera,
                )
                for view, one in zip(features[:told], seen[:told], strict=True)
            )
        )
