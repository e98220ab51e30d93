# SPDX-License-Identifier: Apache-2.0
"""Runs MV-DUSt3R and MV-DUSt3R+: up to two dozen views in one pass, in the first one's frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dens3r_ros.engines.cpu.kernels import use_onednn
from dens3r_ros.engines.family.standing import camera_of, seen_from, standing
from dens3r_ros.engines.fingerprint import fingerprint
from dens3r_ros.engines.grouping import on_device
from dens3r_ros.engines.precision import PRECISIONS, choose_device, choose_precision
from dens3r_ros.engines.preprocess import Prepared, normalise
from dens3r_ros.engines.protocol import (
    EngineInfo,
    Features,
    Outputs,
    ViewPrediction,
    WindowPrediction,
)
from dens3r_ros.engines.torch_engine import TorchConfig, sizing_of
from dens3r_ros.engines.views.comparing import ComparingEngine
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.network.descendants.mvdust3r import MvDust3r, ViewPoints
from dens3r_ros.network.pairwise.backbone import Tokens
from dens3r_ros.network.prediction import PairPrediction

MOST_VIEWS = 24
"""Views in one pass, as published."""
_USUAL_FOCAL = 0.85
"""In sides of the image, where points tell none."""


@dataclass(frozen=True, eq=False)
class ViewEncoding:
    """A view's tokens, and its pixels (1, 3, H, W) in [-1, 1], at which the heads look again."""

    tokens: Tokens
    image: Tensor


class MvDust3rEngine(ComparingEngine):
    """Encodes each frame once and compares kept encodings, two or more at a time."""

    def __init__(
        self, network: MvDust3r, config: TorchConfig | None = None, model: str = ""
    ) -> None:
        self.config = config or TorchConfig()
        self.device = choose_device(self.config.device)
        self.dtype = choose_precision(self.config.precision, self.device, int8=False)
        self.sizing = sizing_of(network.info, self.config.max_side)
        self.info = _engine_info(network, self.sizing.long_side, self.device, self.dtype, model)
        network.set_backbone_dtype(self.dtype)
        self.network = network.to(self.device).eval().requires_grad_(False)
        if self.device.type == "cpu":
            use_onednn(network)

    def _window(self, features: Sequence[Features], told: int) -> WindowPrediction:
        # One view alone is compared with itself.
        shown = list(features) if len(features) > 1 else [features[0], features[0]]
        order = spread_references(len(shown))
        looked = self._look([[shown[view]] for view in order])
        found = [looked[order.index(view)] for view in range(len(features))]
        usual = _usual_camera(features[0], found[0])
        views = [
            _view(one, seen, usual, first=n == 0)
            for n, (one, seen) in enumerate(zip(features, found, strict=True))
        ]
        return WindowPrediction(tuple(views[:told]))

    def _encode(self, prepared: Sequence[Prepared]) -> list[ViewEncoding]:
        images = normalise(on_device(prepared, self.device))
        with torch.inference_mode():
            tokens = self.network.encode(images)
        # Own memory for each, so that one that is kept does not keep the whole batch.
        return [
            ViewEncoding(Tokens(data.clone(), tokens.grid), image.clone())
            for data, image in zip(tokens.data.split(1), images.split(1), strict=True)
        ]

    def _look(self, views: Sequence[Sequence[Features]]) -> list[ViewPoints]:
        """Points in the first view's frame; `views` holds for every view one image a scene."""
        coded = [[one.data for one in view] for view in views]
        tokens = [
            Tokens(torch.cat([one.tokens.data for one in view]), view[0].tokens.grid)
            for view in coded
        ]
        images = [torch.cat([one.image for one in view]) for view in coded]
        with torch.inference_mode():
            return self.network.read(self.network.decode(tokens)[0], images, 0)

    def _decode(
        self, pairs: Sequence[tuple[Features, Features]], outputs: Outputs
    ) -> PairPrediction:
        a, b = self._look([[pair[side] for pair in pairs] for side in (0, 1)])
        return PairPrediction(
            points_a=a.points if "a" in outputs.points else None,
            points_b=b.points if "b" in outputs.points else None,
            confidence_a=a.confidence,
            confidence_b=b.confidence,
        )


def spread_references(count: int) -> list[int]:
    """The order in which views are shown: the first four are references, and lie far apart in what
    is a way; the first one stays."""
    swaps = [(1, 3)] * (count > 3) + [(2, 6)] * (count > 6)
    if count >= 12:
        swaps = [(k, k * count // 4 + 1) for k in (1, 2, 3)]
    order = list(range(count))
    for here, there in swaps:
        order[here], order[there] = order[there], order[here]
    return order


def _usual_camera(first: Features, seen: ViewPoints) -> Intrinsics:
    """That of the window: the first view's own, or by its points."""
    found = camera_of(first, seen.points[0], seen.confidence[0])
    if found is not None:
        return found
    height, width = first.placement.size
    focal = _USUAL_FOCAL * max(height, width)
    return Intrinsics(focal, focal, (width - 1) / 2, (height - 1) / 2, width, height)


def _view(one: Features, seen: ViewPoints, usual: Intrinsics, first: bool) -> ViewPrediction:
    """One view in its own frame; where no camera fits its points, they are not believed."""
    camera = one.intrinsics or usual
    points, confidence = seen.points[0], seen.confidence[0]
    T = np.eye(4) if first else standing(points, confidence, camera)
    if T is None:
        return ViewPrediction(points, torch.ones_like(confidence), None, np.eye(4), camera)
    return ViewPrediction(seen_from(T, points), confidence, None, T, camera)


def _engine_info(
    network: MvDust3r, side: int, device: torch.device, dtype: torch.dtype, model: str
) -> EngineInfo:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    return EngineInfo(
        name="torch",
        model=model or network.FAMILY,
        model_hash=fingerprint(network),
        patch=network.info.patch,
        image_size=side,
        metric=network.info.metric,
        monocular=True,
        normals=False,
        descriptors=False,
        device=name,
        precision=next(name for name, kind in PRECISIONS.items() if kind == dtype),
        views=MOST_VIEWS,
    )
