# SPDX-License-Identifier: Apache-2.0
"""A network of pairs as parts to be exported: encoder, decoder, and each head by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from dens3r_ros.engines.onnx.part import PartToExport
from dens3r_ros.network.pairwise.backbone import States, Tokens
from dens3r_ros.network.pairwise.network import Network


class _Encoder(nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.encoder = network.encoder

    def forward(self, images: Tensor) -> Tensor:
        return self.encoder(images).data


class _Decoder(nn.Module):
    def __init__(self, network: Network, grid: tuple[int, int], layers: Sequence[int]) -> None:
        super().__init__()
        self.decoder, self.grid, self.layers = network.decoder, grid, layers

    def forward(self, tokens_a: Tensor, tokens_b: Tensor) -> tuple[Tensor, ...]:
        a, b = Tokens(tokens_a, self.grid), Tokens(tokens_b, self.grid)
        states = self.decoder(a, b, self.layers)
        return tuple(state.layers[layer] for state in states for layer in self.layers)


class _Head(nn.Module):
    def __init__(self, head: nn.Module, grid: tuple[int, int], layers: Sequence[int]) -> None:
        super().__init__()
        self.head, self.grid, self.layers = head, grid, layers

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        layers = dict(zip(self.layers, tensors, strict=True))
        maps = self.head(States(layers, self.grid))
        maps = maps if isinstance(maps, tuple) else (maps,)
        return tuple(one for one in maps if one is not None)


def parts_of_pairs(network: Network, size: tuple[int, int]) -> Iterator[PartToExport]:
    """Every part, for images of `size` (height, width)."""
    description = network.description
    grid = size[0] // description.patch, size[1] // description.patch
    kept = description.kept_layers
    decoded = [layer for layer in kept if layer]
    tokens = {
        layer: torch.rand(2, grid[0] * grid[1], description.layer_width(layer)) for layer in kept
    }
    images = {"images": torch.rand(2, 3, *size) * 2 - 1}
    yield PartToExport("encoder", _Encoder(network), images, ("tokens",))
    pair = {"tokens_a": tokens[0], "tokens_b": tokens[0].flip(0)}
    states = tuple(f"{view}_{layer}" for view in "ab" for layer in decoded)
    yield PartToExport("decoder", _Decoder(network, grid, decoded), pair, states)
    layers = {f"layer_{layer}": tensor for layer, tensor in tokens.items()}
    for name, head, outputs in _heads(network):
        yield PartToExport(name, _Head(head, grid, kept), layers, outputs, listed=True)


def _heads(network: Network) -> Iterator[tuple[str, nn.Module, tuple[str, ...]]]:
    description = network.description
    for view, head in network.points_heads.items():
        confident = description.confidence is not None
        yield f"points_{view}", head, ("points", *["confidence"] * confident)
    for view, head in network.descriptor_heads.items():
        assert description.descriptors is not None
        confident = description.descriptors.confidence is not None
        yield f"descriptors_{view}", head, ("descriptors", *["descriptor_confidence"] * confident)
    if network.normals_head is not None:
        yield "normals", network.normals_head, ("normals",)
