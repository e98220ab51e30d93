# SPDX-License-Identifier: Apache-2.0
"""Where splats go while they are optimised, as in "3D Gaussian Splatting as Markov Chain Monte
Carlo" (Kheradmand and others, 2024): dead ones move onto living ones, new ones join these, and all
tremble a little, the more the fainter they are."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dens3r_ros.splats.drawing.projection import axes_of
from dens3r_ros.splats.optimising.population import Population

DEAD = 0.005
"""Opacity up to which a splat is dead."""
_MOST_COPIES = 51
_STEEP, _FAINT = 100.0, 0.995


def move_and_grow(population: Population, most: int, share: float, random: torch.Generator) -> int:
    """Move the dead, and let `share` more join while there are less than `most`; how many joined.

    Splats that come to lie in one place share its opacity and get the size with which they look
    as the one before.
    """
    gaussians = population.gaussians
    opacities = gaussians.logits.detach().sigmoid()
    dead = (opacities <= DEAD).nonzero()[:, 0]
    count = len(opacities)
    joining = max(0, min(most, math.ceil((1 + share) * count)) - count)
    weights = torch.where(opacities > DEAD, opacities, 0.0)
    if len(dead) + joining == 0 or float(weights.sum()) == 0:
        return 0
    chosen = torch.multinomial(weights, len(dead) + joining, replacement=True, generator=random)
    sources = torch.cat([torch.arange(count, device=chosen.device), chosen[len(dead) :]])
    sources[dead] = chosen[: len(dead)]
    copies = (torch.bincount(chosen, minlength=count) + 1).clamp(max=_MOST_COPIES)
    share_of_each = shared_opacity(opacities, copies)
    factor = shared_scale(opacities, share_of_each, copies)
    logits = torch.where(copies > 1, torch.logit(share_of_each.clamp(DEAD, 1 - 1e-6)), 0.0)
    logits = torch.where(copies > 1, logits, gaussians.logits.detach())
    sizes = gaussians.log_scales.detach() + factor.log()[:, None]
    fresh = copies[sources] > 1
    population.rearrange(sources, fresh, {"logits": logits[sources], "log_scales": sizes[sources]})
    return joining


def shared_opacity(opacities: Tensor, copies: Tensor) -> Tensor:
    """(N,) of each of so many splats in one place that together have these opacities."""
    return 1 - (1 - opacities) ** (1 / copies)


def shared_scale(opacities: Tensor, shares: Tensor, copies: Tensor) -> Tensor:
    """(N,) factors of the size of each, with which all together look as wide as one did."""
    factor = torch.ones_like(opacities)
    for n in copies.unique().tolist():
        if n > 1:
            chosen = copies == n
            total = _total(shares[chosen].double(), n)
            factor[chosen] = (opacities[chosen] / total).to(factor.dtype)
    return factor


def _total(share: Tensor, copies: int) -> Tensor:
    """sum_{i=1..n} sum_{k=0..i-1} C(i-1, k) (-1)^k share^(k+1) / sqrt(k+1), summed over i first:
    that of C(i-1, k) is C(n, k+1)."""
    total = torch.zeros_like(share)
    for k in range(copies):
        total += math.comb(copies, k + 1) * (-1) ** k * share ** (k + 1) / math.sqrt(k + 1)
    return total


def tremble(population: Population, strength: float, random: torch.Generator) -> None:
    """Shift every centre at random within its own shape, `strength` times its learning rate."""
    gaussians = population.gaussians
    with torch.no_grad():
        faint = 1 / (1 + torch.exp(-_STEEP * ((1 - gaussians.logits.sigmoid()) - _FAINT)))
        noise = torch.randn(gaussians.means.shape, generator=random, dtype=gaussians.means.dtype)
        noise = noise.to(gaussians.means.device)
        axes = axes_of(gaussians.rotations) * gaussians.log_scales.exp()[:, None, :]
        shaped = (axes @ (axes.mT @ noise[..., None])).squeeze(-1)
        gaussians.means.add_(strength * population.rate("means") * faint[:, None] * shaped)
