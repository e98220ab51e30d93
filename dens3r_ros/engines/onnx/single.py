# SPDX-License-Identifier: Apache-2.0
"""Runs an exported network of single images with onnxruntime, beside geometry."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from dens3r_ros.engines.onnx.manifest import ExportManifest, load_export, network_of
from dens3r_ros.engines.onnx.sessions import OnnxConfig, Sessions
from dens3r_ros.engines.onnx.single_parts import NETWORK
from dens3r_ros.engines.preprocess import Sizing
from dens3r_ros.engines.single_view import SingleView, SingleViewNetwork, monocular_info
from dens3r_ros.network.checkpoints.moge_families import Moge
from dens3r_ros.network.monocular.depth_anything import DepthPrediction
from dens3r_ros.network.monocular.moge.raw import RawPoints
from dens3r_ros.network.monocular.sky import fill_sky


class ExportedSingleView:
    """The part of an export, in place of the network that was exported."""

    def __init__(self, folder: Path, manifest: ExportManifest, config: OnnxConfig) -> None:
        network = network_of(manifest)
        if not isinstance(network, SingleViewNetwork):
            raise ValueError(f"{folder} holds a network that looks at more than one image")
        self.without_weights, self.manifest = network, manifest
        self.sessions = Sessions(folder, manifest, config)

    def depth(self, images: Tensor) -> DepthPrediction:
        """Of a Depth Anything 3, for (B, 3, H, W) images in [0, 1] of the export's size."""
        found = self._run({"images": images})
        depth, sky = found["depth"], found["sky"]
        return DepthPrediction(depth, sky, fill_sky(depth, sky))

    def points(self, images: Tensor) -> RawPoints:
        """The same of a MoGe."""
        assert isinstance(self.without_weights, Moge)
        patched = self.without_weights.patched(images, self.manifest.tokens)
        return RawPoints(**self._run({"patched": patched}))

    def _run(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        arrays = {name: tensor.contiguous().numpy() for name, tensor in tensors.items()}
        found = self.sessions.run(NETWORK, arrays)
        return {name: torch.from_numpy(array) for name, array in found.items()}


class OnnxSingleView(SingleView):
    """Depth, and normals where there are any, of one image at a time; images of another shape than
    the export's are cut to it."""

    def __init__(self, folder: Path, config: OnnxConfig | None = None) -> None:
        manifest = load_export(folder)
        self._exported = ExportedSingleView(folder, manifest, config or OnnxConfig())
        self._device = torch.device("cpu")
        self._sizing = Sizing(patch=1, fixed=manifest.size)
        told, device = self._exported.without_weights.info, self._exported.sessions.device(NETWORK)
        self.info = monocular_info(told, manifest.model, manifest.weights, device, "onnx")
        self._remember(self._exported.without_weights)

    def _depth_of(self, images: Tensor) -> DepthPrediction:
        return self._exported.depth(images)

    def _points_of(self, images: Tensor) -> RawPoints:
        return self._exported.points(images)
