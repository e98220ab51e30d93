# SPDX-License-Identifier: Apache-2.0
"""Networks of one image, MoGe and Depth Anything 3's, as the hybrid engine asks them."""

from __future__ import annotations

import logging

import numpy as np
import torch
from torch import Tensor

from dens3r_ros.engines.cpu.blocks import fuse_blocks
from dens3r_ros.engines.cpu.kernels import use_onednn
from dens3r_ros.engines.fingerprint import fingerprint
from dens3r_ros.engines.monocular import MonocularInfo, MonocularPrediction
from dens3r_ros.engines.precision import choose_device, choose_precision
from dens3r_ros.engines.preprocess import Prepared, Sizing, checked_side, prepare
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.two_views.two_view_focal import assumed_focal
from dens3r_ros.network.monocular.depth_anything import (
    DepthAnythingNetwork,
    DepthPrediction,
    metres,
)
from dens3r_ros.network.monocular.moge.first import Moge1
from dens3r_ros.network.monocular.moge.inference import located
from dens3r_ros.network.monocular.moge.raw import RawPoints, tokens_at
from dens3r_ros.network.monocular.moge.second import Moge2
from dens3r_ros.network.parts.info import NetworkInfo

logger = logging.getLogger(__name__)

SingleViewNetwork = Moge1 | Moge2 | DepthAnythingNetwork
_PATCH = 14
_SIDES = {"cpu": 322, "cuda": 504}
"""Long side of images, pixels, where no size is asked for: on a CPU what half a second does."""
_LEVELS = {"cpu": 0, "cuda": 9}
"""How finely MoGe looks, 0 to 9."""
_SHAPE_ERROR = 0.06
"""Relative error of depth that is expected of these networks everywhere; they tell none."""
_SCALE_ERROR = 0.07
"""The same of the scale of one image, of those that know metres."""
_SKY = 0.5


class SingleView:
    """Depth, and normals where there are any, of one image at a time."""

    def __init__(
        self,
        network: SingleViewNetwork,
        device: str = "auto",
        precision: str = "auto",
        model: str = "",
        size: int = 0,
    ) -> None:
        self._device = choose_device(device)
        kind = "cuda" if self._device.type == "cuda" else "cpu"
        side = checked_side(size, _PATCH) or _SIDES[kind]
        self._sizing = Sizing(patch=_PATCH, long_side=side, square_ok=True)
        self._level = _LEVELS[kind]
        self.info = monocular_info(network.info, model, fingerprint(network), str(self._device))
        dtype = choose_precision(precision, self._device, int8=False)
        if kind == "cpu":
            fuse_blocks(network)
        network.set_backbone_dtype(dtype)
        self._network = network.to(self._device).eval().requires_grad_(False)
        if kind == "cpu":
            use_onednn(self._network, dtype, packs=True)
        self._remember(network)

    def _remember(self, network: SingleViewNetwork) -> None:
        """Of which kind the network is, and that nothing was said yet."""
        self._sees_sky = isinstance(network, DepthAnythingNetwork)
        self._keeps_behind = isinstance(network, Moge1)
        self._warned = False

    def predict(self, frame: Frame) -> MonocularPrediction:
        """What the image shows; where metres need a focal length that is not known, the usual one
        is assumed, and the log says so once."""
        item = prepare(frame, self._sizing)
        pixels = torch.from_numpy(item.pixels)[None].to(self._device)
        images = pixels.permute(0, 3, 1, 2).to(torch.float32).div(255)
        with torch.inference_mode():
            if self._sees_sky:
                depth, known, normals, camera = self._depth_anything(images, item)
            else:
                depth, known, normals, camera = self._moge(images, item)
        error = np.where(known, np.float32(_SHAPE_ERROR), np.float32(np.inf))
        depth = np.where(known, depth, np.float32(1.0))
        return MonocularPrediction(depth, error, normals, item.intrinsics or camera, item.placement)

    def _depth_anything(
        self, images: Tensor, item: Prepared
    ) -> tuple[np.ndarray, np.ndarray, None, None]:
        found = self._depth_of(images)
        depth = found.depth
        if self.info.metric:
            depth = metres(depth, self._focal(item))
        return _array(depth), _array(found.sky) < _SKY, None, None

    def _depth_of(self, images: Tensor) -> DepthPrediction:
        """Of a Depth Anything 3; images (1, 3, H, W) in [0, 1]."""
        assert isinstance(self._network, DepthAnythingNetwork)
        return self._network(images)

    def _points_of(self, images: Tensor) -> RawPoints:
        """Of a MoGe."""
        assert not isinstance(self._network, DepthAnythingNetwork)
        tokens = tokens_at(self._level, self._network.description.tokens)
        return self._network(images, tokens)

    def _focal(self, item: Prepared) -> float:
        """In the network's pixels."""
        if item.intrinsics is not None:
            return (item.intrinsics.fx + item.intrinsics.fy) / 2
        if not self._warned:
            self._warned = True
            logger.warning(
                "%s tells metres by the focal length, which is not known yet: 60 degrees of view"
                " are assumed, and lengths err as that does; camera_info makes them metres",
                self.info.model,
            )
        return assumed_focal(item.placement.size)

    def _moge(
        self, images: Tensor, item: Prepared
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, Intrinsics]:
        field = None if item.intrinsics is None else _field_of_view(item.intrinsics)
        aspect = images.shape[3] / images.shape[2]
        found = located(self._points_of(images), aspect, self._keeps_behind, field)
        normals = None if found.normals is None else _array(found.normals)
        depth = _array(found.depth)
        known = _array(found.mask) & np.isfinite(depth) & (depth > 0)
        return depth, known, normals, _camera(found.intrinsics[0], depth.shape)


def monocular_info(
    told: NetworkInfo, model: str, weights: str, device: str, name: str = "torch"
) -> MonocularInfo:
    """What the engine of a network of single images is and gives."""
    return MonocularInfo(
        name=name,
        model=model or told.family,
        model_hash=weights,
        metric=told.metric,
        scale_error=_SCALE_ERROR,
        normals="normals" in told.outputs,
        device=device,
    )


def _array(maps: Tensor) -> np.ndarray:
    return maps[0].cpu().numpy() if maps.dtype == torch.bool else maps[0].float().cpu().numpy()


def _field_of_view(camera: Intrinsics) -> float:
    """Horizontal, degrees."""
    return float(np.rad2deg(2 * np.arctan(camera.width / (2 * camera.fx))))


def _camera(K: Tensor, size: tuple[int, ...]) -> Intrinsics:
    """From a matrix in shares of the image's sides, to pixels whose centres are whole numbers."""
    height, width = size
    fx, fy, cx, cy = (float(K[i, j]) for i, j in ((0, 0), (1, 1), (0, 2), (1, 2)))
    return Intrinsics(fx * width, fy * height, cx * width - 0.5, cy * height - 0.5, width, height)
