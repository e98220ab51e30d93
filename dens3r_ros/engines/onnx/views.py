# SPDX-License-Identifier: Apache-2.0
"""Runs an exported network of many views with onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from dens3r_ros.engines.onnx.manifest import ExportManifest, load_export, network_of
from dens3r_ros.engines.onnx.sessions import OnnxConfig, Sessions
from dens3r_ros.engines.onnx.view_parts import any_view_encodings
from dens3r_ros.engines.preprocess import Sizing
from dens3r_ros.engines.torch_engine import TorchConfig
from dens3r_ros.engines.views.engine import ViewsEngine, ViewsNetwork, ViewsTokens, engine_info
from dens3r_ros.network.multiview import any_view
from dens3r_ros.network.multiview.any_view import AnyViewNetwork
from dens3r_ros.network.multiview.any_view_backbone import ViewTokens
from dens3r_ros.network.multiview.chunks import in_chunks
from dens3r_ros.network.multiview.prediction import ViewsPrediction
from dens3r_ros.network.multiview.reference import back_again, bring_forward, choose_reference
from dens3r_ros.network.multiview.vggt import network as vggt
from dens3r_ros.network.multiview.vggt.backbone import PatchTokens


class OnnxViewsEngine(ViewsEngine):
    """Encodes each frame once and compares kept encodings, two or more at a time.

    Images of another shape than the export's are cut to it.
    """

    def __init__(self, folder: Path, config: OnnxConfig | None = None) -> None:
        given = config or OnnxConfig()
        self.manifest = load_export(folder)
        self.config = TorchConfig("cpu", "fp32", exact=given.exact)
        self.device = torch.device("cpu")
        exported = ExportedViews(folder, self.manifest, given)
        self.network = exported
        model, size = exported.without_weights, self.manifest.size
        self.sizing = Sizing(patch=model.patch, fixed=size)
        told = engine_info(model, max(size), self.manifest.model, self.manifest.precision)
        device = exported.sessions.device("encoder", "decoder")
        self.info = replace(told, name="onnx", model_hash=self.manifest.weights, device=device)


class ExportedViews:
    """The parts of an export behind `encode` and `decode` of the network that was exported."""

    def __init__(self, folder: Path, manifest: ExportManifest, config: OnnxConfig) -> None:
        network = network_of(manifest)
        if not isinstance(network, ViewsNetwork):
            raise ValueError(f"{folder} holds a network that does not look at many views")
        self.without_weights = network
        self.sessions = Sessions(folder, manifest, config)
        self._size = manifest.size
        self._grid = (manifest.size[0] // network.patch, manifest.size[1] // network.patch)

    def encode(self, images: Tensor) -> ViewsTokens:
        """As the network's own."""
        found = self._run("encoder", {"images": images})
        if not isinstance(self.without_weights, AnyViewNetwork):
            return PatchTokens(found["tokens"], self._grid)
        early = {
            int(name.removeprefix("early_")): found[name]
            for name in any_view_encodings(self.without_weights)[2:]
        }
        return ViewTokens(found["tokens"], found["summary"], early, self._grid)

    def decode(
        self,
        views: Sequence[ViewsTokens],
        outputs: object = None,
        maps_of: Sequence[int] | None = None,
    ) -> ViewsPrediction:
        """Depth and cameras, as the network's own; scenes are looked at one by one."""
        count, which = len(views[0].data), range(len(views)) if maps_of is None else maps_of
        scenes = [self._scene([_of_scene(view, n) for view in views], which) for n in range(count)]
        together = {name: torch.stack([one[name] for one in scenes]) for name in scenes[0]}
        encoding = together.pop("pose_encoding")
        kind = any_view if isinstance(self.without_weights, AnyViewNetwork) else vggt
        return ViewsPrediction(**together, **kind.cameras_of(encoding, self._size))

    def _scene(self, views: Sequence[ViewsTokens], maps_of: Sequence[int]) -> dict[str, Tensor]:
        """Depth, confidence of some views and pose encoding of all, of views with a first
        dimension of 1."""
        order = _reference_first(views)
        ordered = [views[index] for index in order]
        found = self._run("decoder", _joined(ordered))
        back = back_again(torch.tensor([order]))[0]
        encoding = found.pop("pose_encoding")[back]
        layers = [found[name][back[list(maps_of)]] for name in sorted(found)]
        return in_chunks(layers, self._depth) | {"pose_encoding": encoding}

    def _depth(self, layers: Sequence[Tensor]) -> dict[str, Tensor]:
        return self._run("depth", {f"layer_{n}": layer for n, layer in enumerate(layers)})

    def _run(self, part: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        arrays = {name: tensor.contiguous().numpy() for name, tensor in tensors.items()}
        found = self.sessions.run(part, arrays)
        return {name: torch.from_numpy(array) for name, array in found.items()}


def _of_scene(view: ViewsTokens, scene: int) -> ViewsTokens:
    if isinstance(view, ViewTokens):
        return view[scene : scene + 1]
    return PatchTokens(view.data[scene : scene + 1], view.grid)


def _reference_first(views: Sequence[ViewsTokens]) -> list[int]:
    """Depth Anything 3 chooses a reference among three or more; VGGT's is the first."""
    if not all(isinstance(view, ViewTokens) for view in views):
        return list(range(len(views)))
    summaries = torch.stack([view.summary for view in views if isinstance(view, ViewTokens)], dim=1)
    chosen = choose_reference(summaries, "saddle_balanced")
    return bring_forward(chosen, len(views))[0].tolist()


def _joined(views: Sequence[ViewsTokens]) -> dict[str, Tensor]:
    joined = {"tokens": torch.cat([view.data for view in views])}
    first = views[0]
    if isinstance(first, ViewTokens):
        for block in first.early:
            early = [view.early[block] for view in views if isinstance(view, ViewTokens)]
            joined[f"early_{block}"] = torch.cat(early)
    return joined
