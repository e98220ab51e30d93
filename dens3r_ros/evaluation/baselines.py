# SPDX-License-Identifier: Apache-2.0
"""Guesses that look at no pixel: what every engine must beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from dens3r_ros.engines.protocol import EngineInfo, Features, Outputs, Placement
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.rays import unproject
from dens3r_ros.network.prediction import PairPrediction

_SURE = 2.0
_STEEPEST = 0.9


class BaselineEngine:
    """The same depth for every image: constant, or a plane like a floor under the camera.

    The plane's inverse depth falls linearly from 1 in the bottom row to 0.1 in the top row. Both
    views are taken from the same place.
    """

    def __init__(self, plane: bool) -> None:
        self._plane = plane
        name = "plane" if plane else "constant"
        self.info = EngineInfo(name, name, "", 1, 0, False, True, True, False, "cpu")

    def encode(self, frames: Sequence[Frame]) -> list[Features]:
        """Points and normals that depend on the frame's size and intrinsics alone."""
        return [
            Features(
                frame,
                Placement(frame.size, frame.size, 0, 0, frame.size),
                frame.intrinsics,
                self._maps(frame),
            )
            for frame in frames
        ]

    def decode(
        self, pairs: Sequence[tuple[Features, Features]], outputs: Outputs
    ) -> PairPrediction:
        """All of both views, with one confidence everywhere."""
        points_a, normals_a = (
            torch.stack(maps) for maps in zip(*(a.data for a, _ in pairs), strict=True)
        )
        points_b, normals_b = (
            torch.stack(maps) for maps in zip(*(b.data for _, b in pairs), strict=True)
        )
        sure_a, sure_b = (torch.full(p.shape[:-1], _SURE) for p in (points_a, points_b))
        return PairPrediction(points_a, points_b, sure_a, sure_b, normals_a, normals_b)

    def _maps(self, frame: Frame) -> tuple[torch.Tensor, torch.Tensor]:
        camera = frame.intrinsics or _sixty_degrees(frame.size)
        rows = torch.linspace(1 - _STEEPEST, 1, camera.height)
        inverse = rows if self._plane else torch.ones(camera.height)
        points = unproject((1 / inverse)[:, None].expand(frame.size), camera)
        slope = float(rows[1] - rows[0]) if self._plane else 0.0
        middle = float(inverse[0]) + slope * camera.cy
        normal = -torch.tensor([0.0, slope * camera.fy, middle])
        return points, (normal / normal.norm()).expand(points.shape)


def _sixty_degrees(size: tuple[int, int]) -> Intrinsics:
    focal = max(size) / 2 / np.tan(np.radians(30))
    return Intrinsics(focal, focal, (size[1] - 1) / 2, (size[0] - 1) / 2, size[1], size[0])
