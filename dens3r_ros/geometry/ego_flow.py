# SPDX-License-Identifier: Apache-2.0
"""What moves by itself: pixels whose optical flow is not what the camera's own motion makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

_TINY = 1e-6
MOVING_FROM = 0.35
"""Share of the largest error of a pair from which a pixel counts as moving."""
_CONSISTENT_BELOW = 3.0


@dataclass(frozen=True, eq=False)
class PosedView:
    """Pinhole K (3, 3), pose T_world_camera (4, 4), and depth (H, W) of one image."""

    K: Tensor
    T_world_camera: Tensor
    depth: Tensor


def ego_flow(a: PosedView, b: PosedView) -> Tensor:
    """(2, H, W) where the pixels of a would go in b if only the camera moved, pixels."""
    T_b_a = torch.linalg.inv(b.T_world_camera) @ a.T_world_camera
    height, width = a.depth.shape
    x = torch.arange(width, dtype=a.depth.dtype, device=a.depth.device)
    y = torch.arange(height, dtype=a.depth.dtype, device=a.depth.device)
    x, y = torch.meshgrid(x, y, indexing="xy")
    pixels = torch.stack((x, y, torch.ones_like(x))).flatten(1)
    disparity = 1.0 / (a.depth.flatten() + _TINY)
    seen = b.K @ T_b_a[:3, :3] @ torch.linalg.inv(a.K) @ pixels
    seen = seen + (b.K @ T_b_a[:3, 3])[:, None] * disparity
    moved = seen[:2] / (seen[2] + _TINY) - pixels[:2]
    return moved.unflatten(1, (height, width))


def moving_masks(
    errors: Mapping[int, Sequence[Tensor]], moving_from: float = MOVING_FROM
) -> dict[int, Tensor]:
    """(H, W) bool by image: what moves, from the image's `flow_error` in every pair."""
    return {
        image: torch.stack(tuple(maps)).mean(dim=0) > moving_from for image, maps in errors.items()
    }


def flow_error(expected: Tensor, seen: Tensor) -> Tensor:
    """(...) from 0 to 1 how far flow (2, ...) is from what the camera's motion makes.

    1 is the largest error of the pair, so that even a pair in which hardly anything moves has one.
    """
    error = (expected - seen).norm(dim=0)
    low, high = error.min(), error.max()
    return (error - low) / (high - low)


def consistent_flow(forth: Tensor, back: Tensor) -> Tensor:
    """(H, W) bool: pixels of a that flow (2, H, W) takes into b and nearly back again.

    Near means that what is left of both components adds up to less than three pixels.
    """
    height, width = forth.shape[1:]
    x = torch.arange(width, dtype=forth.dtype, device=forth.device)
    y = torch.arange(height, dtype=forth.dtype, device=forth.device)
    targets = forth + torch.stack(torch.meshgrid(x, y, indexing="xy"))
    last = torch.tensor([width - 1.0, height - 1.0], dtype=forth.dtype, device=forth.device)
    grid = 2 * targets.permute(1, 2, 0) / last - 1
    returned = F.grid_sample(back[None], grid[None], align_corners=True)[0]
    left = (forth + returned).sum(dim=0).abs()
    inside = ((targets >= 0) & (targets <= last[:, None, None])).all(dim=0)
    return (left < _CONSISTENT_BELOW) & inside
