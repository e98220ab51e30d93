# SPDX-License-Identifier: Apache-2.0
"""What a pointmap in its own camera's optical frame says about that camera."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from dens3r_ros.geometry.camera import Intrinsics

Method = Literal["weiszfeld", "median"]

_WIDEST_SLOPE = 5.0
"""Tangent of the angle off the optical axis beyond which no pinhole camera sees."""


def focal_from_points(
    points: Tensor,
    confidence: Tensor | None = None,
    centre: tuple[float, float] | None = None,
    method: Method = "weiszfeld",
    iterations: int = 10,
) -> Tensor:
    """(...) focal lengths, in pixels, of (..., H, W, 3) pointmaps with square pixels.

    `centre` is the principal point (x, y), pixel centres at whole numbers. Left out it is
    (W / 2, H / 2) as the network family has it, half a pixel off the middle of the image.
    `confidence` (..., H, W), 1 to infinity, weighs each pixel by what it exceeds 1. "weiszfeld"
    minimises the summed reprojection distance, "median" takes the middle of all pixels' votes.
    Points that are not finite, or that no camera could see, count for nothing; NaN if all do.
    """
    height, width = points.shape[-3:-1]
    cx, cy = centre or (width / 2, height / 2)
    x = torch.arange(width, dtype=points.dtype, device=points.device) - cx
    y = torch.arange(height, dtype=points.dtype, device=points.device) - cy
    pixels = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).flatten(0, 1)
    weights = None if confidence is None else (confidence - 1).clamp_min(0).flatten(-2)
    return focal_from_pixels(points.flatten(-3, -2), pixels, weights, method, iterations)


def focal_from_pixels(
    points: Tensor,
    pixels: Tensor,
    weights: Tensor | None = None,
    method: Method = "weiszfeld",
    iterations: int = 10,
) -> Tensor:
    """(...) focal lengths of points (..., N, 3) seen at pixels (..., N, 2) from the centre."""
    slopes = points[..., :2] / points[..., 2:]
    seen = (points[..., 2] > 0) & (slopes.abs().amax(-1) < _WIDEST_SLOPE)
    if method == "median":
        return _median_focal(slopes.where(seen[..., None], torch.nan), pixels, weights)
    return _weiszfeld_focal(slopes.where(seen[..., None], 0.0), pixels, weights, iterations)


def intrinsics_from_points(points: Tensor, confidence: Tensor | None = None) -> Intrinsics:
    """The camera of one (H, W, 3) pointmap, its principal point in the middle of the image."""
    height, width = points.shape[:2]
    cx, cy = (width - 1) / 2, (height - 1) / 2
    focal = float(focal_from_points(points, confidence, (cx, cy)))
    return Intrinsics(focal, focal, cx, cy, width, height)


def _weiszfeld_focal(
    slopes: Tensor, pixels: Tensor, weights: Tensor | None, iterations: int
) -> Tensor:
    across, along = (slopes * pixels).sum(-1), slopes.square().sum(-1)
    if weights is not None:
        across, along = across * weights, along * weights
    focal = across.sum(-1) / along.sum(-1)
    for _ in range(iterations):
        misses = (pixels - focal[..., None, None] * slopes).square().sum(-1).sqrt()
        closeness = 1 / misses.clamp_min(1e-8)
        focal = (closeness * across).sum(-1) / (closeness * along).sum(-1)
    return focal


def _median_focal(slopes: Tensor, pixels: Tensor, weights: Tensor | None) -> Tensor:
    votes = (pixels / slopes).flatten(-2)
    if weights is None:
        return votes.nanmedian(-1).values
    weights = weights.repeat_interleave(2, -1).where(~votes.isnan(), 0.0)
    votes, order = votes.sort(-1)
    below = weights.take_along_dim(order, -1).cumsum(-1)
    middle = torch.searchsorted(below, below[..., -1:].contiguous() / 2)
    return votes.take_along_dim(middle, -1).squeeze(-1)
