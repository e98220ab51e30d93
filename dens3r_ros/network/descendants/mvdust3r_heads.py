# SPDX-License-Identifier: Apache-2.0
"""MV-DUSt3R's heads: points that look at the image once more, and splats."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dens3r_ros.network.pairwise.backbone import States
from dens3r_ros.network.pairwise.description import NetworkDescription
from dens3r_ros.network.pairwise.heads import LinearHead, to_confidence, to_points, unfold

_SKIP_SHARE = 1e-4
_SCALE_UNIT = 0.1
_NORM_EPSILON = 1e-5
_SKIP_KERNELS = (3, 5, 5, 3)


@dataclass(frozen=True)
class SplatSize:
    """Widths of the splat head, and how many coefficients each colour has."""

    hidden: int
    coefficients: int


@dataclass(frozen=True, eq=False)
class RawSplats:
    """Splats of one view's pixels (B, H, W, ...), whose centres are its points.

    colours    (..., 3 * coefficients), -1 to 1 where there is one coefficient of each
    opacities  (..., 1) from 0 to 1
    scales     (..., 3) of any sign: only their squares mean something
    rotations  (..., 4) unit quaternions w, x, y, z
    """

    colours: Tensor
    opacities: Tensor
    scales: Tensor
    rotations: Tensor


class FrozenNorm(nn.Module):
    """Batch normalisation by the statistics of training."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.running_mean = nn.Parameter(torch.zeros(width), requires_grad=False)
        self.running_var = nn.Parameter(torch.ones(width), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, eps=_NORM_EPSILON
        )


class SkipLayer(nn.Module):
    """A convolution, its norm, and a SELU except after the last."""

    def __init__(self, channels: int, out: int, kernel: int, is_last: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel, padding=kernel // 2)
        self.norm = FrozenNorm(out)
        self.is_last = is_last

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.conv(x))
        return x if self.is_last else F.selu(x)


class SkipPointsHead(nn.Module):
    """Points and confidence of one view; the image has a small say beside the tokens."""

    def __init__(self, description: NetworkDescription, skip_width: int) -> None:
        super().__init__()
        if description.points is None or description.confidence is None:
            raise ValueError("no points with confidence")
        self.mode, self.limits = description.points, description.confidence
        self.raw = LinearHead(description, 4)
        widths = (6, skip_width, skip_width, skip_width, 3)
        self.skip_proj = nn.Sequential(
            *(
                SkipLayer(widths[layer], widths[layer + 1], kernel, layer == 3)
                for layer, kernel in enumerate(_SKIP_KERNELS)
            )
        )

    def forward(self, states: States, images: Tensor) -> tuple[Tensor, Tensor]:
        """(B, H, W, 3) points and (B, H, W) confidence; `images` are those of the view."""
        raw = self.raw(states)
        seen = torch.cat((images, raw[..., :3].permute(0, 3, 1, 2)), dim=1)
        xyz = raw[..., :3] + _SKIP_SHARE * self.skip_proj(seen).permute(0, 2, 3, 1)
        return to_points(xyz, self.mode), to_confidence(raw[..., 3], self.limits)


class SplatHead(nn.Module):
    """What of a splat is not its centre, for every pixel of a view."""

    def __init__(self, description: NetworkDescription, size: SplatSize) -> None:
        super().__init__()
        width = description.decoder.width
        self.patch, self.last = description.patch, description.decoder.depth
        self.norm = nn.LayerNorm(width, _NORM_EPSILON)

        def mlp(channels: int) -> nn.Sequential:
            out = channels * self.patch**2
            return nn.Sequential(
                nn.Linear(width, size.hidden, bias=False),
                nn.ReLU(),
                nn.Linear(size.hidden, out, bias=False),
            )

        self.mlp_rgb = mlp(3 * size.coefficients)
        self.mlp_opacity = mlp(1)
        self.mlp_scale2 = mlp(3)
        self.mlp_rotation = mlp(4)

    def forward(self, states: States) -> RawSplats:
        tokens = self.norm(states.layers[self.last].float())
        colours, opacities, scales, rotations = (
            unfold(mlp(tokens), states.grid, self.patch)
            for mlp in (self.mlp_rgb, self.mlp_opacity, self.mlp_scale2, self.mlp_rotation)
        )
        return RawSplats(
            colours=colours,
            opacities=opacities.sigmoid(),
            scales=_SCALE_UNIT * scales,
            rotations=rotations / rotations.norm(dim=-1, keepdim=True).clamp(min=1e-5),
        )
