# SPDX-License-Identifier: Apache-2.0
"""Splatt3R: a MASt3R that gives splats in metres beside its points and descriptors."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from dens3r_ros.network.checkpoints.layout import Arguments, Layout, Shapes
from dens3r_ros.network.descendants.describing import (
    EXP_CONFIDENCE,
    is_unused,
    named_in_network,
    pairwise_description,
)
from dens3r_ros.network.descendants.gaussians import PixelSplats
from dens3r_ros.network.pairwise.backbone import States
from dens3r_ros.network.pairwise.description import DptSize, NetworkDescription
from dens3r_ros.network.pairwise.dpt import DptHead
from dens3r_ros.network.pairwise.keys import canonical, own_dpt_name
from dens3r_ros.network.pairwise.network import Network, View
from dens3r_ros.network.prediction import PairPrediction
from dens3r_ros.network.pairwise.published import dpt_size

_BESIDE_HARMONICS = 11
_SH_CONSTANT = 0.28209479177387814
"""The harmonic of degree 0."""
_OFFSET_SHRINK = 6.0


class Splatt3R(nn.Module):
    """Pairs of images to a pairwise prediction and splats of both views."""

    def __init__(
        self, description: NetworkDescription, splats: DptSize, coefficients: int
    ) -> None:
        super().__init__()
        self.network = Network(description)
        with_splats = replace(description, dpt=splats)
        channels = _BESIDE_HARMONICS + 3 * coefficients
        self.splat_heads = nn.ModuleDict(
            {view: DptHead(with_splats, channels) for view in ("a", "b")}
        )

    @property
    def description(self) -> NetworkDescription:
        """Of the pairwise network."""
        return self.network.description

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


def _make(arguments: Arguments, shapes: Shapes) -> Splatt3R:
    mlp, patch = (
        shapes["downstream_head1.head_local_features.fc2.weight"][0],
        shapes["patch_embed.proj.weight"][-1],
    )
    description = pairwise_description(
        arguments,
        shapes,
        output_mode=f"pts3d+desc{mlp // patch**2 - 1}",
        conf_mode=EXP_CONFIDENCE,
        # Not that of the metric MASt3R, though its weights are within.
        desc_conf_mode=EXP_CONFIDENCE,
        two_confs=True,
        img_size=512,
    )
    channels = shapes["downstream_head1.gaussian_dpt.dpt.head.4.weight"][0]
    return Splatt3R(
        replace(description, metric=True),
        dpt_size("downstream_head1.gaussian_dpt.dpt", shapes),
        (channels - _BESIDE_HARMONICS) // 3,
    )


_OWN = {
    "downstream_head1.gaussian_dpt.dpt.": "splat_heads.a.",
    "downstream_head2.gaussian_dpt.dpt.": "splat_heads.b.",
}


def _own_name(key: str) -> str | None:
    for theirs, ours in _OWN.items():
        if key.startswith(theirs):
            return ours + own_dpt_name(key[len(theirs) :])
    return named_in_network(key)


SPLATT3R = Layout(
    "Splatt3R",
    ("enc_norm.weight", "downstream_head1.gaussian_dpt.dpt.head.4.weight"),
    _make,
    _own_name,
    is_unused,
    canonical,
    prefix="encoder.",
)
