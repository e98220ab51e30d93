# SPDX-License-Identifier: Apache-2.0
"""Depth Anything 3 for one image: depth, relative or metric, and sky."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dens3r_ros.network.monocular.sky import fill_sky
from dens3r_ros.network.parts.dense_head import DenseHead, last_layers, to_depth
from dens3r_ros.network.parts.dense_size import DenseSize, Hooks, check_hooks
from dens3r_ros.network.parts.dinov2 import DinoEncoder, DinoSize, normalise, patch_grid
from dens3r_ros.network.parts.info import NetworkInfo
from dens3r_ros.network.parts.precision import to_dtype

METRIC_FOCAL = 300.0
"""Focal length, pixels, at which a metric network's depth is in metres."""
OUTPUTS = ("depth", "sky")
TRAINING_SIZE = (504, 378)


@dataclass(frozen=True)
class DepthAnythingDescription:
    """A Depth Anything 3 network for one image.

    hooks   blocks that the head reads
    metric  whether depth is in metres for a camera of focal length `METRIC_FOCAL`; the tensors
            of the relative and of the metric network look alike
    """

    encoder: DinoSize
    head: DenseSize
    hooks: Hooks
    metric: bool = False
    licence: str = "unknown"

    def __post_init__(self) -> None:
        check_hooks(self.hooks, self.encoder.depth)


@dataclass(frozen=True, eq=False)
class DepthPrediction:
    """Maps of a batch of images.

    depth_raw  (B, H, W) float32 z-depth as the network gives it, also where there is sky
    sky        (B, H, W) float32, from 0 (none) up; see `is_sky`
    depth      (B, H, W) float32: `depth_raw` with all sky of the batch put far away
    """

    depth_raw: Tensor
    sky: Tensor
    depth: Tensor


class DepthAnythingNetwork(nn.Module):
    """A Depth Anything 3 network for one image, built from its description."""

    def __init__(self, description: DepthAnythingDescription) -> None:
        super().__init__()
        self.description = description
        head = description.head
        self.backbone = DinoEncoder(description.encoder)
        self.head = DenseHead(
            description.encoder.width,
            head.layer_dims,
            head.features,
            1,
            positions=False,
            normalises=False,
        )
        self.sky_out = last_layers(head.features // 2, 1)

    @property
    def patch(self) -> int:
        """Both sides of every image are multiples of it."""
        return self.description.encoder.patch

    @property
    def info(self) -> NetworkInfo:
        """What the network is and gives."""
        return NetworkInfo(
            family="da3-metric" if self.description.metric else "da3-mono",
            patch=self.patch,
            training_size=TRAINING_SIZE,
            metric=self.description.metric,
            outputs=OUTPUTS,
            parameters=sum(parameter.numel() for parameter in self.parameters()),
            turn_portraits=False,
            licence=self.description.licence,
            views=1,
        )

    def forward(self, images: Tensor) -> DepthPrediction:
        """Depth and sky of (B, 3, H, W) RGB images in [0, 1]."""
        depth, sky = self.seen(images)
        return DepthPrediction(depth, sky, fill_sky(depth, sky))

    def seen(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """`depth_raw` and `sky` of the prediction."""
        grid = patch_grid(images, self.patch)
        hooked = self.backbone(normalise(images), self.description.hooks)
        shared = self.head.enlarged([tokens[:, 1:] for tokens in hooked], grid)
        return to_depth(self.head.out(shared)[:, 0]), F.relu(self.sky_out(shared)[:, 0])

    def set_backbone_dtype(self, dtype: torch.dtype) -> DepthAnythingNetwork:
        """Let linear layers of the backbone work in `dtype`; norms and heads stay float32."""
        to_dtype(self.backbone, dtype)
        return self


def metres(depth: Tensor, focal: Tensor | float) -> Tensor:
    """Depth (..., H, W) of a metric network in metres, for focal lengths (...) in pixels.

    The focal length is the mean of the horizontal and the vertical one at the network's resolution.
    """
    factor = torch.as_tensor(focal, dtype=depth.dtype, device=depth.device) / METRIC_FOCAL
    return depth * factor[..., None, None]
