# SPDX-License-Identifier: Apache-2.0
"""The transform that carries one set of points onto another."""

from __future__ import annotations

import torch
from torch import Tensor

from dens3r_ros.geometry.sim3 import compose

_FLAT = 1e-10
"""Second singular value against the first below which points count as lying on a line."""


def register_similarity(
    source: Tensor, target: Tensor, weights: Tensor | None = None, with_scale: bool = True
) -> Tensor:
    """(..., 4, 4) float64 T_target_source minimising the weighted squared distances (Umeyama).

    source, target: (..., N, 3) corresponding points; weights: (..., N), none below zero. Points
    that are not finite count for nothing. Never a reflection. Raises ValueError where the
    points that have weight do not determine a rotation: fewer than three, or all on one line.
    """
    source, target = source.double(), target.double()
    weights = _usable_weights(source, target, weights)
    share = weights / weights.sum(-1, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)
    source_mean, source = _centred(source, share)
    target_mean, target = _centred(target, share)
    covariance = torch.einsum("...n,...ni,...nj->...ij", share, target, source)
    U, singular, Vt = torch.linalg.svd(covariance)
    if bool((singular[..., 1] <= _FLAT * singular[..., 0]).any()):
        raise ValueError(
            f"no rotation is determined: of {weights.shape[-1]} point pairs "
            f"{int((weights > 0).sum(-1).min())} have weight, and these lie on one line or point"
        )
    signs = torch.ones_like(singular)
    signs[..., 2] = torch.linalg.det(U @ Vt).sign()
    rotation = (U * signs[..., None, :]) @ Vt
    spread = (share[..., None] * source.square()).sum((-2, -1))
    scale = (singular * signs).sum(-1) / spread if with_scale else torch.ones_like(spread)
    moved = (rotation @ source_mean[..., None]).squeeze(-1) * scale[..., None]
    return compose(scale, rotation, target_mean - moved)


def _usable_weights(source: Tensor, target: Tensor, weights: Tensor | None) -> Tensor:
    finite = source.isfinite().all(-1) & target.isfinite().all(-1)
    if weights is None:
        return finite.double()
    return torch.where(finite, weights.double(), 0.0)


def _centred(points: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """The weighted mean, and the points less it, zero where they count for nothing."""
    used = share[..., None] > 0
    mean = (share[..., None] * torch.where(used, points, 0.0)).sum(-2)
    return mean, torch.where(used, points - mean[..., None, :], 0.0)
