# SPDX-License-Identifier: Apache-2.0
"""The network: encode each image once, decode pairs, ask heads for what is wanted."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import torch
from torch import Tensor, nn

from dens3r_ros.network.pairwise.backbone import Decoder, Encoder, States, Tokens
from dens3r_ros.network.pairwise.description import NetworkDescription, outputs_of
from dens3r_ros.network.pairwise.heads import DescriptorHead, NormalsHead, PointsHead
from dens3r_ros.network.parts.info import NetworkInfo
from dens3r_ros.network.parts.precision import to_dtype
from dens3r_ros.network.prediction import PairPrediction

View = Literal["a", "b"]


class Network(nn.Module):
    """A network of the DUSt3R, MASt3R, Dens3R family, built from its description.

    Whole pairs: `network(image_a, image_b)`. In stages, so that nothing is computed twice or in
    vain: `encode`, `decode`, then `points`, `descriptors` and `normals` of either view.
    """

    def __init__(self, description: NetworkDescription) -> None:
        super().__init__()
        self.description = description
        self.encoder = Encoder(description)
        self.decoder = Decoder(description)
        self.points_heads = nn.ModuleDict()
        self.descriptor_heads = nn.ModuleDict()
        for view in ("a", "b"):
            if description.points is not None:
                self.points_heads[view] = PointsHead(description, description.points)
            if description.descriptors is not None:
                head = DescriptorHead(description, description.descriptors)
                self.descriptor_heads[view] = head
        self.normals_head = NormalsHead(description) if description.normals else None
        self.apply(_initialise)

    @property
    def info(self) -> NetworkInfo:
        """What the network is and gives."""
        description = self.description
        return NetworkInfo(
            family=description.family,
            patch=description.patch,
            training_size=description.training_size,
            metric=description.metric,
            outputs=outputs_of(description),
            parameters=sum(parameter.numel() for parameter in self.parameters()),
            turn_portraits=description.turn_portraits,
            licence=description.licence,
        )

    def set_backbone_dtype(self, dtype: torch.dtype) -> Network:
        """Let linear layers of encoder and decoder work in `dtype`; norms and heads stay float32.

        In place, one layer at a time.
        """
        for part in (self.encoder, self.decoder):
            to_dtype(part, dtype)
        return self

    def encode(self, images: Tensor) -> Tokens:
        """Encode (B, 3, H, W) RGB images in [-1, 1]; H and W are multiples of the patch size."""
        return self.encoder(images)

    def decode(
        self, tokens_a: Tokens, tokens_b: Tokens, keep: Collection[int] | None = None
    ) -> tuple[States, States]:
        """Compare two batches of encoded images; the sizes of a and b may differ.

        `keep` names the layers to keep, the ones that heads read unless told otherwise.
        """
        kept = self.description.kept_layers if keep is None else keep
        return self.decoder(tokens_a, tokens_b, kept)

    def points(self, states: States, view: View) -> tuple[Tensor, Tensor | None]:
        """Points (B, H, W, 3) in a's optical frame, and confidence (B, H, W) where there is one."""
        return self.points_heads[view](states)

    def descriptors(self, states: States, view: View) -> tuple[Tensor, Tensor | None]:
        """Descriptors (B, H, W, D), and confidence (B, H, W) where they have their own."""
        return self.descriptor_heads[view](states)

    def normals(self, states: States) -> Tensor:
        """Normals (B, H, W, 3) of a view, in its own optical frame."""
        if self.normals_head is None:
            raise ValueError("this network has no normals")
        return self.normals_head(states)

    def forward(self, image_a: Tensor, image_b: Tensor) -> PairPrediction:
        """Everything the network knows of pairs of (B, 3, H, W) RGB images in [-1, 1]."""
        tokens = self._encode_pair(image_a, image_b)
        return self.predict(*self.decode(*tokens))

    def predict(self, states_a: States, states_b: States) -> PairPrediction:
        """Every map of both views."""
        return PairPrediction(**self._maps(states_a, "a"), **self._maps(states_b, "b"))

    def _encode_pair(self, image_a: Tensor, image_b: Tensor) -> tuple[Tokens, Tokens]:
        if image_a is image_b:
            tokens = self.encode(image_a)
            return tokens, tokens
        if image_a.shape != image_b.shape:
            return self.encode(image_a), self.encode(image_b)
        both = self.encode(torch.cat((image_a, image_b)))
        first, second = both.data.chunk(2)
        return Tokens(first, both.grid), Tokens(second, both.grid)

    def _maps(self, states: States, view: View) -> dict[str, Tensor | None]:
        maps: dict[str, Tensor | None] = {}
        if self.points_heads:
            maps["points"], maps["confidence"] = self.points(states, view)
        if self.descriptor_heads:
            maps["descriptors"], own = self.descriptors(states, view)
            maps["descriptor_confidence"] = maps["confidence"] if own is None else own
        if self.normals_head is not None:
            maps["normals"] = self.normals(states)
        return {f"{name}_{view}": value for name, value in maps.items()}


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
