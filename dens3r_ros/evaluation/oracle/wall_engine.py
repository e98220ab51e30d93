# SPDX-License-Identifier: Apache-2.0
"""An engine that sees one wavy wall whatever the image shows, at next to no cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import torch

from dens3r_ros.engines.protocol import EngineInfo, Features, Outputs, Placement
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.rays import pixel_rays
from dens3r_ros.network.prediction import PairPrediction

DISTANCE = 2.0
"""Metres from camera to wall, along the optical axis."""
_WAVE = 0.1
_SURE = 10.0


class WallEngine:
    """Depth, normals and correspondences of a camera that slides along a wall.

    `place` takes a frame to the metres to the right at which its camera was then;
    `unit` is the length in metres in which points are given.
    """

    def __init__(self, place: Callable[[Frame], float] = lambda _: 0.0, unit: float = 1.0) -> None:
        self._place, self._unit = place, unit
        self.info = EngineInfo(
            name="wall",
            model="",
            model_hash="",
            patch=1,
            image_size=0,
            metric=unit == 1.0,
            monocular=True,
            normals=True,
            descriptors=False,
            device="cpu",
        )

    def encode(self, frames: Sequence[Frame]) -> list[Features]:
        """Nothing to compute."""
        return [
            Features(f, Placement(f.size, f.size, 0, 0, f.size), f.intrinsics, None) for f in frames
        ]

    def decode(
        self, pairs: Sequence[tuple[Features, Features]], outputs: Outputs
    ) -> PairPrediction:
        """The same wall for every pair, moved by what the camera slid between its views."""
        points = torch.stack([self._wall(a) for a, _ in pairs])
        slid = [self._place(b.frame) - self._place(a.frame) for a, b in pairs]
        points_b, pixels = points.clone(), []
        for index, (metres, (a, _)) in enumerate(zip(slid, pairs, strict=True)):
            points_b[index, ..., 0] += metres / self._unit
            pixels.append(_pixels(points_b[index], _camera(a)))
        sure = torch.full(points.shape[:3], _SURE)
        normals = torch.zeros_like(points)
        normals[..., 2] = -1
        return PairPrediction(
            points_a=points,
            points_b=points_b,
            confidence_a=sure,
            confidence_b=sure,
            normals_a=normals,
            normals_b=normals,
            pixels_b_in_a=torch.stack(pixels),
            pixels_confidence=sure,
        )

    def _wall(self, features: Features) -> torch.Tensor:
        return _wavy(_camera(features)) / self._unit


@lru_cache(maxsize=4)
def _wavy(camera: Intrinsics) -> torch.Tensor:
    across = np.sin(np.arange(camera.height) / camera.height * 12)[:, None, None]
    depth = torch.from_numpy((DISTANCE + _WAVE * across).astype(np.float32))
    return pixel_rays(camera).float() * depth


def _camera(features: Features) -> Intrinsics:
    height, width = features.placement.size
    return features.intrinsics or Intrinsics(
        0.8 * width, 0.8 * width, (width - 1) / 2, (height - 1) / 2, width, height
    )


def _pixels(points: torch.Tensor, camera: Intrinsics) -> torch.Tensor:
    x = points[..., 0] / points[..., 2] * camera.fx + camera.cx
    y = points[..., 1] / points[..., 2] * camera.fy + camera.cy
    return torch.stack((x, y), -1)
