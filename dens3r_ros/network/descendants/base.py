# SPDX-License-Identifier: Apache-2.0
"""What every descendant of the pairwise family says of itself."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import nn

from dens3r_ros.network.pairwise.description import BackboneSize, NetworkDescription
from dens3r_ros.network.parts.info import NetworkInfo
from dens3r_ros.network.parts.precision import to_dtype

NON_COMMERCIAL = "non-commercial use only (the published weights and what is made of them)"


class DescendantNetwork(nn.Module):
    """A network made of a pairwise encoder and decoder and of parts of its own.

    FAMILY   its kind
    TITLE    its name for people
    VIEWS    images that it looks at together; 0 where it takes any number
    OUTPUTS  names of what it gives
    """

    FAMILY: ClassVar[str]
    TITLE: ClassVar[str]
    VIEWS: ClassVar[int] = 2
    OUTPUTS: ClassVar[tuple[str, ...]] = ("points", "confidence")

    description: Any

    @property
    def inner(self) -> NetworkDescription | BackboneSize:
        """The description of the pairwise network inside."""
        return self.description.network

    @property
    def info(self) -> NetworkInfo:
        """What the network is and gives."""
        inner = self.inner
        return NetworkInfo(
            family=self.FAMILY,
            patch=inner.patch,
            training_size=getattr(inner, "training_size", (512, 384)),
            metric=getattr(inner, "metric", False),
            outputs=self.OUTPUTS,
            parameters=sum(parameter.numel() for parameter in self.parameters()),
            turn_portraits=False,
            licence=NON_COMMERCIAL,
            views=self.VIEWS,
        )

    def set_backbone_dtype(self, dtype: torch.dtype) -> DescendantNetwork:
        """Let linear layers of encoder and decoder work in `dtype`; the rest stays float32."""
        for name, part in self.named_modules():
            if name.removeprefix("network.") in ("encoder", "decoder"):
                to_dtype(part, dtype)
        return self
