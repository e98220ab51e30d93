# SPDX-License-Identifier: Apache-2.0
"""DAS3R: a MonST3R that tells which pixels move."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from dens3r_ros.network.descendants.base import DescendantNetwork
from dens3r_ros.network.descendants.dense_heads import MaskHead, own_head_name, trunk_size
from dens3r_ros.network.descendants.describing import (
    EXP_CONFIDENCE,
    Config,
    Shapes,
    own_name_in,
    pairwise_description,
    within,
)
from dens3r_ros.network.pairwise.backbone import States
from dens3r_ros.network.pairwise.description import DptSize, NetworkDescription
from dens3r_ros.network.pairwise.keys import canonical
from dens3r_ros.network.pairwise.network import Network, View
from dens3r_ros.network.prediction import PairPrediction


@dataclass(frozen=True)
class Das3rDescription:
    """What a DAS3R is made of."""

    network: NetworkDescription
    mask: DptSize


class Das3r(DescendantNetwork):
    """Pairs of images to a pairwise prediction, and how likely each pixel is to move."""

    FAMILY, TITLE = "das3r", "DAS3R"
    OUTPUTS = ("points", "confidence", "moving")

    def __init__(self, description: Das3rDescription) -> None:
        super().__init__()
        self.description = description
        size, mask = description.network, description.mask
        self.network = Network(size)
        self.mask_heads = nn.ModuleDict({view: MaskHead(size, mask) for view in ("a", "b")})

    def moving(self, states: States, view: View) -> Tensor:
        """(B, H, W) from 0 (still) to 1 (moves)."""
        return self.mask_heads[view](states)

    def forward(
        self, image_a: Tensor, image_b: Tensor
    ) -> tuple[PairPrediction, tuple[Tensor, Tensor]]:
        """Pairs of (B, 3, H, W) RGB images in [-1, 1]: the prediction, and both views' masks."""
        tokens = self.network.encode(image_a), self.network.encode(image_b)
        a, b = self.network.decode(*tokens)
        return self.network.predict(a, b), (self.moving(a, "a"), self.moving(b, "b"))


_OWN = {
    "downstream_head_dynamic_mask1.dpt.": "mask_heads.a.",
    "downstream_head_dynamic_mask2.dpt.": "mask_heads.b.",
}


def describe(shapes: Shapes, config: Config) -> Das3rDescription:
    """The description of a published checkpoint."""
    shapes = within(shapes)
    network = pairwise_description(config, shapes, conf_mode=EXP_CONFIDENCE, img_size=512)
    return Das3rDescription(network, trunk_size("downstream_head_dynamic_mask1.dpt", shapes))


def own_name(key: str) -> str | None:
    """Our name for the tensor that published networks call `key`."""
    key = canonical(key)
    for theirs, ours in _OWN.items():
        if key.startswith(theirs):
            return ours + own_head_name(key[len(theirs) :])
    return own_name_in(key, "network.")
