# SPDX-License-Identifier: Apache-2.0
"""Classical geometry joined with a network that sees depth in single images."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from dens3r_ros.engines.geometric.confidence import depth_confidence
from dens3r_ros.engines.geometric.engine import GeometricConfig, GeometricEngine, known_cameras
from dens3r_ros.engines.geometric.view import view_points
from dens3r_ros.engines.hybrid.alone import Alone, Encoded, on_pixels
from dens3r_ros.engines.hybrid.views import Learned, PairViews
from dens3r_ros.engines.monocular import MonocularNetwork
from dens3r_ros.engines.protocol import EngineInfo, Features, Outputs
from dens3r_ros.frame import Frame
from dens3r_ros.network.prediction import PairPrediction

_REMEMBERED = 3
"""Pairs whose correspondences are kept, as more may be asked of them a little later."""


@dataclass(frozen=True)
class HybridConfig:
    """How the hybrid engine works."""

    max_side: int = 0
    """Long side in pixels to which larger images are reduced to be matched; 0 takes them as they
    come. The network has a size of its own."""


class HybridEngine:
    """Motion and correspondence as the geometric engine finds them; depth of both by inverse
    variance, in metres where the network's is, else in the unit of its depth of b.

    The network runs when depth or normals of a view are first asked for, once a frame at most.
    """

    def __init__(self, network: MonocularNetwork, config: HybridConfig | None = None) -> None:
        config = config or HybridConfig()
        self.network = network
        self._geometric = GeometricEngine(GeometricConfig(config.max_side))
        self.runs = 0
        """How often the network was run."""
        self._pairs: OrderedDict[tuple[int, int], tuple[Features, Features, PairViews]] = (
            OrderedDict()
        )
        told = network.info
        self._learned = Learned()
        self.info = EngineInfo(
            name="hybrid",
            model=told.model,
            model_hash=told.model_hash,
            patch=1,
            image_size=config.max_side,
            metric=told.metric,
            monocular=True,
            normals=True,
            descriptors=False,
            device=told.device,
            guided=True,
            deferred=True,
            scale_error=told.scale_error if told.metric else 0.0,
        )

    def encode(self, frames: Sequence[Frame]) -> list[Features]:
        """Grey image, corners and keypoints; the network is not run yet."""
        encoded = []
        for features in self._geometric.encode(frames):
            look = partial(self._look, features)
            data = Encoded(features.data, look)
            encoded.append(Features(features.frame, features.placement, features.intrinsics, data))
        return encoded

    def decode(
        self, pairs: Sequence[tuple[Features, Features]], outputs: Outputs
    ) -> PairPrediction:
        """Points, normals and correspondences of pairs of images of equal sizes."""
        found = [_maps(self._views(a, b), outputs) for a, b in pairs]
        return PairPrediction(
            **{name: torch.from_numpy(np.stack([one[name] for one in found])) for name in found[0]}
        )

    def _look(self, features: Features) -> Alone:
        self.runs += 1
        return on_pixels(self.network.predict(features.frame), features.placement)

    def _views(self, a: Features, b: Features) -> PairViews:
        key = id(a), id(b)
        if key not in self._pairs:
            views = PairViews(a.data, b.data, known_cameras(a, b), self.info.metric, self._learned)
            # Held with their features, so that no other ones can take over their identities.
            self._pairs[key] = a, b, views
            if len(self._pairs) > _REMEMBERED:
                self._pairs.popitem(last=False)
        return self._pairs[key][2]


def _maps(views: PairViews, outputs: Outputs) -> dict[str, np.ndarray]:
    """The maps of `outputs`, named as in PairPrediction, and the correspondences."""
    maps: dict[str, np.ndarray] = {}
    one_view: dict[str, Callable[[PairViews], tuple[np.ndarray, np.ndarray]]] = {
        "a": _points_of_a,
        "b": _points_of_b,
    }
    for view in outputs.points:
        maps[f"points_{view}"], maps[f"confidence_{view}"] = one_view[view](views)
    for view in outputs.normals:
        maps[f"normals_{view}"] = views.normals(view)
    maps["pixels_b_in_a"], maps["pixels_confidence"] = views.correspondences
    maps["pixels_alike"] = views.alike_b
    return maps


def _points_of_a(views: PairViews) -> tuple[np.ndarray, np.ndarray]:
    joined = views.depth_a
    points = view_points(joined.inverse, views.cameras[0], np.eye(4))
    return points, depth_confidence(joined.error)


def _points_of_b(views: PairViews) -> tuple[np.ndarray, np.ndarray]:
    joined, standing = views.depth_b, views.standing
    if standing is None:
        points = view_points(joined.inverse, views.cameras[1], np.eye(4))
        return points, np.ones_like(joined.inverse)
    points = view_points(joined.inverse, views.cameras[1], standing.T_a_b)
    return points, depth_confidence(joined.error)
