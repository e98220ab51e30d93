# SPDX-License-Identifier: Apache-2.0
"""Depth Anything 3 for any number of views of a scene: depth, cameras and rays."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from dens3r_ros.network.multiview.any_view_backbone import (
    AnyViewBackbone,
    SceneTokens,
    ViewTokens,
)
from dens3r_ros.network.multiview.camera_parts import CameraDecoder, CameraEncoder, Cameras
from dens3r_ros.network.multiview.checks import check_indices, check_outputs, check_views
from dens3r_ros.network.multiview.chunks import in_chunks
from dens3r_ros.network.multiview.description import AnyViewDescription
from dens3r_ros.network.multiview.pose_encoding import decode_intrinsics, decode_poses
from dens3r_ros.network.multiview.prediction import ViewsPrediction
from dens3r_ros.network.multiview.rays_head import RaysHead
from dens3r_ros.network.multiview.reference import (
    ReferenceRule,
    back_again,
    bring_forward,
    choose_reference,
)
from dens3r_ros.network.parts.dense_head import DenseHead, to_confidence, to_depth
from dens3r_ros.network.parts.dinov2 import normalise
from dens3r_ros.network.parts.info import NetworkInfo
from dens3r_ros.network.parts.precision import to_dtype

AnyViewOutput = Literal["depth", "cameras", "rays"]
ALL_OUTPUTS: tuple[AnyViewOutput, ...] = get_args(AnyViewOutput)
_LEAST_TANGENT = 1e-6


class AnyViewNetwork(nn.Module):
    """A Depth Anything 3 network, built from its description.

    `encode` does once what concerns one view alone; `decode` compares views and runs the heads
    of the outputs that are wanted, and no others.
    """

    def __init__(self, description: AnyViewDescription) -> None:
        super().__init__()
        self.description = description
        width = description.encoder.width
        head = description.head
        self.backbone = AnyViewBackbone(description)
        self.depth_head = DenseHead(
            2 * width, head.layer_dims, head.features, 2, patch=description.encoder.patch
        )
        self.rays_head = RaysHead(head.features)
        self.camera_decoder = CameraDecoder(2 * width)
        self.camera_encoder = (
            None
            if description.camera_encoder is None
            else CameraEncoder(width, description.camera_encoder)
        )

    @property
    def patch(self) -> int:
        """Both sides of every image are multiples of it."""
        return self.description.encoder.patch

    @property
    def info(self) -> NetworkInfo:
        """What the network is and gives."""
        return NetworkInfo(
            family="da3",
            patch=self.patch,
            training_size=self.description.training_size,
            metric=False,
            outputs=ALL_OUTPUTS,
            parameters=sum(parameter.numel() for parameter in self.parameters()),
            turn_portraits=False,
            licence=self.description.licence,
            views=0,
        )

    def encode(self, images: Tensor) -> ViewTokens:
        """Encode (B, 3, H, W) RGB images in [0, 1]; see `ViewTokens.split` for one by one."""
        return self.backbone.encode(normalise(images))

    def decode(
        self,
        views: Sequence[ViewTokens],
        outputs: Collection[AnyViewOutput] = ("depth", "cameras"),
        cameras: Cameras | None = None,
        reference: ReferenceRule | int = "saddle_balanced",
        maps_of: Sequence[int] | None = None,
    ) -> ViewsPrediction:
        """Look at S views of each of B scenes together; every view holds one image per scene.

        The prediction has the views in the order given; maps only of the views `maps_of`, where
        it is given. With `cameras` the network is told what they are, and there is no reference
        view.
        """
        check_outputs(outputs, ALL_OUTPUTS)
        grid = check_views(views)
        check_indices(maps_of, len(views))
        chosen, order, tokens = None, None, None
        if cameras is None:
            summaries = torch.stack([view.summary for view in views], dim=1)
            chosen = choose_reference(summaries, reference)
            if bool((chosen != 0).any()):
                order = bring_forward(chosen, len(views))
        else:
            tokens = self._camera_tokens(cameras, self._size(grid))
        back = None if order is None else back_again(order)
        which = _selection(maps_of, back, views)
        wanted = None if maps_of is None else which
        scenes = self.backbone.decode(views, order, tokens, wanted)
        found = self.read(scenes, grid, outputs, back, which)
        return ViewsPrediction(**found, reference=chosen)

    def read(
        self,
        scenes: Mapping[int, SceneTokens],
        grid: tuple[int, int],
        outputs: Collection[AnyViewOutput],
        back: Tensor | None = None,
        which: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """What the heads say of tokens that the backbone compared, by field of the prediction.

        `back` (B, S) undoes the order of views there, `which` (B, K) are those of the maps.
        """
        found: dict[str, Tensor] = {}
        if "cameras" in outputs:
            last = scenes[self.description.hooks[-1]]
            found |= self._cameras(last if back is None else last.taken(back), self._size(grid))
        if "depth" in outputs or "rays" in outputs:
            read = (scenes[hook] for hook in self.description.hooks)
            layers = [layer if which is None else layer.taken(which) for layer in read]
            found |= self._maps(layers, grid, outputs)
        return found

    def forward(
        self,
        images: Tensor,
        outputs: Collection[AnyViewOutput] = ALL_OUTPUTS,
        cameras: Cameras | None = None,
        reference: ReferenceRule | int = "saddle_balanced",
    ) -> ViewsPrediction:
        """Everything at once, from images (B, S, 3, H, W)."""
        views = [self.encode(view) for view in images.unbind(1)]
        return self.decode(views, outputs, cameras, reference)

    def set_backbone_dtype(self, dtype: torch.dtype) -> AnyViewNetwork:
        """Let linear layers of the backbone work in `dtype`; norms and heads stay float32."""
        to_dtype(self.backbone, dtype)
        return self

    def _size(self, grid: tuple[int, int]) -> tuple[int, int]:
        return grid[0] * self.patch, grid[1] * self.patch

    def _camera_tokens(self, cameras: Cameras, size: tuple[int, int]) -> Tensor:
        if self.camera_encoder is None:
            raise ValueError("this network cannot be told cameras")
        return self.camera_encoder(cameras, size)

    def _cameras(self, last: SceneTokens, size: tuple[int, int]) -> dict[str, Tensor]:
        token = torch.cat((last.local[:, :, 0], last.joined[:, :, 0]), dim=-1)
        return cameras_of(self.camera_decoder(token), size)

    def _maps(
        self,
        scenes: Sequence[SceneTokens],
        grid: tuple[int, int],
        outputs: Collection[AnyViewOutput],
    ) -> dict[str, Tensor]:
        layers = [self.layer(tokens) for tokens in scenes]
        maps = in_chunks(layers, lambda chunk: self.maps(chunk, grid, outputs))
        shape = scenes[0].joined.shape[:2]
        return {name: value.unflatten(0, shape) for name, value in maps.items()}

    def layer(self, tokens: SceneTokens) -> Tensor:
        """What heads read, (B * S, rows * columns, 2 * width); only the second half is normed."""
        joined = self.backbone.norm(tokens.joined[:, :, 1:])
        return torch.cat((tokens.local[:, :, 1:], joined), dim=-1).flatten(0, 1)

    def maps(
        self, layers: Sequence[Tensor], grid: tuple[int, int], outputs: Collection[AnyViewOutput]
    ) -> dict[str, Tensor]:
        """What the dense heads say of some views, from the four layers that they read."""
        head, found = self.depth_head, {}
        laterals = head.laterals(layers, grid)
        if "depth" in outputs:
            raw = head.out(head.full(head.fusion.fuse(laterals), grid))
            found["depth"], found["confidence"] = to_depth(raw[:, 0]), to_confidence(raw[:, 1])
        if "rays" in outputs:
            found["rays"], found["rays_confidence"] = self.rays_head(laterals, head, grid)
        return found


def cameras_of(encoding: Tensor, size: tuple[int, int]) -> dict[str, Tensor]:
    """Cameras (..., 9) as the network gives them, by field of the prediction."""
    return {
        "pose_encoding": encoding,
        "T_world_camera": decode_poses(encoding),
        "intrinsics": decode_intrinsics(encoding, size, _LEAST_TANGENT),
    }


def _selection(
    maps_of: Sequence[int] | None, back: Tensor | None, views: Sequence[ViewTokens]
) -> Tensor | None:
    """Where (B, K) among reordered views those stand whose maps are wanted; None if all do."""
    if maps_of is None or back is None:
        if maps_of is None:
            return back
        device = views[0].data.device
        back = torch.arange(len(views), device=device).expand(len(views[0].data), -1)
    return back[:, list(maps_of)]
