# SPDX-License-Identifier: Apache-2.0
"""One pointmap of an image out of those of all its pairs, and every pixel's depth by few numbers.

Depth is kept at the centres of blocks of pixels, the anchors; that of all other pixels is told as a
share of their block's, which stays right while cameras and anchors move.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dens3r_ros.geometry.pointmap import focal_from_points

BLOCK = 8
_NO_CONFIDENCE = 0.999
_TINY = 1e-8
_FOCAL_LIMITS = (0.5, 3.5)
_SIXTY_DEGREES = 1.1547005383792515
"""Long side over focal length at a field of view of sixty degrees."""


@dataclass(frozen=True, eq=False)
class CanonicalView:
    """An image by itself, in its own optical frame and in the unit of its pointmaps.

    points, confidence  (H, W, 3) and (H, W): means over the image's pairs
    relative            (H, W) depth as a share of that at the centre of the block
    focal               pixels, the principal point being the middle of the image
    """

    points: Tensor
    confidence: Tensor
    relative: Tensor
    focal: float

    @property
    def core_depth(self) -> Tensor:
        """(H / 8, W / 8) depth at the anchors."""
        return self.points[BLOCK // 2 :: BLOCK, BLOCK // 2 :: BLOCK, 2]

    def anchors(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """For pixels (M, 2) x, y: the index of the anchor of each, and its share of that depth."""
        columns = self.relative.shape[1] // BLOCK
        block_x, block_y = (pixels // BLOCK).unbind(-1)
        half = BLOCK // 2
        centres = self.relative[block_y * BLOCK + half, block_x * BLOCK + half]
        return block_y * columns + block_x, self.relative[pixels[:, 1], pixels[:, 0]] / centres


def canonical_view(points: Tensor, confidences: Tensor) -> CanonicalView:
    """The view of an image from its pointmaps (P, H, W, 3) and confidences (P, H, W) in P pairs.

    Both sides are multiples of 8. Raises ValueError otherwise.
    """
    height, width = points.shape[1:3]
    if height % BLOCK or width % BLOCK:
        raise ValueError(f"image size {width}x{height} is no multiple of {BLOCK}")
    weights = confidences - _NO_CONFIDENCE
    total = weights.sum(dim=0)
    mean = (weights[..., None] * points).sum(dim=0) / total[..., None]
    confidence = weights.square().sum(dim=0) / total
    focal = float(focal_from_points(mean[None])[0])
    usual = max(height, width) / _SIXTY_DEGREES
    low, high = (limit * usual for limit in _FOCAL_LIMITS)
    relative = _relative_depth(points, weights, mean[..., 2])
    return CanonicalView(mean, confidence, relative, min(max(focal, low), high))


def _relative_depth(points: Tensor, weights: Tensor, depth: Tensor) -> Tensor:
    """Slopes from the centre of each block are averaged as angles, which outliers move little."""
    centres = _spread(points[:, BLOCK // 2 :: BLOCK, BLOCK // 2 :: BLOCK])
    aside = (points[..., :2] - centres[..., :2]).norm(dim=-1).clamp(min=_TINY)
    rise = points[..., 2] - centres[..., 2].clamp(min=_TINY)
    angle = (weights * torch.atan(rise / aside)).sum(dim=0) / weights.sum(dim=0)
    centre_depth = _spread(depth[None, BLOCK // 2 :: BLOCK, BLOCK // 2 :: BLOCK])[0]
    return 1 + aside.mean(dim=0) * angle.tan() / centre_depth


def _spread(maps: Tensor) -> Tensor:
    """(P, h, w, ...) to (P, 8 h, 8 w, ...), every value over its block."""
    return maps.repeat_interleave(BLOCK, dim=1).repeat_interleave(BLOCK, dim=2)
