# SPDX-License-Identifier: Apache-2.0
"""VGGT: cameras, depth and points of any number of views of a scene."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from dens3r_ros.network.multiview.checks import check_indices, check_outputs, check_views
from dens3r_ros.network.multiview.chunks import in_chunks
from dens3r_ros.network.multiview.description import VggtDescription
from dens3r_ros.network.multiview.pose_encoding import decode_intrinsics, decode_poses, invert
from dens3r_ros.network.multiview.prediction import ViewsPrediction
from dens3r_ros.network.multiview.vggt.backbone import PatchTokens, VggtBackbone
from dens3r_ros.network.multiview.vggt.camera_head import CameraHead
from dens3r_ros.network.parts.dense_head import DenseHead, to_confidence, to_depth
from dens3r_ros.network.parts.dinov2 import normalise
from dens3r_ros.network.parts.info import NetworkInfo
from dens3r_ros.network.parts.precision import to_dtype

VggtOutput = Literal["depth", "cameras", "points"]
ALL_OUTPUTS: tuple[VggtOutput, ...] = get_args(VggtOutput)
TRAINING_SIZE = (518, 392)


class VggtNetwork(nn.Module):
    """A VGGT network, built from its description, without its head for tracks.

    `encode` does once what concerns one view alone; `decode` compares views and runs the heads
    of the outputs that are wanted, and no others.
    """

    def __init__(self, description: VggtDescription) -> None:
        super().__init__()
        self.description = description
        width, head = 2 * description.block.width, description.head
        self.backbone = VggtBackbone(description)
        self.camera_head = CameraHead(width, description.camera_head)
        self.depth_head = DenseHead(width, head.layer_dims, head.features, 2, rectifies=True)
        self.points_head = DenseHead(width, head.layer_dims, head.features, 4, rectifies=True)

    @property
    def patch(self) -> int:
        """Both sides of every image are multiples of it."""
        return self.description.encoder.patch

    @property
    def info(self) -> NetworkInfo:
        """What the network is and gives."""
        return NetworkInfo(
            family="vggt",
            patch=self.patch,
            training_size=TRAINING_SIZE,
            metric=False,
            outputs=ALL_OUTPUTS,
            parameters=sum(parameter.numel() for parameter in self.parameters()),
            turn_portraits=False,
            licence=self.description.licence,
            views=0,
        )

    def encode(self, images: Tensor) -> PatchTokens:
        """Encode (B, 3, H, W) RGB images in [0, 1]; see `PatchTokens.split` for one by one."""
        return self.backbone.encode(normalise(images))

    def decode(
        self,
        views: Sequence[PatchTokens],
        outputs: Collection[VggtOutput] = ("depth", "cameras"),
        maps_of: Sequence[int] | None = None,
    ) -> ViewsPrediction:
        """Look at S views of each of B scenes together; every view holds one image per scene.

        There are maps only of the views `maps_of`, where it is given. The first view is the
        reference: the world is near its optical frame.
        """
        check_outputs(outputs, ALL_OUTPUTS)
        grid = check_views(views)
        check_indices(maps_of, len(views))
        tokens = self.backbone.decode(views)
        found: dict[str, Any] = {}
        if "cameras" in outputs:
            last = tokens[self.description.depth - 1]
            found |= self._cameras(last[:, :, 0], (grid[0] * self.patch, grid[1] * self.patch))
        if "depth" in outputs or "points" in outputs:
            which = slice(None) if maps_of is None else list(maps_of)
            hooked = [tokens[hook][:, which] for hook in self.description.hooks]
            found |= self._maps(hooked, grid, outputs)
        return ViewsPrediction(**found)

    def forward(
        self, images: Tensor, outputs: Collection[VggtOutput] = ALL_OUTPUTS
    ) -> ViewsPrediction:
        """Everything at once, from images (B, S, 3, H, W)."""
        return self.decode([self.encode(view) for view in images.unbind(1)], outputs)

    def set_backbone_dtype(self, dtype: torch.dtype) -> VggtNetwork:
        """Let linear layers of the backbone work in `dtype`; norms and heads stay float32."""
        to_dtype(self.backbone, dtype)
        return self

    def _cameras(self, tokens: Tensor, size: tuple[int, int]) -> dict[str, Tensor]:
        return cameras_of(self.camera_head(tokens), size)

    def _maps(
        self,
        tokens: Sequence[Tensor],
        grid: tuple[int, int],
        outputs: Collection[VggtOutput],
    ) -> dict[str, Tensor]:
        special = self.backbone.special
        layers = [layer[:, :, special:].flatten(0, 1) for layer in tokens]
        maps = in_chunks(layers, lambda chunk: self.maps(chunk, grid, outputs))
        return {name: value.unflatten(0, tokens[0].shape[:2]) for name, value in maps.items()}

    def maps(
        self, layers: Sequence[Tensor], grid: tuple[int, int], outputs: Collection[VggtOutput]
    ) -> dict[str, Tensor]:
        """What the dense heads say of some views, from the four layers that they read."""
        found = {}
        if "depth" in outputs:
            raw = self.depth_head(layers, grid)
            found["depth"], found["confidence"] = to_depth(raw[:, 0]), to_confidence(raw[:, 1])
        if "points" in outputs:
            raw = self.points_head(layers, grid)
            found["points"] = _to_points(raw[:, :3].permute(0, 2, 3, 1))
            found["points_confidence"] = to_confidence(raw[:, 3])
        return found


def cameras_of(encoding: Tensor, size: tuple[int, int]) -> dict[str, Tensor]:
    """Cameras (..., 9) as the network gives them, by field of the prediction."""
    return {
        "pose_encoding": encoding,
        "T_world_camera": invert(decode_poses(encoding)),
        "intrinsics": decode_intrinsics(encoding, size),
    }


def _to_points(raw: Tensor) -> Tensor:
    return raw.sign() * raw.abs().expm1()
