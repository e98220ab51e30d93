# SPDX-License-Identifier: Apache-2.0
"""A network of single images as the one part that is exported of it.

What is not a network's is left to who runs it: resizing a MoGe's images, filling sky, and finding
the camera.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from dens3r_ros.engines.onnx.part import PartToExport
from dens3r_ros.engines.onnx.view_parts import WithPositions
from dens3r_ros.network.checkpoints.moge_families import Moge
from dens3r_ros.network.monocular.depth_anything import DepthAnythingNetwork
from dens3r_ros.network.monocular.moge.first import Moge1
from dens3r_ros.network.parts.dinov2 import patch_grid

NETWORK = "network"


def parts_of_single_images(
    network: DepthAnythingNetwork | Moge, size: tuple[int, int], tokens: int
) -> Iterator[PartToExport]:
    """The part, for images of `size` (height, width); a MoGe looks with about `tokens` patches."""
    images = torch.rand(2, 3, *size)
    if isinstance(network, DepthAnythingNetwork):
        part: nn.Module = _DepthAnything(network, patch_grid(images, network.patch))
        yield PartToExport(NETWORK, part, {"images": images}, ("depth", "sky"))
        return
    patched = network.patched(images, tokens)
    part = _Moge(network, patch_grid(patched, 14), size, tokens)
    yield PartToExport(NETWORK, part, {"patched": patched}, moge_outputs(network))


def moge_outputs(network: Moge) -> tuple[str, ...]:
    """Fields of `RawPoints` that the network fills."""
    if isinstance(network, Moge1):
        return ("points", "mask")
    normals = () if network.normal_head is None else ("normals",)
    return ("points", "mask", *normals, *(() if network.scale_head is None else ("scale",)))


class _DepthAnything(WithPositions):
    def __init__(self, network: DepthAnythingNetwork, grid: tuple[int, int]) -> None:
        super().__init__(network.backbone, grid)
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.network.seen(images)


class _Moge(WithPositions):
    def __init__(
        self, network: Moge, grid: tuple[int, int], size: tuple[int, int], tokens: int
    ) -> None:
        encoder = network.backbone if isinstance(network, Moge1) else network.encoder.backbone
        super().__init__(encoder, grid)
        self.network, self.size, self.tokens = network, size, tokens

    def forward(self, patched: Tensor) -> tuple[Tensor, ...]:
        found = self.network.seen(patched, self.size, self.tokens)
        return tuple(getattr(found, name) for name in moge_outputs(self.network))
