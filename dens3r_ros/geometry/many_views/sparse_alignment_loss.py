# SPDX-License-Identifier: Apache-2.0
"""How far matched pixels of many images are from showing the same points, as MASt3R-SfM counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dens3r_ros.geometry.sim3 import act

POINTS_POWER, PIXELS_POWER, FALLBACK_POWER = 1.5, 0.5, 1.1
_FALLBACK_SHARE = 0.01
_LEAST_DEPTH = 1e-3
_PIXEL_LIMITS = (-1000.0, 2000.0)


@dataclass(frozen=True, eq=False)
class PlacedView:
    """An image where it is thought to stand: K (3, 3), pose (4, 4), and depth (A,) at anchors.

    `base_focal` is the focal length with which shares of depth were measured.
    """

    K: Tensor
    T_world_camera: Tensor
    depth: Tensor
    base_focal: float

    def world_points(self, pixels: Tensor, anchors: Tensor, shares: Tensor) -> Tensor:
        """(M, 3) of pixels (M, 2), by the anchor of each and its share of that depth."""
        depth = self.depth[anchors] * (1 + (shares - 1) * self.base_focal / self.K[0, 0])
        slopes = (pixels - self.K[:2, 2]) / self.K[[0, 1], [0, 1]]
        points = torch.cat((slopes * depth[:, None], depth[:, None]), dim=-1)
        return act(self.T_world_camera, points)

    def project(self, points: Tensor) -> Tensor:
        """(M, 2) pixels of points (M, 3) in the world, kept within reason."""
        seen = act(torch.linalg.inv(self.T_world_camera), points)
        seen = seen @ self.K.mT
        pixels = seen[:, :2] / seen[:, 2:].clamp(min=_LEAST_DEPTH)
        return pixels.clamp(*_PIXEL_LIMITS)


@dataclass(frozen=True, eq=False)
class Correspondences:
    """Matches of one pair (a, b): world points and pixels (M, ...) of both ends, weights (M,)."""

    a: int
    b: int
    points_a: Tensor
    points_b: Tensor
    pixels_a: Tensor
    pixels_b: Tensor
    weights: Tensor


def robust(distance: Tensor, power: float) -> Tensor:
    """The distance to a power, so that its slope is 1 at nothing."""
    offset = (1 / power) ** (1 / (power - 1))
    return (distance + offset) ** power - offset**power


def points_loss(pairs: Sequence[Correspondences]) -> Tensor:
    """Mean over matches, by weight, of how far apart both ends are in the world."""
    losses = [
        (one.weights * robust((one.points_a - one.points_b).norm(dim=-1), POINTS_POWER)).sum()
        for one in pairs
    ]
    return torch.stack(losses).sum() / torch.stack([one.weights.sum() for one in pairs]).sum()


def pixels_loss(pairs: Sequence[Correspondences], views: Mapping[int, PlacedView]) -> Tensor:
    """Mean over matches, by weight, of how far each end is seen from the other's pixel."""
    losses, weights = [], []
    for one in pairs:
        for view, pixels, points in (
            (one.a, one.pixels_a, one.points_b),
            (one.b, one.pixels_b, one.points_a),
        ):
            off = (pixels - views[view].project(points)).norm(dim=-1)
            losses.append((one.weights * robust(off, PIXELS_POWER)).sum())
            weights.append(one.weights.sum())
    return torch.stack(losses).sum() / torch.stack(weights).sum()


def fallback_loss(placed: Sequence[tuple[Tensor, Tensor, Tensor]]) -> Tensor:
    """What pairs without good matches add: how far their pointmaps are from where points stand.

    For each of them, in both directions: the world points (M, 3) of all anchors of one image, where
    the pair's pointmap has them (M, 3), and its confidence (M,).
    """
    if not placed:
        return torch.zeros(())
    losses = [
        (weights * robust((points - others).norm(dim=-1), FALLBACK_POWER)).sum()
        for points, others, weights in placed
    ]
    total = torch.stack([weights.sum() for _, _, weights in placed]).sum()
    return _FALLBACK_SHARE * torch.stack(losses).sum() / total
