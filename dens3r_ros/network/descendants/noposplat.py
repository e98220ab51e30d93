# SPDX-License-Identifier: Apache-2.0
"""NoPoSplat: splats of two or three calibrated views without their poses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dens3r_ros.network.descendants.base import DescendantNetwork
from dens3r_ros.network.descendants.dense_heads import ImageHead, own_head_name, trunk_size
from dens3r_ros.network.descendants.describing import (
    Config,
    Shapes,
    own_name_in,
    pairwise_description,
)
from dens3r_ros.network.descendants.describing import is_unused as unused_in_family
from dens3r_ros.network.descendants.gaussians import PixelSplats
from dens3r_ros.network.descendants.many_views import joined, step_views
from dens3r_ros.network.pairwise.backbone import Decoder, Encoder, States, Tokens
from dens3r_ros.network.pairwise.description import DptSize, NetworkDescription
from dens3r_ros.network.pairwise.heads import PointsHead
from dens3r_ros.network.pairwise.keys import canonical
from dens3r_ros.network.parts.rope import RotaryEmbedding, Tables

_SCALE_UNIT, _LARGEST_SCALE = 0.001, 0.3
_HARMONICS_SHARE, _HARMONICS_FALL = 0.1, 0.25
_BEFORE_HARMONICS = 8
_BACKBONE = "backbone."


class IntrinsicsEncoder(Encoder):
    """Images and their intrinsics to tokens: the last one is the camera's."""

    def __init__(self, description: NetworkDescription) -> None:
        super().__init__(description)
        self.intrinsics = nn.Linear(9, description.encoder.width)

    def tokens(self, images: Tensor, intrinsics: Tensor) -> Tokens:
        """(B, 3, H, W) in [-1, 1], (B, 3, 3) with rows in widths and heights of the image."""
        grid = (images.shape[2] // self.patch, images.shape[3] // self.patch)
        dtype = self.patch_embed.weight.dtype
        patches = self.patch_embed(images.to(dtype)).flatten(2).transpose(1, 2)
        camera = self.intrinsics(intrinsics.flatten(1).to(dtype))[:, None]
        x = torch.cat((patches, camera), dim=1).float()
        return Tokens(self.compared(x, tables_with_camera(self.rope, grid, x.device)), grid)


@dataclass(frozen=True)
class NoPoSplatDescription:
    """What a NoPoSplat is made of; each colour has so many `coefficients`."""

    network: NetworkDescription
    splats: DptSize
    coefficients: int


class NoPoSplat(DescendantNetwork):
    """Splats of every pixel of all views, in the first view's optical frame, up to scale."""

    FAMILY, TITLE = "noposplat", "NoPoSplat"
    VIEWS = 0
    OUTPUTS = ("splats",)

    def __init__(self, description: NoPoSplatDescription) -> None:
        super().__init__()
        self.description = description
        size = description.network
        if size.points is None:
            raise ValueError("no points")
        self.encoder = IntrinsicsEncoder(size)
        self.decoder = Decoder(size)
        self.points_heads = nn.ModuleDict(
            {view: PointsHead(size, size.points) for view in ("a", "b")}
        )
        channels = _BEFORE_HARMONICS + 3 * description.coefficients
        self.splat_heads = nn.ModuleDict(
            {view: ImageHead(size, description.splats, channels) for view in ("a", "b")}
        )

    def encode(self, images: Tensor, intrinsics: Tensor) -> Tokens:
        """Encode (B, 3, H, W) images in [-1, 1] with (B, 3, 3) normalised intrinsics."""
        return self.encoder.tokens(images, intrinsics)

    def forward(self, images: Tensor, intrinsics: Tensor) -> PixelSplats:
        """Splats of V views (B, V, 3, H, W) with their (B, V, 3, 3) normalised intrinsics."""
        tokens = [
            self.encode(*view) for view in zip(images.unbind(1), intrinsics.unbind(1), strict=True)
        ]
        return self.splats(self.decode(tokens), images.unbind(1))

    def decode(self, views: Sequence[Tokens]) -> list[States]:
        """The layers that heads read, of every view; the camera's token is left out of them."""
        tables = [tables_with_camera(self.decoder.rope, v.grid, v.data.device) for v in views]
        streams = [self.decoder.embedded(view) for view in views]
        kept: list[dict[int, Tensor]] = [{0: view.data[:, :-1]} for view in views]
        depth = self.description.network.decoder.depth
        for layer in range(1, depth + 1):
            streams = step_views(self.decoder, layer - 1, streams, tables)
            if layer in self.description.network.kept_layers:
                for view, stream in zip(kept, streams, strict=True):
                    view[layer] = (self.decoder.norm(stream) if layer == depth else stream)[:, :-1]
        return [States(layers, view.grid) for layers, view in zip(kept, views, strict=True)]

    def splats(self, states: Sequence[States], images: Sequence[Tensor]) -> PixelSplats:
        """What the heads make of the states and images (B, 3, H, W) of all views."""
        means, raw = [], []
        for view, (state, image) in enumerate(zip(states, images, strict=True)):
            head = "a" if view == 0 else "b"
            means.append(self.points_heads[head](state)[0])
            raw.append(self.splat_heads[head](state, image))
        return _activated(torch.stack(means, dim=1), torch.stack(raw, dim=1))


def tables_with_camera(
    rope: RotaryEmbedding, grid: tuple[int, int], device: torch.device
) -> Tables:
    """Tables of all patches, and of the camera's token below the first column."""
    below = rope((grid[0] + 1, 1), device)
    return joined([rope(grid, device), (below[0][-1:], below[1][-1:])])


def _activated(means: Tensor, raw: Tensor) -> PixelSplats:
    opacities = raw[..., 0].sigmoid()
    scales = (_SCALE_UNIT * F.softplus(raw[..., 1:4])).clamp(max=_LARGEST_SCALE)
    quaternions = raw[..., 4:_BEFORE_HARMONICS]
    rotations = quaternions / (quaternions.norm(dim=-1, keepdim=True) + 1e-8)
    harmonics = raw[..., _BEFORE_HARMONICS:].unflatten(-1, (3, -1))
    return PixelSplats(means, scales, rotations, harmonics * _shares(harmonics), opacities)


def _shares(harmonics: Tensor) -> Tensor:
    """How much each coefficient counts: the finer, the less."""
    degrees = torch.arange(harmonics.shape[-1], device=harmonics.device).sqrt().floor()
    shares = _HARMONICS_SHARE * _HARMONICS_FALL**degrees
    return torch.where(degrees == 0, 1.0, shares)


_OWN = {
    "gaussian_param_head.dpt.": "splat_heads.a.",
    "gaussian_param_head2.dpt.": "splat_heads.b.",
}


def describe(shapes: Shapes, config: Config) -> NoPoSplatDescription:
    """The description of a published checkpoint."""
    flat = {canonical(key.removeprefix(_BACKBONE)): shape for key, shape in shapes.items()}
    network = pairwise_description(config, flat, img_size=256)
    channels = flat["gaussian_param_head.dpt.head.4.weight"][0]
    coefficients = (channels - _BEFORE_HARMONICS) // 3
    splats = trunk_size("gaussian_param_head.dpt", flat)
    return NoPoSplatDescription(network, splats, coefficients)


def own_name(key: str) -> str | None:
    """Our name for the tensor that published networks call `key`."""
    key = canonical(key.removeprefix(_BACKBONE))
    for theirs, ours in _OWN.items():
        if key.startswith(theirs):
            return ours + own_head_name(key[len(theirs) :])
    if key.startswith("intrinsic_encoder."):
        return "encoder.intrinsics." + key.rpartition(".")[2]
    return own_name_in(key)


def is_unused(key: str) -> bool:
    """Whether files carry this tensor without its being read."""
    return unused_in_family(key.removeprefix(_BACKBONE))
