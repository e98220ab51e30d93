# SPDX-License-Identifier: Apache-2.0
"""DAS3R: a MonST3R that tells which pixels move."""

from __future__ import annotations

from torch import Tensor, nn

from dens3r_ros.network.checkpoints.layout import Arguments, Layout, Shapes
from dens3r_ros.network.descendants.dense_heads import MaskHead, own_head_name, trunk_size
from dens3r_ros.network.descendants.describing import (
    EXP_CONFIDENCE,
    is_unused,
    named_in_network,
    pairwise_description,
)
from dens3r_ros.network.pairwise.backbone import States
from dens3r_ros.network.pairwise.description import DptSize, NetworkDescription
from dens3r_ros.network.pairwise.keys import canonical
from dens3r_ros.network.pairwise.network import Network, View
from dens3r_ros.network.prediction import PairPrediction


class Das3r(nn.Module):
    """Pairs of images to a pairwise prediction, and how likely each pixel is to move."""

    def __init__(self, description: NetworkDescription, mask: DptSize) -> None:
        super().__init__()
        self.network = Network(description)
        self.mask_heads = nn.ModuleDict({view: MaskHead(description, mask) for view in ("a", "b")})

    @property
    def description(self) -> NetworkDescription:
        """Of the pairwise network."""
        return self.network.description

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


def _make(arguments: Arguments, shapes: Shapes) -> Das3r:
    description = pairwise_description(
        arguments, shapes, conf_mode=EXP_CONFIDENCE, img_size=512
    )
    return Das3r(description, trunk_size("downstream_head_dynamic_mask1.dpt", shapes))


_OWN = {
    "downstream_head_dynamic_mask1.dpt.": "mask_heads.a.",
    "downstream_head_dynamic_mask2.dpt.": "mask_heads.b.",
}


def _own_name(key: str) -> str | None:
    for theirs, ours in _OWN.items():
        if key.startswith(theirs):
            return ours + own_head_name(key[len(theirs) :])
    return named_in_network(key)


DAS3R = Layout(
    "DAS3R",
    ("enc_norm.weight", "downstream_head_dynamic_mask1.dpt.head.4.weight"),
    _make,
    _own_name,
    is_unused,
    canonical,
)
