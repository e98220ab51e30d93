# SPDX-License-Identifier: Apache-2.0
"""Relative poses by any engine of pairs: where b must stand to see its points as it does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from dens3r_ros.engines.protocol import Engine, Features, Outputs, encode_aside
from dens3r_ros.engines.relative.protocol import RelativePose
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.pointmap import intrinsics_from_points
from dens3r_ros.geometry.pose import pose_from_points

_SURE = 1.5
_FEWEST, _SHARE = 100, 0.05
"""Confident pixels of b, and share of all, without which nothing is told."""
_MOST = 3000
_INLIERS = 0.5
_LEAST_SHIFT = 0.01
"""Of the depth."""


class PosesByPoints:
    """See `RelativePoser`."""

    needs_lens = True

    def __init__(self, engine: Engine) -> None:
        self._engine, self.name = engine, engine.info.name

    def encode(self, frames: Sequence[Frame]) -> list[Features]:
        """See `RelativePoser`."""
        return encode_aside(self._engine, frames)

    def relative(self, a: Features, b: Features) -> RelativePose | None:
        """See `RelativePoser`."""
        pair = self._engine.decode([(a, b)], Outputs("ab", "", ""))
        if pair.points_b is None or pair.confidence_b is None:
            raise ValueError(f"engine {self.name} gives no points of pairs of images")
        points = pair.points_b[0].float().cpu()
        sure = (pair.confidence_b[0].float().cpu() >= _SURE) & points.isfinite().all(-1)
        rows, columns = sure.nonzero().unbind(-1)
        if len(rows) < max(_FEWEST, _SHARE * sure.numel()):
            return None
        camera = b.intrinsics or _own_camera(pair.points_a, pair.confidence_a)
        if camera is None:
            return None
        step = len(rows) // _MOST + 1
        seen = points[rows, columns][::step]
        pixels = torch.stack([columns, rows], -1)[::step]
        found = pose_from_points(seen, pixels, camera, noise="points")
        if found is None or float(found.inliers.double().mean()) < _INLIERS:
            return None
        T = found.T_world_camera.numpy()
        usual = float(np.median((seen.double().numpy() - T[:3, 3]) @ T[:3, 2]))
        return RelativePose(T, bool(np.linalg.norm(T[:3, 3]) > _LEAST_SHIFT * usual))


def _own_camera(points: torch.Tensor | None, confidence: torch.Tensor | None) -> Intrinsics | None:
    """The camera that a's points show, taken for b's too."""
    if points is None or confidence is None:
        return None
    return intrinsics_from_points(points[0].float().cpu(), confidence[0].float().cpu())
