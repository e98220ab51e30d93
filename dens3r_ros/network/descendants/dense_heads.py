# SPDX-License-Identifier: Apache-2.0
"""Dense heads that end otherwise than those of the pairwise family."""

from __future__ import annotations

from dataclasses import replace

import torch.nn.functional as F
from torch import Tensor, nn

from dens3r_ros.network.descendants.describing import Shapes
from dens3r_ros.network.pairwise.backbone import States
from dens3r_ros.network.pairwise.description import DptSize, NetworkDescription
from dens3r_ros.network.pairwise.dpt import DptTrunk
from dens3r_ros.network.pairwise.keys import own_dpt_name
from dens3r_ros.network.parts.dpt import resize

_PARTS = {
    "act_postprocess.": "resample.",
    "input_merger.0.": "look.",
    "head.0.": "mix.",
    "head.4.": "out.",
}


def trunk_size(prefix: str, shapes: Shapes) -> DptSize:
    """Channels of such a head, whose tensors begin so."""
    first, second, third, fourth = (
        shapes[f"{prefix}.act_postprocess.{level}.0.weight"][0] for level in range(4)
    )
    mixed, features = shapes[f"{prefix}.head.0.weight"][:2]
    return DptSize(features, mixed, (first, second, third, fourth))


def own_head_name(rest: str) -> str:
    """Our name for a tensor of such a head."""
    return own_dpt_name(rest, _PARTS)


class ImageHead(DptTrunk):
    """Raw (B, H, W, channels) from tokens, and from the image at its full resolution."""

    def __init__(self, description: NetworkDescription, size: DptSize, channels: int) -> None:
        super().__init__(replace(description, dpt=size))
        self.look = nn.Conv2d(3, size.feature_dim, 7, padding=3)
        self.mix = nn.Conv2d(size.feature_dim, size.last_dim, 3, padding=1, bias=False)
        self.out = nn.Conv2d(size.last_dim, channels, 1)

    def forward(self, states: States, images: Tensor) -> Tensor:
        """`images` (B, 3, H, W) in [-1, 1] are those of the view."""
        x = resize(self.fused(states), self.image_size(states)) + F.relu(self.look(images))
        return self.out(F.relu(self.mix(x))).permute(0, 2, 3, 1)


class MaskHead(DptTrunk):
    """(B, H, W) from 0 to 1, worked out at half the resolution."""

    def __init__(self, description: NetworkDescription, size: DptSize) -> None:
        super().__init__(replace(description, dpt=size))
        self.mix = nn.Conv2d(size.feature_dim, size.last_dim, 3, padding=1, bias=False)
        self.out = nn.Conv2d(size.last_dim, 1, 1)

    def forward(self, states: States) -> Tensor:
        raw = self.out(F.relu(self.mix(self.fused(states))))
        return resize(raw, self.image_size(states)).squeeze(1).sigmoid()
