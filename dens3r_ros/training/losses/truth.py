# SPDX-License-Identifier: Apache-2.0
"""What a batch of pairs should be seen as, in either order of its views."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dens3r_ros.training.losses.matching_loss import TrueMatches
from dens3r_ros.training.losses.normal_losses import smooth_surface
from dens3r_ros.training.losses.pointmap_losses import Masks, Pointmaps


@dataclass(frozen=True, eq=False)
class ViewTruth:
    """One view: points and unit normals (B, H, W, 3) in its own optical frame, where `valid`
    (B, H, W); focal (B,) in pixels; T_other_own (B, 4, 4) float32."""

    points: Tensor
    normals: Tensor
    valid: Tensor
    focal: Tensor
    T_other_own: Tensor

    def points_in_other(self) -> Tensor:
        """Its points in the other view's frame."""
        rotation, shift = self.T_other_own[:, :3, :3], self.T_other_own[:, :3, 3]
        moved = torch.einsum("bij,bhwj->bhwi", rotation, self.points)
        return moved + shift[:, None, None]


@dataclass(frozen=True, eq=False)
class PairTruth:
    """A batch of pairs (a, b)."""

    a: ViewTruth
    b: ViewTruth
    matches: TrueMatches

    def reversed(self) -> PairTruth:
        """The pairs (b, a)."""
        return PairTruth(self.b, self.a, self.matches.reversed())

    def pointmaps(self) -> Pointmaps:
        """Both views' points in a's frame."""
        return Pointmaps(self.a.points, self.b.points_in_other())

    def masks(self) -> Masks:
        """Where the truth is known."""
        return Masks(self.a.valid, self.b.valid)

    def smooth(self) -> Masks:
        """Where normals may be taken from points; see `smooth_surface`."""
        a, b = self.a, self.b
        return Masks(
            smooth_surface(a.points, a.normals, a.valid),
            smooth_surface(b.points, b.normals, b.valid),
        )
