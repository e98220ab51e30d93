# SPDX-License-Identifier: Apache-2.0
"""How far predicted pointmaps are from true ones, whatever their scale or focal length.

Pointmaps of both views lie in the first view's optical frame: (B, H, W, 3), with (B, H, W) masks
of the pixels whose truth is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_TINY = 1e-8
FOCAL_LIMIT = 4.0
"""A predicted focal length further from the truth than this factor is taken to be at it."""


@dataclass(frozen=True, eq=False)
class Pointmaps:
    """Both views' points (B, H, W, 3) in the first view's optical frame."""

    a: Tensor
    b: Tensor

    def __truediv__(self, scale: Tensor) -> Pointmaps:
        """Divided by one number a pair, (B,)."""
        divisor = scale[:, None, None, None]
        return Pointmaps(self.a / divisor, self.b / divisor)


@dataclass(frozen=True, eq=False)
class Masks:
    """The pixels of both views that count: (B, H, W) bool."""

    a: Tensor
    b: Tensor


def mean_distance(points: Pointmaps, valid: Masks) -> Tensor:
    """(B,) mean distance of all valid points of both views from the first camera."""
    total = _masked_sum(points.a.norm(dim=-1), valid.a) + _masked_sum(
        points.b.norm(dim=-1), valid.b
    )
    count = valid.a.flatten(1).sum(1) + valid.b.flatten(1).sum(1)
    return (total / count.clamp(min=1)).clamp(min=_TINY)


def _masked_sum(values: Tensor, mask: Tensor) -> Tensor:
    return torch.where(mask, values, 0).flatten(1).sum(1)


def scale_invariant_errors(
    predicted: Pointmaps, true: Pointmaps, valid: Masks
) -> tuple[Tensor, Tensor]:
    """(B, H, W) distances of both views, each pointmap divided by its own mean distance."""
    predicted = predicted / mean_distance(predicted, valid)
    true = true / mean_distance(true, valid)
    return _distance(predicted.a, true.a), _distance(predicted.b, true.b)


def metric_errors(predicted: Pointmaps, true: Pointmaps, valid: Masks) -> tuple[Tensor, Tensor]:
    """(B, H, W) distances as they are, relative to the true mean distance."""
    scale = mean_distance(true, valid)
    predicted, true = predicted / scale, true / scale
    return _distance(predicted.a, true.a), _distance(predicted.b, true.b)


def _distance(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).norm(dim=-1)


def ray_focal(points: Tensor, valid: Tensor) -> Tensor:
    """(B,) focal lengths, in pixels, whose rays fit the directions of (B, H, W, 3) points best.

    Each pixel asks that x : y : z be u : v : f, (u, v) counted from the middle of the image. The
    least-squares answer over unit directions divides by nothing that a young network may make 0.
    """
    height, width = points.shape[1:3]
    u = torch.arange(width, device=points.device) - (width - 1) / 2
    v = torch.arange(height, device=points.device) - (height - 1) / 2
    pixels = torch.stack(torch.meshgrid(u, v, indexing="xy"), -1)
    directions = points / points.norm(dim=-1, keepdim=True).clamp(min=_TINY)
    sideways = directions[..., :2]
    along = _masked_sum((pixels * sideways).sum(-1) * directions[..., 2], valid)
    return along / _masked_sum(sideways.square().sum(-1), valid).clamp(min=_TINY)


def canonical(points: Pointmaps, focal: Tensor, reference: float | Tensor) -> Pointmaps:
    """The same scene as a camera of focal length `reference` would have to see it.

    Depth is stretched by reference / focal, (B,), for both views, as both lie in one frame: the
    pixels of the first view do not move, so an image alone cannot tell the two scenes apart.
    """
    stretch = torch.ones(len(focal), 3, dtype=points.a.dtype, device=points.a.device)
    stretch[:, 2] = reference / focal
    stretch = stretch[:, None, None]
    return Pointmaps(points.a * stretch, points.b * stretch)


def limited_focal(predicted: Pointmaps, valid: Masks, true_focal: Tensor) -> Tensor:
    """(B,) the focal length that a prediction implies, kept within FOCAL_LIMIT of the truth."""
    focal = ray_focal(predicted.a, valid.a)
    return torch.clamp(focal, min=true_focal / FOCAL_LIMIT, max=true_focal * FOCAL_LIMIT)


def intrinsic_invariant_errors(
    predicted: Pointmaps, true: Pointmaps, valid: Masks, true_focal: Tensor, reference: float
) -> tuple[Tensor, Tensor]:
    """(B, H, W) scale-invariant distances after both scenes are made canonical.

    The prediction by the focal length that it implies itself, the truth by the true one (B,).
    """
    focal = limited_focal(predicted, valid, true_focal)
    return scale_invariant_errors(
        canonical(predicted, focal, reference), canonical(true, true_focal, reference), valid
    )


def focal_error(predicted: Pointmaps, valid: Masks, true_focal: Tensor) -> Tensor:
    """Mean absolute log ratio of the implied focal length to the true one (B,)."""
    return (limited_focal(predicted, valid, true_focal) / true_focal).log().abs().mean()


def weighed_by_confidence(errors: Tensor, confidence: Tensor, mask: Tensor, alpha: float) -> Tensor:
    """Mean of C * error - alpha * log C over the pixels of `mask`; its least C is alpha / error."""
    return masked_mean(confidence * errors - alpha * confidence.log(), mask)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over the pixels of `mask`; 0, with a gradient of 0, where it is empty."""
    return torch.where(mask, values, 0).sum() / mask.sum().clamp(min=1)
