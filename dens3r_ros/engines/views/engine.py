# SPDX-License-Identifier: Apache-2.0
"""Runs a network that looks at any number of views together: Depth Anything 3, VGGT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from dens3r_ros.engines.cpu.blocks import fuse_blocks
from dens3r_ros.engines.cpu.int8 import use_int8
from dens3r_ros.engines.cpu.kernels import use_onednn
from dens3r_ros.engines.fingerprint import fingerprint
from dens3r_ros.engines.grouping import on_device
from dens3r_ros.engines.precision import PRECISIONS, choose_device, choose_precision
from dens3r_ros.engines.preprocess import Prepared, Sizing, checked_side
from dens3r_ros.engines.protocol import (
    EngineInfo,
    Features,
    Outputs,
    ViewPrediction,
    WindowPrediction,
)
from dens3r_ros.engines.token_batches import one_by_one, together
from dens3r_ros.engines.torch_engine import TorchConfig
from dens3r_ros.engines.views.comparing import ComparingEngine
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.network.multiview.any_view import AnyViewNetwork
from dens3r_ros.network.multiview.any_view_backbone import ViewTokens
from dens3r_ros.network.multiview.prediction import ViewsPrediction
from dens3r_ros.network.multiview.vggt.backbone import PatchTokens
from dens3r_ros.network.multiview.vggt.network import VggtNetwork
from dens3r_ros.network.prediction import PairPrediction

ViewsNetwork = AnyViewNetwork | VggtNetwork
ViewsTokens = ViewTokens | PatchTokens
MOST_VIEWS = 32
"""Attention over all views takes memory by their square."""
CPU_SIDE = 224
"""Long side where no size is asked for and there is no GPU: what a laptop can do live."""


class ComparesViews(Protocol):
    """What the engine asks of a network, here or exported."""

    def encode(self, images: Tensor, /) -> Any:
        """Tokens of (B, 3, H, W) RGB images in [0, 1]."""
        ...

    def decode(
        self, views: Any, outputs: Any, *, maps_of: Sequence[int] | None = None
    ) -> ViewsPrediction:
        """Views looked at together; each holds one image per scene."""
        ...


class ViewsEngine(ComparingEngine):
    """Encodes each frame once and compares kept encodings, two or more at a time.

    What the network does with one view alone is in `encode`; heads that nobody reads never run.
    The network becomes the engine's own: its layers are changed in place.
    """

    def __init__(
        self, network: ViewsNetwork, config: TorchConfig | None = None, model: str = ""
    ) -> None:
        self.config = config or TorchConfig()
        self.device = choose_device(self.config.device)
        self.dtype = choose_precision(self.config.precision, self.device)
        trained = max(network.info.training_size)
        usual = min(CPU_SIDE, trained) if self.device.type == "cpu" else trained
        side = checked_side(self.config.max_side, network.patch) or usual
        self.sizing = Sizing(patch=network.patch, long_side=side, square_ok=True)
        precision = next(name for name, kind in PRECISIONS.items() if kind == self.dtype)
        told = engine_info(network, side, model, precision)
        device = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "cpu"
        self.info = replace(told, model_hash=fingerprint(network), device=device)
        if self.device.type == "cpu":
            fuse_blocks(network)
        if self.dtype == torch.int8:
            use_int8(network.backbone)
        else:
            network.set_backbone_dtype(self.dtype)
        self.network: ComparesViews = network.to(self.device).eval().requires_grad_(False)
        if self.device.type == "cpu":
            use_onednn(network, self.dtype, packs=True)

    def _window(self, features: Sequence[Features], told: int) -> WindowPrediction:
        found = self._look([[view] for view in features], told)
        cameras = [
            _camera(view, _at(found.intrinsics, 0, n)) for n, view in enumerate(features[:told])
        ]
        poses = _relative(found, 0)
        return WindowPrediction(
            tuple(
                ViewPrediction(
                    unproject(_at(found.depth, 0, n), camera),
                    _at(found.confidence, 0, n),
                    None,
                    poses[n],
                    camera,
                )
                for n, camera in enumerate(cameras)
            )
        )

    def _encode(self, prepared: Sequence[Prepared]) -> list[ViewsTokens]:
        pixels = on_device(prepared, self.device).permute(0, 3, 1, 2).to(torch.float32).div(255)
        with torch.inference_mode():
            return one_by_one(self.network.encode(pixels), len(prepared))

    def _look(self, views: Sequence[Sequence[Features]], told: int) -> ViewsPrediction:
        """Cameras, and depth of the first views; `views` holds for every view one image of each
        scene."""
        tokens = [together([one.data for one in view]) for view in views]
        maps_of = None if told == len(views) else range(told)
        with torch.inference_mode():
            return self.network.decode(tokens, ("depth", "cameras"), maps_of=maps_of)

    def _decode(
        self, pairs: Sequence[tuple[Features, Features]], outputs: Outputs
    ) -> PairPrediction:
        found = self._look([[pair[side] for pair in pairs] for side in (0, 1)], 2)
        points: tuple[list[Tensor], list[Tensor]] = ([], [])
        for n, pair in enumerate(pairs):
            poses = _relative(found, n)
            for side in (0, 1):
                camera = _camera(pair[side], _at(found.intrinsics, n, side))
                points[side].append(
                    moved(unproject(_at(found.depth, n, side), camera), poses[side])
                )
        prediction = PairPrediction(
            points_a=torch.stack(points[0]),
            points_b=torch.stack(points[1]),
            confidence_a=_all(found.confidence)[:, 0],
            confidence_b=_all(found.confidence)[:, 1],
        )
        return _only_wanted(prediction, outputs)


def unproject(depth: Tensor, camera: Intrinsics) -> Tensor:
    """(H, W, 3) points in the optical frame, of z-depth (H, W)."""
    height, width = depth.shape
    y = torch.arange(height, device=depth.device, dtype=torch.float32)[:, None]
    x = torch.arange(width, device=depth.device, dtype=torch.float32)[None, :]
    across = depth * ((x - camera.cx) / camera.fx)
    down = depth * ((y - camera.cy) / camera.fy)
    return torch.stack((across, down, depth), -1)


def moved(points: Tensor, T: np.ndarray) -> Tensor:
    """Points (..., 3) taken by T (4, 4)."""
    turn = torch.as_tensor(T[:3, :3], dtype=points.dtype, device=points.device)
    shift = torch.as_tensor(T[:3, 3], dtype=points.dtype, device=points.device)
    return points @ turn.T + shift


def _camera(view: Features, K: Tensor) -> Intrinsics:
    """The frame's own camera, else the network's, whose pixel centres lie at halves."""
    if view.intrinsics is not None:
        return view.intrinsics
    height, width = view.placement.size
    fx, fy, cx, cy = (float(K[i, j]) for i, j in ((0, 0), (1, 1), (0, 2), (1, 2)))
    return Intrinsics(fx, fy, cx - 0.5, cy - 0.5, width, height)


def _relative(found: ViewsPrediction, scene: int) -> list[np.ndarray]:
    """T_first_view (4, 4) float64 of every view of a scene."""
    poses = _all(found.T_world_camera)[scene].double().cpu().numpy()
    first = np.linalg.inv(poses[0])
    return [np.eye(4), *(first @ pose for pose in poses[1:])]


def _only_wanted(prediction: PairPrediction, outputs: Outputs) -> PairPrediction:
    left_out = {f"points_{side}": None for side in "ab" if side not in outputs.points}
    return replace(prediction, **left_out)


def _all(value: Tensor | None) -> Tensor:
    assert value is not None
    return value


def _at(value: Tensor | None, scene: int, view: int) -> Tensor:
    return _all(value)[scene, view]


def engine_info(network: ViewsNetwork, side: int, model: str, precision: str) -> EngineInfo:
    """What an engine of such a network is and gives; weights and device are still to be filled."""
    return EngineInfo(
        name="torch",
        model=model or network.info.family,
        model_hash="",
        patch=network.patch,
        image_size=side,
        metric=network.info.metric,
        monocular=True,
        normals=False,
        descriptors=False,
        device="",
        precision=precision,
        views=MOST_VIEWS,
    )
