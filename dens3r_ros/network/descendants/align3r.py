# SPDX-License-Identifier: Apache-2.0
"""Align3R: a DUSt3R that is told the depth of each image from another network."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dens3r_ros.network.descendants.base import DescendantNetwork
from dens3r_ros.network.descendants.describing import (
    EXP_CONFIDENCE,
    Config,
    Shapes,
    own_name_in,
    pairwise_description,
    within,
)
from dens3r_ros.network.pairwise.backbone import States, Tokens
from dens3r_ros.network.pairwise.blocks import EncoderBlock
from dens3r_ros.network.pairwise.description import NetworkDescription, TransformerSize
from dens3r_ros.network.pairwise.network import Network
from dens3r_ros.network.prediction import PairPrediction


@dataclass(frozen=True)
class Align3RDescription:
    """What an Align3R is made of; `branch` blocks look at the points."""

    network: NetworkDescription
    branch: int


class Align3R(DescendantNetwork):
    """Pairs of images, each with a map of points from its own depth."""

    FAMILY, TITLE = "align3r", "Align3R"

    def __init__(self, description: Align3RDescription) -> None:
        super().__init__()
        self.description = description
        size, patch, branch = (
            description.network.decoder,
            description.network.patch,
            description.branch,
        )
        self.network = Network(description.network)
        self.point_embed = nn.Conv2d(3, size.width, patch, patch)
        of_branch = TransformerSize(size.width, branch, size.heads, size.mlp_width)
        self.point_blocks = nn.ModuleList(EncoderBlock(of_branch) for _ in range(branch))
        self.joins = nn.ModuleList(nn.Conv1d(size.width, size.width, 1) for _ in range(branch + 1))

    def encode(self, images: Tensor) -> Tokens:
        """Encode (B, 3, H, W) RGB images in [-1, 1]."""
        return self.network.encode(images)

    def forward(
        self, image_a: Tensor, image_b: Tensor, points_a: Tensor, points_b: Tensor
    ) -> PairPrediction:
        """Pairs of (B, 3, H, W) images in [-1, 1], with (B, H, W, 3) of `normalised_points`."""
        tokens = self.encode(image_a), self.encode(image_b)
        return self.network.predict(*self.decode(*tokens, points_a, points_b))

    def decode(
        self, a: Tokens, b: Tokens, points_a: Tensor, points_b: Tensor
    ) -> tuple[States, States]:
        """The layers that heads read; each view's points are added on the way."""
        decoder, kept = self.network.decoder, self.description.network.kept_layers
        views = (a, b)
        tables = [decoder.rope(view.grid, view.data.device) for view in views]
        clouds = [self._embedded(points) for points in (points_a, points_b)]
        streams = [
            decoder.embedded(view) + self._joined(0, cloud)
            for view, cloud in zip(views, clouds, strict=True)
        ]
        layers: tuple[dict[int, Tensor], ...] = ({0: a.data}, {0: b.data})
        for layer, block_a in enumerate(decoder.blocks_a):
            block_b = block_a if decoder.blocks_b is None else decoder.blocks_b[layer]
            x, y = streams
            streams = [block_a(x, y, *tables), block_b(y, x, *reversed(tables))]
            if layer < len(self.point_blocks):
                block = self.point_blocks[layer]
                clouds = [block(cloud, at) for cloud, at in zip(clouds, tables, strict=True)]
                streams = [
                    stream + self._joined(layer + 1, cloud)
                    for stream, cloud in zip(streams, clouds, strict=True)
                ]
            if layer + 1 in kept:
                is_last = layer + 1 == len(decoder.blocks_a)
                for found, stream in zip(layers, streams, strict=True):
                    found[layer + 1] = decoder.norm(stream) if is_last else stream
        return States(layers[0], a.grid), States(layers[1], b.grid)

    def _joined(self, join: int, cloud: Tensor) -> Tensor:
        return self.joins[join](cloud.mT).mT

    def _embedded(self, points: Tensor) -> Tensor:
        return self.point_embed(points.permute(0, 3, 1, 2)).flatten(2).transpose(1, 2)


def normalised_points(depth: Tensor, focal: Tensor | float) -> Tensor:
    """(B, H, W, 3) of depths (B, H, W) with their focal lengths in pixels, each axis from 0 to 1.

    Pixels are integers and the principal point is half the image's size, as in training.
    """
    height, width = depth.shape[1:]
    focal = torch.as_tensor(focal, dtype=depth.dtype, device=depth.device).reshape(-1, 1, 1)
    x = torch.arange(width, dtype=depth.dtype, device=depth.device) - width / 2
    y = torch.arange(height, dtype=depth.dtype, device=depth.device) - height / 2
    points = torch.stack((x * depth / focal, y[:, None] * depth / focal, depth), dim=-1)
    low, high = points.amin(dim=(1, 2), keepdim=True), points.amax(dim=(1, 2), keepdim=True)
    return (points - low) / (high - low)


def describe(shapes: Shapes, config: Config) -> Align3RDescription:
    """The description of a published checkpoint."""
    network = pairwise_description(config, within(shapes), conf_mode=EXP_CONFIDENCE, img_size=512)
    branch = len({key.split(".")[1] for key in shapes if key.startswith("dec_blocks_pc.")})
    return Align3RDescription(network, branch)


def own_name(key: str) -> str | None:
    """Our name for the tensor that published networks call `key`."""
    head, _, rest = key.partition(".")
    if head == "patch_embed_point_cloud":
        return f"point_embed.{rest.removeprefix('proj.')}"
    if head == "dec_blocks_pc":
        return f"point_blocks.{rest}"
    if head == "zero_convs":
        number, _, kind = rest.partition(".0.")
        return f"joins.{number}.{kind}"
    return own_name_in(key, "network.")
