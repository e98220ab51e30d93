# SPDX-License-Identifier: Apache-2.0
"""Two views and classical geometry: an engine that needs no weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import cv2
import numpy as np
import torch

from dens3r_ros.engines.geometric.canvas import pair_of_shapes
from dens3r_ros.engines.geometric.features import image_features
from dens3r_ros.engines.geometric.hurried.half_size import enlarged, halved, large_enough
from dens3r_ros.engines.geometric.pair import PairMaps
from dens3r_ros.engines.protocol import EngineInfo, Features, Outputs, Placement
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.two_views.two_view import Cameras
from dens3r_ros.network.prediction import PairPrediction

_LEAST_SIDE = 16


@dataclass(frozen=True)
class GeometricConfig:
    """How the geometric engine works."""

    max_side: int = 0
    """Long side in pixels to which larger images are reduced; 0 takes them as they come."""


class GeometricEngine:
    """Dense flow, relative pose and triangulation; depth in units of the pair's baseline.

    Without parallax it gives correspondences, and depth of confidence 1, which means none.
    Frames without intrinsics are taken to be of one camera, whose focal length is estimated.
    """

    def __init__(self, config: GeometricConfig | None = None) -> None:
        self._config = config or GeometricConfig()
        self.hurried = False
        self.info = EngineInfo(
            name="geometric",
            model="geometric",
            model_hash="",
            patch=1,
            image_size=self._config.max_side,
            metric=False,
            monocular=False,
            normals=True,
            descriptors=False,
            device="cpu",
            guided=True,
        )

    def encode(self, frames: Sequence[Frame]) -> list[Features]:
        """Grey image, corners and keypoints of each frame."""
        return [self._encoded(frame) for frame in frames]

    def decode(
        self, pairs: Sequence[tuple[Features, Features]], outputs: Outputs
    ) -> PairPrediction:
        """Points, normals and correspondences; of one pair the images may be of two shapes."""
        found = [self._maps(a, b, outputs) for a, b in pairs]
        return PairPrediction(
            **{field.name: _batch(found, field.name) for field in fields(PairMaps)}
        )

    def _maps(self, a: Features, b: Features, outputs: Outputs) -> PairMaps:
        if not (self.hurried and large_enough(a) and large_enough(b)):
            return pair_of_shapes(a, b, known_cameras(a, b), outputs)
        small = halved(a), halved(b)
        found = pair_of_shapes(*small, known_cameras(*small), outputs)
        return enlarged(found, a.placement.size, b.placement.size)

    def _encoded(self, frame: Frame) -> Features:
        height, width = frame.size
        scale = min(1.0, (self._config.max_side or max(frame.size)) / max(frame.size))
        size = round(height * scale), round(width * scale)
        if min(size) < _LEAST_SIDE:
            raise ValueError(
                f"the geometric engine cannot match an image of {size[1]} x {size[0]} pixels: "
                f"give it at least {_LEAST_SIDE} along both sides."
            )
        image = frame.image
        if size != frame.size:
            image = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
        intrinsics = frame.intrinsics.resized(size[1], size[0]) if frame.intrinsics else None
        placement = Placement(frame.size, size, 0, 0, size)
        return Features(frame, placement, intrinsics, image_features(image))


def known_cameras(a: Features, b: Features) -> Cameras | None:
    """Both views' camera matrices; where one is not known, it is taken to be the other's."""
    known = [features.intrinsics.K for features in (a, b) if features.intrinsics]
    return (known[0], known[-1]) if known else None


def _batch(found: Sequence[PairMaps], name: str) -> torch.Tensor | None:
    maps = [getattr(one, name) for one in found]
    if any(one is None for one in maps):
        return None
    return torch.from_numpy(np.stack(maps))
