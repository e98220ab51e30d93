# SPDX-License-Identifier: Apache-2.0
"""MV-DUSt3R and MV-DUSt3R+: many views in one pass, in the first one's frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dens3r_ros.network.descendants.base import DescendantNetwork
from dens3r_ros.network.descendants.describing import (
    Config,
    Shapes,
    own_name_in,
    pairwise_description,
    renamed,
    within,
)
from dens3r_ros.network.descendants.many_views import joined, step_views
from dens3r_ros.network.descendants.mvdust3r_heads import (
    RawSplats,
    SkipPointsHead,
    SplatHead,
    SplatSize,
)
from dens3r_ros.network.pairwise.backbone import Decoder, Encoder, States, Tokens
from dens3r_ros.network.pairwise.blocks import DecoderBlock
from dens3r_ros.network.pairwise.description import NetworkDescription
from dens3r_ros.network.parts.rope import Tables

PATHS = 4
"""Reference views of MV-DUSt3R+ as it is published."""
_CONFIDENCE = ("exp", 1.0, 1e9)


@dataclass(frozen=True, eq=False)
class ViewPoints:
    """Points (B, H, W, 3) of a view in the first one's optical frame, confidence (B, H, W)."""

    points: Tensor
    confidence: Tensor
    splats: RawSplats


@dataclass(frozen=True)
class MvDust3rDescription:
    """What an MV-DUSt3R is made of.

    skip_width  channels between the convolutions that look at the image again
    crosses     whether it looks from several references (MV-DUSt3R+)
    """

    network: NetworkDescription
    skip_width: int
    splats: SplatSize
    crosses: bool


class MvDust3r(DescendantNetwork):
    """Points and splats of all views of a scene."""

    FAMILY, TITLE = "mvdust3r", "MV-DUSt3R"
    VIEWS = 0
    OUTPUTS = ("points", "confidence", "splats")

    def __init__(self, description: MvDust3rDescription) -> None:
        super().__init__()
        self.description = description
        size = description.network
        self.encoder = Encoder(size)
        self.decoder = Decoder(size)
        self.same_view_blocks = (
            nn.ModuleList(DecoderBlock(size.decoder) for _ in range(size.decoder.depth))
            if description.crosses
            else None
        )
        self.points_heads = nn.ModuleDict(
            {view: SkipPointsHead(size, description.skip_width) for view in ("a", "b")}
        )
        self.splat_heads = nn.ModuleDict(
            {view: SplatHead(size, description.splats) for view in ("a", "b")}
        )

    @property
    def crosses(self) -> bool:
        """Whether it looks from several references."""
        return self.same_view_blocks is not None

    def encode(self, images: Tensor) -> Tokens:
        """Encode (B, 3, H, W) RGB images in [-1, 1]."""
        return self.encoder(images)

    def forward(self, images: Tensor, paths: int = PATHS) -> list[ViewPoints]:
        """Every view (V, 3, H, W) of one scene, in view 0's frame."""
        tokens = self.encode(images)
        views = [Tokens(one[None], tokens.grid) for one in tokens.data]
        return self.read(self.decode(views, paths)[0], list(images[:, None]), 0)

    def decode(self, views: Sequence[Tokens], paths: int = PATHS) -> list[list[States]]:
        """The last layer of every view, for every reference; only the first path is used.

        Fewer references are taken where there are fewer views.
        """
        paths = min(paths, len(views)) if self.crosses else 1
        tables = [self.decoder.rope(view.grid, view.data.device) for view in views]
        streams = [[self.decoder.embedded(view) for view in views] for _ in range(paths)]
        for layer in range(self.description.network.decoder.depth):
            streams = [
                step_views(self.decoder, layer, path, tables, reference)
                for reference, path in enumerate(streams)
            ]
            streams = self._crossed(layer, streams, tables)
        last = self.description.network.decoder.depth
        return [
            [
                States({0: view.data, last: self.decoder.norm(stream)}, view.grid)
                for view, stream in zip(views, path, strict=True)
            ]
            for path in streams
        ]

    def read(
        self, states: Sequence[States], images: Sequence[Tensor], reference: int
    ) -> list[ViewPoints]:
        """What the heads see in the last layer of each view (B, 3, H, W), in one path."""
        found = []
        for view, (state, image) in enumerate(zip(states, images, strict=True)):
            head = "a" if view == reference else "b"
            points, confidence = self.points_heads[head](state, image)
            found.append(ViewPoints(points, confidence, self.splat_heads[head](state)))
        return found

    def _crossed(
        self, layer: int, streams: list[list[Tensor]], tables: Sequence[Tables]
    ) -> list[list[Tensor]]:
        """Each view looks at itself as the other paths see it."""
        if self.same_view_blocks is None or len(streams) == 1:
            return streams
        block = self.same_view_blocks[layer]
        crossed = []
        for path, views in enumerate(streams):
            others = [other for other in range(len(streams)) if other != path]
            crossed.append(
                [
                    block(
                        stream,
                        torch.cat([streams[other][view] for other in others], dim=1),
                        tables[view],
                        joined([tables[view]] * len(others)),
                    )
                    for view, stream in enumerate(views)
                ]
            )
        return crossed


_OWN = {
    "downstream_head1.skip_proj.": "points_heads.a.skip_proj.",
    "downstream_head2.skip_proj.": "points_heads.b.skip_proj.",
    "downstream_GS_head.0.": "splat_heads.a.",
    "downstream_GS_head.1.": "splat_heads.b.",
    "dec_same_view_blocks.": "same_view_blocks.",
}


def describe(shapes: Shapes, config: Config) -> MvDust3rDescription:
    """The description of a published checkpoint."""
    network = pairwise_description(config, within(shapes), conf_mode=_CONFIDENCE, img_size=224)
    hidden = shapes["downstream_GS_head.0.mlp_rgb.0.weight"][0]
    coefficients = shapes["downstream_GS_head.0.mlp_rgb.2.weight"][0] // (3 * network.patch**2)
    skip_width = shapes["downstream_head1.skip_proj.0.conv.weight"][0]
    crosses = any(key.startswith("dec_same_view_blocks.") for key in shapes)
    return MvDust3rDescription(network, skip_width, SplatSize(hidden, coefficients), crosses)


def own_name(key: str) -> str | None:
    """Our name for the tensor that published networks call `key`."""
    return renamed(key, _OWN) or own_name_in(key)
