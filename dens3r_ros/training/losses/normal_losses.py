# SPDX-License-Identifier: Apache-2.0
"""How far surface directions are from the truth: those of pointmaps, and those predicted."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dens3r_ros.training.losses.pointmap_losses import masked_mean

_AGREEMENT = 0.9
"""Cosine below which a true pointmap's own normals and the exact ones show a depth edge."""


def crossed_normals(points: Tensor) -> Tensor:
    """(B, H - 2, W - 2, 3) unit normals of (B, H, W, 3) points, from central differences.

    Across the image times down it, so that a surface seen from the front has z < 0 in its own
    camera. Not defined at the border, which is left out.
    """
    across = points[:, 1:-1, 2:] - points[:, 1:-1, :-2]
    down = points[:, 2:, 1:-1] - points[:, :-2, 1:-1]
    return F.normalize(torch.linalg.cross(down, across, dim=-1), dim=-1, eps=1e-12)


def inner(maps: Tensor) -> Tensor:
    """(B, H, W, ...) maps without their border of one pixel."""
    return maps[:, 1:-1, 1:-1]


def smooth_surface(points_own: Tensor, normals: Tensor, valid: Tensor) -> Tensor:
    """(B, H - 2, W - 2) pixels whose neighbourhood lies on one surface.

    points_own and the exact normals are in the view's own frame. Where central differences jump
    from one surface to another, their normal belongs to neither.
    """
    height, width = valid.shape[1:]
    whole = torch.ones_like(inner(valid))
    for row, column in ((1, 0), (1, 2), (0, 1), (2, 1), (1, 1)):
        whole = whole & valid[:, row : height - 2 + row, column : width - 2 + column]
    agreement = (crossed_normals(points_own) * inner(normals)).sum(-1)
    return whole & (agreement > _AGREEMENT)


def pointmap_normals_loss(predicted: Tensor, true: Tensor, smooth: Tensor) -> Tensor:
    """Mean of 1 - cos between the crossed normals of two pointmaps (B, H, W, 3) in one frame.

    smooth: (B, H - 2, W - 2), the pixels that count.
    """
    return masked_mean(1 - (crossed_normals(predicted) * crossed_normals(true)).sum(-1), smooth)


def normals_loss(predicted: Tensor, true: Tensor, valid: Tensor) -> Tensor:
    """Mean of 1 - cos between unit normals (B, H, W, 3) over the pixels of `valid`."""
    return masked_mean(1 - (predicted * true).sum(-1), valid)
