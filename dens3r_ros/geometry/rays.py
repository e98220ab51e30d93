# SPDX-License-Identifier: Apache-2.0
"""Between pixels, rays, depth and points of a pinhole camera."""

from __future__ import annotations

import torch
from torch import Tensor

from dens3r_ros.geometry.camera import Intrinsics


def pixel_rays(intrinsics: Intrinsics, device: torch.device | str | None = None) -> Tensor:
    """(H, W, 3) float32 optical-frame rays through the pixel centres, of depth 1."""
    x = torch.arange(intrinsics.width, dtype=torch.float64, device=device) - intrinsics.cx
    y = torch.arange(intrinsics.height, dtype=torch.float64, device=device) - intrinsics.cy
    right, down = torch.meshgrid(x / intrinsics.fx, y / intrinsics.fy, indexing="xy")
    return torch.stack([right, down, torch.ones_like(right)], -1).float()


def unproject(depth: Tensor, intrinsics: Intrinsics) -> Tensor:
    """(..., H, W, 3) optical-frame points at (..., H, W) depths along the optical axis."""
    return depth[..., None] * pixel_rays(intrinsics, depth.device).to(depth.dtype)


def project(points: Tensor, K: Tensor) -> Tensor:
    """(*batch, ..., 2) pixels x, y of optical-frame points (*batch, ..., 3).

    K: (*batch, 3, 3) camera matrices. Points behind the camera come out mirrored through it, and
    those in its plane infinite: whoever calls looks at the depth.
    """
    K = K.to(points)
    ones = (1,) * (points.ndim - K.ndim + 1)
    focal = K.diagonal(dim1=-2, dim2=-1)[..., :2].reshape(*K.shape[:-2], *ones, 2)
    centre = K[..., :2, 2].reshape(*K.shape[:-2], *ones, 2)
    return points[..., :2] / points[..., 2:] * focal + centre
