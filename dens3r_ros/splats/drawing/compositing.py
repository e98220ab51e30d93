# SPDX-License-Identifier: Apache-2.0
"""Colours of an image's pixels from the ellipses that lie over each other there.

All tiles are worked on together, so many ellipses at a time of each, from front to back; a tile
that lets no more light through is left out of the next round. The exponent of an ellipse is a
quadratic polynomial of the pixel's place in the tile: one matrix product for all pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dens3r_ros.splats.drawing.projection import FAINTEST, Ellipses
from dens3r_ros.splats.drawing.tiles import SIDE, Grid, Touches

DENSEST = 0.999
"""Most opacity that a splat has at a pixel."""
_DARK = 1e-5
"""Light left below which what lies behind does not count."""
_AT_ONCE = 32
"""Ellipses of each tile in one round."""
_NOWHERE = -1e4
"""Exponent of what fills up a tile's round."""


def composited(ellipses: Ellipses, touching: Touches, grid: Grid) -> tuple[Tensor, Tensor]:
    """(len(grid), 3, SIDE^2) colours and (len(grid), SIDE^2) light that passes everything."""
    polynomials = _polynomials(ellipses, touching, grid)
    colours = ellipses.colours
    return _Compositing.apply(polynomials, colours, touching.ellipses, touching.starts)


def _polynomials(ellipses: Ellipses, touching: Touches, grid: Grid) -> Tensor:
    """(P, 6): the logarithm of a splat's opacity at (x, y) from the middle of the tile is the
    product with x^2, x y, y^2, x, y, 1. Made in double: large terms cancel."""
    row, column = touching.tiles // grid.columns, touching.tiles % grid.columns
    middle = torch.stack([column, row], -1) * SIDE + (SIDE - 1) / 2
    kind = ellipses.centres.dtype
    every = torch.cat([ellipses.centres, ellipses.conics, ellipses.log_opacity[:, None]], -1)
    x, y, a, b, c, log_opacity = every.double().index_select(0, touching.ellipses).unbind(-1)
    x, y = x - middle[:, 0], y - middle[:, 1]
    ax, by = a * x + b * y, b * x + c * y
    constant = log_opacity - 0.5 * (ax * x + by * y)
    return torch.stack([-0.5 * a, -b, -0.5 * c, ax, by, constant], -1).to(kind)


def _monomials(like: Tensor) -> Tensor:
    """(6, SIDE^2) x^2, x y, y^2, x, y, 1 of a tile's pixels, row by row."""
    place = torch.arange(SIDE, dtype=like.dtype, device=like.device) - (SIDE - 1) / 2
    y, x = (axis.reshape(-1) for axis in torch.meshgrid(place, place, indexing="ij"))
    return torch.stack([x * x, x * y, y * y, x, y, torch.ones_like(x)])


@dataclass(frozen=True, eq=False)
class _Round:
    """One round of some tiles: pairs (T, n), which of them are there, opacities and weights
    (T, n, SIDE^2) at every pixel."""

    tiles: Tensor
    pairs: Tensor
    there: Tensor
    opacities: Tensor
    weights: Tensor


class _Compositing(torch.autograd.Function):
    """Front to back; the gradients back to front, from what was kept of each round."""

    @staticmethod
    def forward(
        ctx: Any, polynomials: Tensor, colours: Tensor, ellipses: Tensor, starts: Tensor
    ) -> tuple[Tensor, Tensor]:
        count = len(starts) - 1
        light = polynomials.new_ones(count, SIDE * SIDE)
        result = polynomials.new_zeros(count, 3, SIDE * SIDE)
        monomials, kept = _monomials(polynomials), []
        lengths = starts[1:] - starts[:-1]
        tiles, done = lengths.argsort(descending=True), 0
        while len(tiles := tiles[(lengths[tiles] > done) & (light[tiles].amax(1) > _DARK)]):
            round_ = _round(tiles, done, starts, polynomials, monomials, light)
            shades = colours[ellipses[round_.pairs]]
            result[tiles] += shades.mT @ round_.weights
            done += _AT_ONCE
            if ctx.needs_input_grad[0] or ctx.needs_input_grad[1]:
                kept.append(round_)
        ctx.rounds, ctx.shape = kept, polynomials.shape
        ctx.save_for_backward(colours, ellipses, light, monomials)
        return result, light

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        of_result, of_light = gradients
        colours, ellipses, light, monomials = ctx.saved_tensors
        behind = light * of_light
        polynomials = colours.new_zeros(ctx.shape)
        shades_of_pairs = colours.new_zeros(ctx.shape[0], 3)
        for round_ in reversed(ctx.rounds):
            wanted = of_result[round_.tiles]
            shades = colours[ellipses[round_.pairs]]
            gained = round_.weights * (shades @ wanted)
            slopes = _slopes(round_, gained, behind)
            there = round_.pairs[round_.there]
            polynomials[there] = (slopes @ monomials.T)[round_.there]
            shades_of_pairs[there] = (round_.weights @ wanted.mT)[round_.there]
        of_colours = torch.zeros_like(colours).index_add_(0, ellipses, shades_of_pairs)
        return polynomials, of_colours, None, None


def _round(
    tiles: Tensor, done: int, starts: Tensor, polynomials: Tensor, monomials: Tensor, light: Tensor
) -> _Round:
    """The next ellipses of some tiles; takes from `light` what they hold back."""
    first, end = starts[tiles, None] + done, starts[tiles + 1, None]
    most = min(_AT_ONCE, int((end - first).max()))
    pairs = first + torch.arange(most, device=tiles.device)
    there = pairs < end
    pairs = torch.where(there, pairs, first)
    exponents = polynomials[pairs]
    exponents[~there] = exponents.new_tensor([0, 0, 0, 0, 0, _NOWHERE])
    opacities = (exponents.reshape(-1, 6) @ monomials).reshape(*pairs.shape, -1).exp_()
    torch.threshold_(opacities, FAINTEST, 0.0).clamp_(max=DENSEST)
    weights, left = torch.empty_like(opacities), light[tiles]
    for k in range(most):
        torch.mul(left, opacities[:, k], out=weights[:, k])
        left -= weights[:, k]
    light[tiles] = left
    return _Round(tiles, pairs, there, opacities, weights)


def _slopes(round_: _Round, gained: Tensor, behind: Tensor) -> Tensor:
    """(T, n, SIDE^2) by how much the loss grows with each exponent.

    `gained`: what each ellipse adds to the loss's linear part; `behind` (of all tiles): what all
    behind the round add, brought up to date.
    """
    hidden, later = torch.empty_like(gained), behind[round_.tiles]
    for k in range(gained.shape[1] - 1, -1, -1):
        hidden[:, k] = later
        later += gained[:, k]
    behind[round_.tiles] = later
    held_back = hidden.mul_(round_.opacities).div_(1 - round_.opacities)
    return (gained - held_back).masked_fill_(round_.opacities >= DENSEST, 0.0)
