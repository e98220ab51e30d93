# SPDX-License-Identifier: Apache-2.0
"""From a MoGe's raw maps to points, depth and intrinsics of images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dens3r_ros.network.monocular.moge.first import Moge1
from dens3r_ros.network.monocular.moge.raw import RawPoints, tokens_at
from dens3r_ros.network.monocular.moge.recovery import (
    focal_of_view,
    intrinsics_of,
    recover_camera,
)
from dens3r_ros.network.monocular.moge.second import Moge2

_THRESHOLD = 0.5


@dataclass(frozen=True, eq=False)
class CameraPoints:
    """A batch of images after the camera of each was recovered.

    points      (B, H, W, 3) float32, optical frame; metres where the network is metric, else a
                unit of the image's own; infinite where nothing is
    depth       (B, H, W) along the optical axis, infinite where nothing is
    mask        (B, H, W) bool: where something is
    intrinsics  (B, 3, 3): row 1 in widths, row 2 in heights of the image, (0, 0) its corner
    normals     (B, H, W, 3) unit vectors, optical frame, zero where nothing is
    focal       (B,) in halves of the image's diagonal
    shift       (B,) that was added to the raw depth, before metres
    """

    points: Tensor
    depth: Tensor
    mask: Tensor
    intrinsics: Tensor
    normals: Tensor | None
    focal: Tensor
    shift: Tensor


def infer(
    network: Moge1 | Moge2,
    images: Tensor,
    tokens: int | None = None,
    level: int = 9,
    fov_x_deg: float | None = None,
    on_rays: bool = True,
    masked: bool = True,
) -> CameraPoints:
    """Points and cameras of (B, 3, H, W) RGB images in [0, 1].

    `tokens` is the number of patches to look with, or else that of `level` from 0 (fast) to 9.
    `fov_x_deg` is the horizontal field of view where it is known. With `on_rays` points are moved
    onto the rays of the camera found; `masked` marks pixels where nothing is.
    """
    if tokens is None:
        tokens = tokens_at(level, network.description.tokens)
    aspect = images.shape[3] / images.shape[2]
    keeps_behind = isinstance(network, Moge1)
    return located(network(images, tokens), aspect, keeps_behind, fov_x_deg, on_rays, masked)


def located(
    raw: RawPoints,
    aspect: float,
    keeps_behind: bool,
    fov_x_deg: float | None = None,
    on_rays: bool = True,
    masked: bool = True,
) -> CameraPoints:
    """The same of raw maps of images of `aspect`, width by height.

    `keeps_behind` leaves points behind the camera in, as the first generation does.
    """
    mask = raw.mask > _THRESHOLD
    focal, shift = _cameras(raw, mask, fov_x_deg)
    intrinsics = _matrices(focal, aspect)
    depth = raw.points[..., 2] + shift[:, None, None]
    if not keeps_behind:
        mask = mask & (depth > 0)
    points = _on_rays(depth, intrinsics) if on_rays else _shifted(raw.points, shift)
    if raw.scale is not None:
        depth = depth * raw.scale[:, None, None]
        points = points * raw.scale[:, None, None, None]
    normals = raw.normals
    if masked:
        depth = depth.masked_fill(~mask, torch.inf)
        points = points.masked_fill(~mask[..., None], torch.inf)
        normals = None if normals is None else normals.masked_fill(~mask[..., None], 0.0)
    return CameraPoints(points, depth, mask, intrinsics, normals, focal, shift)


def _cameras(raw: RawPoints, mask: Tensor, fov_x_deg: float | None) -> tuple[Tensor, Tensor]:
    aspect = raw.points.shape[2] / raw.points.shape[1]
    known = None if fov_x_deg is None else focal_of_view(fov_x_deg, aspect)
    found = [recover_camera(*view, known) for view in zip(raw.points, mask, strict=True)]
    focal, shift = raw.points.new_tensor(found).unbind(-1)
    return focal, shift


def _matrices(focal: Tensor, aspect: float) -> Tensor:
    K = focal.new_zeros(len(focal), 3, 3)
    for matrix, one in zip(K, focal, strict=True):
        matrix[0, 0], matrix[1, 1] = intrinsics_of(float(one), aspect)
    K[:, :2, 2] = 0.5
    K[:, 2, 2] = 1.0
    return K


def _on_rays(depth: Tensor, intrinsics: Tensor) -> Tensor:
    height, width = depth.shape[1:]
    x, y = (
        (torch.arange(count, dtype=depth.dtype, device=depth.device) + 0.5) / count
        for count in (width, height)
    )
    right, down = torch.meshgrid(x, y, indexing="xy")
    fx, fy = (intrinsics[:, axis, axis, None, None] for axis in (0, 1))
    right, down = (right - 0.5) / fx * depth, (down - 0.5) / fy * depth
    return torch.stack((right, down, depth), dim=-1)


def _shifted(points: Tensor, shift: Tensor) -> Tensor:
    depth = points[..., 2:] + shift[:, None, None, None]
    return torch.cat((points[..., :2], depth), dim=-1)
