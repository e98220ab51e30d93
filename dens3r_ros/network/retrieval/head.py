# SPDX-License-Identifier: Apache-2.0
"""MASt3R's retrieval head: tokens of its encoder to features that tell images apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dens3r_ros.network.parts.info import NetworkInfo

_NORM_EPSILON = 1e-5
_USUAL_FEATURES = 300
_LICENCE = "non-commercial use only (the published weights and what is made of them)"


@dataclass(frozen=True)
class RetrievalDescription:
    """What a retrieval head is made of.

    width      of the encoder's tokens
    hidden     widths of the projector's layers, empty without one
    residual   whether what the projector gives is added to what it took
    features   features kept of an image; a negative number is a share of its tokens
    """

    width: int
    hidden: tuple[int, ...] = ()
    prewhitens: bool = True
    postwhitens: bool = False
    residual: bool = False
    features: float = _USUAL_FEATURES


class Whitener(nn.Module):
    """Takes a mean away and turns the rest, in double precision."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.m = nn.Parameter(torch.zeros(1, width, dtype=torch.float64))
        self.p = nn.Parameter(torch.eye(width, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return ((x.double() - self.m) @ self.p).to(x.dtype)


class RetrievalHead(nn.Module):
    """Features of images from tokens (B, N, width) of the encoder, after its last norm."""

    def __init__(self, description: RetrievalDescription) -> None:
        super().__init__()
        self.description = description
        self.prewhiten = Whitener(description.width) if description.prewhitens else None
        self.projector = _projector(description.width, description.hidden)
        out = description.hidden[-1] if description.hidden else description.width
        self.postwhiten = Whitener(out) if description.postwhitens else None

    @property
    def info(self) -> NetworkInfo:
        """What the head is and gives."""
        return NetworkInfo(
            family="retrieval",
            patch=16,
            training_size=(512, 384),
            metric=False,
            outputs=("features",),
            parameters=sum(parameter.numel() for parameter in self.parameters()),
            turn_portraits=False,
            licence=_LICENCE,
            views=1,
        )

    def set_backbone_dtype(self, dtype: torch.dtype) -> RetrievalHead:
        """Nothing to change: the backbone is another network's."""
        return self

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """(B, N, D) features and (B, N) attention: how much each tells."""
        x = tokens if self.prewhiten is None else self.prewhiten(tokens)
        features = self.projector(x)
        if self.description.residual:
            features = features + x
        attention = features.norm(dim=-1)
        return (features if self.postwhiten is None else self.postwhiten(features)), attention

    def local(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """(B, L, D) features that tell most, first of all, and (B, L) whose tokens they are."""
        features, attention = self(tokens)
        wanted, there = self.description.features, tokens.shape[1]
        count = int(-wanted * there) if wanted < 0 else int(wanted)
        index = attention.topk(min(count, there), dim=1).indices
        return features.take_along_dim(index[..., None], dim=1), index

    def whole(self, tokens: Tensor) -> Tensor:
        """(B, D) one unit vector for each image."""
        features, attention = self(tokens)
        return F.normalize((attention[..., None] * features).sum(dim=1), dim=-1)


def describe(
    shapes: Mapping[str, tuple[int, ...]], config: Mapping[str, Any]
) -> RetrievalDescription:
    """The description of a published checkpoint; `config` tells `residual` and `nfeat`."""
    layers = sorted(
        (int(match[1]), shape[0])
        for key, shape in shapes.items()
        if (match := re.fullmatch(r"projector\.(\d+)\.weight", key)) and len(shape) == 2
    )
    prewhitens = "prewhiten.m" in shapes
    first = "prewhiten.m" if prewhitens else "projector.0.weight"
    return RetrievalDescription(
        width=shapes[first][1],
        hidden=tuple(width for _, width in layers),
        prewhitens=prewhitens,
        postwhitens="postwhiten.m" in shapes,
        residual=bool(config.get("residual", False)),
        features=config.get("nfeat") or _USUAL_FEATURES,
    )


def own_name(key: str) -> str | None:
    """Our name for the tensor that published heads call `key`: the same."""
    return key


def is_unused(key: str) -> bool:
    """Whether the tensor is of the backbone, which is another network's."""
    return key.startswith("backbone.")


def _projector(width: int, hidden: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for number, following in enumerate(hidden, start=1):
        layers.append(nn.Linear(width, following))
        if number < len(hidden):
            layers += [nn.LayerNorm(following, _NORM_EPSILON), nn.GELU()]
        width = following
    return nn.Sequential(*layers)
