# SPDX-License-Identifier: Apache-2.0
"""What sets of views should be seen as."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_TINY = 1e-8


@dataclass(frozen=True, eq=False)
class ViewsBatch:
    """S views of each of B scenes and their truth; scenes are of any unit.

    images   (B, S, 3, H, W) in [0, 1]
    depth    (B, S, H, W) along z, where `valid` (B, S, H, W)
    K        (B, 3, 3), one camera for all views of a scene, pixel centres at whole numbers
    T_first_view  (B, S, 4, 4): takes points in a view's optical frame to the first view's
    """

    images: Tensor
    depth: Tensor
    valid: Tensor
    K: Tensor
    T_first_view: Tensor

    def points(self) -> Tensor:
        """(B, S, H, W, 3) in the first view's frame."""
        return placed(self.depth, self.K[:, None], self.T_first_view)

    def unit(self) -> Tensor:
        """(B,) the mean distance of all valid points from the first camera."""
        return mean_distance(self.points(), self.valid)


def placed(depth: Tensor, K: Tensor, T: Tensor) -> Tensor:
    """(B, S, H, W, 3) the points of depth (B, S, H, W), taken by T (B, S, 4, 4).

    K (B, S or 1, 3, 3) has pixel centres at whole numbers.
    """
    height, width = depth.shape[-2:]
    directions = T[..., :3, :3] @ _inverse(K)
    rays = torch.einsum("bsij,hwj->bshwi", directions, pixels(height, width, depth.device))
    return depth[..., None] * rays + T[..., None, None, :3, 3]


def pixels(height: int, width: int, device: torch.device) -> Tensor:
    """(H, W, 3): x, y, 1 of every pixel."""
    y, x = torch.meshgrid(
        torch.arange(height, device=device).float(),
        torch.arange(width, device=device).float(),
        indexing="ij",
    )
    return torch.stack((x, y, torch.ones_like(x)), -1)


def mean_distance(points: Tensor, valid: Tensor) -> Tensor:
    """(B,) the mean length of points (B, S, H, W, 3) where `valid` (B, S, H, W)."""
    total = torch.where(valid, points.norm(dim=-1), 0).flatten(1).sum(1)
    return (total / valid.flatten(1).sum(1).clamp(min=1)).clamp(min=_TINY)


def _inverse(K: Tensor) -> Tensor:
    inverse = torch.zeros_like(K)
    inverse[..., 0, 0], inverse[..., 1, 1] = 1 / K[..., 0, 0], 1 / K[..., 1, 1]
    inverse[..., 0, 2] = -K[..., 0, 2] / K[..., 0, 0]
    inverse[..., 1, 2] = -K[..., 1, 2] / K[..., 1, 1]
    inverse[..., 2, 2] = 1.0
    return inverse
