# SPDX-License-Identifier: Apache-2.0
"""Splatt3R: a MASt3R that gives splats in metres beside its points and descriptors."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
from dens3r_ros.network.descendants.gaussians import PixelSplats
from dens3r_ros.network.pairwise.backbone import States
from dens3r_ros.network.pairwise.description import DptSize, NetworkDescription
from dens3r_ros.network.pairwise.dpt import DptHead
from dens3r_ros.network.pairwise.keys import canonical, own_dpt_name
from dens3r_ros.network.pairwise.network import Network, View
from dens3r_ros.network.pairwise.published import dpt_size
from dens3r_ros.network.prediction import PairPrediction

_BESIDE_HARMONICS = 11
_SH_CONSTANT = 0.28209479177387814
"""The harmonic of degree 0."""
_OFFSET_SHRINK = 6.0


@dataclass(frozen=True)
class Splatt3RDescription:
    """What a Splatt3R is made of; each colour has so many `coefficients`."""

    network: NetworkDescription
    splats: DptSize
    coefficients: int


class Splatt3R(DescendantNetwork):
    """Pairs of images to a pairwise prediction and splats of both views."""

    FAMILY, TITLE = "splatt3r", "Splatt3R"
    OUTPUTS = ("points", "confidence", "descriptors", "descriptor_confidence", "splats")

    def __init__(self, description: Splatt3RDescription) -> None:
        super().__init__()
        self.description = description
        self.network = Network(description.network)
        with_splats = replace(description.network, dpt=description.splats)
        channels = _BESIDE_HARMONICS + 3 * description.coefficients
        self.splat_heads = nn.ModuleDict(
            {view: DptHead(with_splats, channels) for view in ("a", "b")}
        )

    def forward(self, image_a: Tensor, image_b: Tensor) -> tuple[PairPrediction, PixelSplats]:
        """Pairs of (B, 3, H, W) RGB images in [-1, 1]; splats of both views, in a's frame."""
        tokens = self.network.encode(image_a), self.network.encode(image_b)
        states = self.network.decode(*tokens)
        prediction = self.network.predict(*states)
        assert prediction.points_a is not None and prediction.points_b is not None
        views = (
            self.splats(states[0], image_a, prediction.points_a, "a"),
            self.splats(states[1], image_b, prediction.points_b, "b"),
        )
        return prediction, _stacked(*views)

    def splats(self, states: States, images: Tensor, points: Tensor, view: View) -> PixelSplats:
        """Splats (B, H, W, ...) of one view, from its image in [-1, 1] and its points."""
        raw = self.splat_heads[view](states)
        offset, scales, rotation, harmonics, opacity = raw.split(
            (3, 3, 4, raw.shape[-1] - _BESIDE_HARMONICS, 1), dim=-1
        )
        return PixelSplats(
            means=points + _small(offset),
            scales=scales.exp(),
            rotations=rotation / (rotation.norm(dim=-1, keepdim=True) + 1e-8),
            harmonics=_with_colour(harmonics.unflatten(-1, (3, -1)), images),
            opacities=opacity.squeeze(-1).sigmoid(),
        )


def _small(raw: Tensor) -> Tensor:
    """Offsets that begin near nothing and grow exponentially, in the direction of `raw`."""
    length = raw.norm(dim=-1, keepdim=True)
    grown = torch.exp(length - _OFFSET_SHRINK) - torch.exp(raw.new_tensor(-_OFFSET_SHRINK))
    return raw / length.clamp(min=1e-8) * grown


def _with_colour(harmonics: Tensor, images: Tensor) -> Tensor:
    """Harmonics (B, H, W, 3, K) are predicted as what the pixel's own colour lacks."""
    rgb = (images.permute(0, 2, 3, 1) + 1) / 2
    constant = harmonics[..., :1] + ((rgb - 0.5) / _SH_CONSTANT)[..., None]
    return torch.cat((constant, harmonics[..., 1:]), dim=-1)


def _stacked(a: PixelSplats, b: PixelSplats) -> PixelSplats:
    pairs = ((getattr(a, name), getattr(b, name)) for name in a.__dataclass_fields__)
    return PixelSplats(*(torch.stack(pair, dim=1) for pair in pairs))


_OWN = {
    "downstream_head1.gaussian_dpt.dpt.": "splat_heads.a.",
    "downstream_head2.gaussian_dpt.dpt.": "splat_heads.b.",
}


def describe(shapes: Shapes, config: Config) -> Splatt3RDescription:
    """The description of a published checkpoint."""
    shapes = within(shapes)
    mlp = shapes["downstream_head1.head_local_features.fc2.weight"][0]
    patch = shapes["patch_embed.proj.weight"][-1]
    network = pairwise_description(
        config,
        shapes,
        output_mode=f"pts3d+desc{mlp // patch**2 - 1}",
        conf_mode=EXP_CONFIDENCE,
        # Not that of the metric MASt3R, though its weights are within.
        desc_conf_mode=EXP_CONFIDENCE,
        two_confs=True,
        img_size=512,
    )
    channels = shapes["downstream_head1.gaussian_dpt.dpt.head.4.weight"][0]
    return Splatt3RDescription(
        replace(network, metric=True),
        dpt_size("downstream_head1.gaussian_dpt.dpt", shapes),
        (channels - _BESIDE_HARMONICS) // 3,
    )


def own_name(key: str) -> str | None:
    """Our name for the tensor that published networks call `key`."""
    key = canonical(key)
    for theirs, ours in _OWN.items():
        if key.startswith(theirs):
            return ours + own_dpt_name(key[len(theirs) :])
    return own_name_in(key, "network.")
