# SPDX-License-Identifier: Apache-2.0
"""A network of many views as parts to be exported: encoder, decoder, and the head of depth.

The first dimension of the decoder's inputs are the views of one scene, as many as there are, the
reference first: which one that is, and how views are ordered, is left to who runs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn

from dens3r_ros.engines.onnx.part import PartToExport
from dens3r_ros.network.multiview.any_view import AnyViewNetwork
from dens3r_ros.network.multiview.any_view_backbone import SceneTokens
from dens3r_ros.network.multiview.vggt.network import VggtNetwork
from dens3r_ros.network.parts.dinov2 import DinoEmbedding

DEPTH: tuple[Literal["depth"]] = ("depth",)
LAYERS = tuple(f"layer_{number}" for number in range(4))
"""What the decoder gives to the head of depth."""


def parts_of_views(
    network: AnyViewNetwork | VggtNetwork, size: tuple[int, int]
) -> Iterator[PartToExport]:
    """Every part, for images of `size` (height, width)."""
    grid = (size[0] // network.patch, size[1] // network.patch)
    images = {"images": torch.rand(2, 3, *size)}
    encoder: nn.Module
    decoder: nn.Module
    if isinstance(network, AnyViewNetwork):
        encoder, decoder = _AnyViewEncoder(network, grid), _AnyViewDecoder(network, grid)
        outputs, given = any_view_encodings(network), encoder(images["images"])
        taken = {n: t for n, t in zip(outputs, given, strict=True) if n != "summary"}
    else:
        encoder, decoder = _VggtEncoder(network, grid), _VggtDecoder(network, grid)
        outputs = ("tokens",)
        taken = {"tokens": encoder(images["images"])}
    yield PartToExport("encoder", encoder, images, outputs)
    yield PartToExport("decoder", decoder, taken, ("pose_encoding", *LAYERS), listed=True)
    layers = dict(zip(LAYERS, decoder(*taken.values())[1:], strict=True))
    depth = ("depth", "confidence")
    yield PartToExport("depth", _DepthHead(network, grid), layers, depth, listed=True)


def any_view_encodings(network: AnyViewNetwork) -> tuple[str, ...]:
    """What the encoder of a Depth Anything 3 gives: the last of it are layers that heads read."""
    description = network.description
    early = (hook for hook in description.hooks if hook < description.cross_from)
    return ("tokens", "summary", *(f"early_{block}" for block in early))


class WithPositions(nn.Module):
    """Keeps the positions that an encoder resamples for one grid of patches: resampled by an ONNX
    runtime they would be others."""

    def __init__(self, embedding: DinoEmbedding, grid: tuple[int, int]) -> None:
        super().__init__()
        with torch.no_grad():
            kept = embedding.positions(grid).clone()
        embedding.positions = lambda _: kept  # type: ignore


def forget_positions(network: nn.Module) -> None:
    """Let a network resample positions itself again."""
    for module in network.modules():
        if isinstance(module, DinoEmbedding):
            module.__dict__.pop("positions", None)


class _AnyViewEncoder(WithPositions):
    def __init__(self, network: AnyViewNetwork, grid: tuple[int, int]) -> None:
        super().__init__(network.backbone, grid)
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        found = self.network.encode(images)
        return (found.data, found.summary, *found.early.values())


class _AnyViewDecoder(nn.Module):
    def __init__(self, network: AnyViewNetwork, grid: tuple[int, int]) -> None:
        super().__init__()
        self.network, self.grid = network, grid

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        network, hooks = self.network, self.network.description.hooks
        tokens, *rest = (tensor[None] for tensor in tensors)
        early = dict(zip(hooks, rest, strict=False))
        cameras = network.backbone.camera_tokens(tokens.shape[1])
        scenes = network.backbone.compare(tokens.clone(), early, cameras, self.grid)
        last: SceneTokens = scenes[hooks[-1]]
        camera = torch.cat((last.local[:, :, 0], last.joined[:, :, 0]), dim=-1)
        layers = (network.layer(scenes[hook]) for hook in hooks)
        return (network.camera_decoder(camera)[0], *layers)


class _VggtEncoder(WithPositions):
    def __init__(self, network: VggtNetwork, grid: tuple[int, int]) -> None:
        super().__init__(network.backbone.encoder, grid)
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network.encode(images).data


class _VggtDecoder(nn.Module):
    def __init__(self, network: VggtNetwork, grid: tuple[int, int]) -> None:
        super().__init__()
        self.network, self.grid = network, grid

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        backbone, description = self.network.backbone, self.network.description
        found = backbone.compare(backbone.with_special(tensors[0][None]), self.grid)
        encoding = self.network.camera_head(found[description.depth - 1][:, :, 0])
        layers = (found[hook][0, :, backbone.special :] for hook in description.hooks)
        return (encoding[0], *layers)


class _DepthHead(nn.Module):
    def __init__(self, network: AnyViewNetwork | VggtNetwork, grid: tuple[int, int]) -> None:
        super().__init__()
        self.network, self.grid = network, grid

    def forward(self, *layers: Tensor) -> tuple[Tensor, Tensor]:
        found = self.network.maps(layers, self.grid, DEPTH)
        return found["depth"], found["confidence"]
