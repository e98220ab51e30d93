# SPDX-License-Identifier: Apache-2.0
"""Where rays enter and leave the three unit shapes.

Rays are given in a shape's own coordinates, stretched so that the box is |x|, |y|, |z| <= 1, the
ellipsoid the unit ball, and the cylinder x^2 + y^2 <= 1, |z| <= 1; stretching keeps the ray
parameter. Results are (entry, exit); a ray misses where entry > exit.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

BOX, ELLIPSOID, CYLINDER, TERRAIN = 0, 1, 2, 3
Vector = Sequence[Tensor]


def _dot(a: Vector, b: Vector) -> Tensor:
    total = a[0] * b[0]
    for ai, bi in zip(a[1:], b[1:], strict=True):
        total = total + ai * bi
    return total


def _slab(o: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    inverse = d.reciprocal()
    middle = o * inverse
    reach = inverse.abs_()
    return -(middle + reach), reach.sub_(middle)


def _round(o: Vector, d: Vector) -> tuple[Tensor, Tensor]:
    """The unit ball in as many dimensions as given, by the point nearest to its centre."""
    square = _dot(d, d)
    nearest = -_dot(o, d) / square
    closest = [oi + nearest * di for oi, di in zip(o, d, strict=True)]
    offset = _dot(closest, closest)
    hit = offset <= 1.0
    reach = ((1.0 - offset).clamp_(min=0.0) / square).sqrt_()
    reach = torch.where(hit, reach, -torch.inf)
    return nearest - reach, nearest + reach


def box(o: Vector, d: Vector) -> tuple[Tensor, Tensor]:
    """Entry and exit of the unit box."""
    entry, leave = _slab(o[0], d[0])
    for oi, di in zip(o[1:], d[1:], strict=True):
        near, far = _slab(oi, di)
        entry, leave = torch.maximum(entry, near), torch.minimum(leave, far)
    return entry, leave


def ellipsoid(o: Vector, d: Vector) -> tuple[Tensor, Tensor]:
    """Entry and exit of the unit ball."""
    return _round(o, d)


def cylinder(o: Vector, d: Vector) -> tuple[Tensor, Tensor]:
    """Entry and exit of the unit cylinder along z, caps included."""
    entry, leave = _round(o[:2], d[:2])
    near, far = _slab(o[2], d[2])
    return torch.maximum(entry, near), torch.minimum(leave, far)


SHAPES = {BOX: box, ELLIPSOID: ellipsoid, CYLINDER: cylinder}
