# SPDX-License-Identifier: Apache-2.0
"""Soft shadows of one lamp: how much of each shape lies between a point and the lamp."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dens3r_ros.scenes.rays.intersect import SHAPES
from dens3r_ros.scenes.rays.primitives import KINDS, Primitives
from dens3r_ros.scenes.rays.raycast import LocalViews, Views, rounds

_STRIDE = 2
_TILE = 8


def light_reaching(
    shapes: Primitives, views: Views, local: LocalViews, points: Tensor, lamp: Tensor
) -> Tensor:
    """(V, H, W) share of a lamp's light that reaches each pixel's point.

    `points` (V, 3, H, W), lifted off their surface, and each one's `lamp` (V, 3, H, W) are in the
    optical frame. Every second pixel of every second row is computed.
    """
    height, width = points.shape[2:]
    points, lamp = _tiled(points), _tiled(lamp)
    casts = shapes.casts[views.world] & local.active
    mask = _may_shade(local, points, lamp) & casts[:, None]
    light = torch.ones(points.shape[0] * points.shape[1], _TILE * _TILE, device=points.device)
    for kind in KINDS:
        slots = shapes.slots(kind)
        for view, tile, place in rounds(mask[:, :, slots]):
            row = view * points.shape[1] + tile
            blocked = _blocked(
                kind, local, view, place + slots.start, points[view, tile], lamp[view, tile]
            )
            light[row] = torch.minimum(light[row], 1.0 - blocked)
    return _image(light, len(views), height, width)


def _tiled(image: Tensor) -> Tensor:
    """(V, T, 3, 64) tiles of the thinned (V, 3, H, W)."""
    thin = image[:, :, ::_STRIDE, ::_STRIDE]
    down, across = -(-thin.shape[2] // _TILE), -(-thin.shape[3] // _TILE)
    pad = (0, across * _TILE - thin.shape[3], 0, down * _TILE - thin.shape[2])
    whole = F.pad(thin, pad, mode="replicate")
    grid = whole.view(len(image), 3, down, _TILE, across, _TILE)
    return grid.permute(0, 2, 4, 1, 3, 5).reshape(len(image), down * across, 3, _TILE * _TILE)


def _image(tiles: Tensor, count: int, height: int, width: int) -> Tensor:
    rows, columns = -(-height // _STRIDE), -(-width // _STRIDE)
    down, across = -(-rows // _TILE), -(-columns // _TILE)
    grid = tiles.view(count, down, across, _TILE, _TILE).transpose(2, 3)
    thin = grid.reshape(count, 1, down * _TILE, across * _TILE)
    full = F.interpolate(thin, scale_factor=_STRIDE, mode="bilinear", align_corners=False)
    return full[:, 0, :height, :width]


def _may_shade(local: LocalViews, points: Tensor, lamp: Tensor) -> Tensor:
    """(V, T, P): whether a shape's box meets the box around a tile's points and the lamp."""
    low, high = points.amin(-1), points.amax(-1)
    middle, reach = 0.5 * (low + high), 0.5 * (high - low)
    lamp_low, lamp_high = lamp.amin(-1), lamp.amax(-1)
    lamp_middle, lamp_reach = 0.5 * (lamp_low + lamp_high), 0.5 * (lamp_high - lamp_low)
    meets = torch.ones((), dtype=torch.bool, device=points.device)
    for axis in range(3):
        turn = local.rotation[:, None, :, :, axis]
        origin, half = local.origin[:, None, :, axis], local.half[:, None, :, axis]

        def along(vector: Tensor, turn: Tensor = turn) -> Tensor:
            return (turn * vector[:, :, None]).sum(-1)

        m, e = along(middle) + origin, (turn.abs() * reach[:, :, None]).sum(-1)
        lm, le = along(lamp_middle) + origin, (turn.abs() * lamp_reach[:, :, None]).sum(-1)
        least, most = torch.minimum(m - e, lm - le), torch.maximum(m + e, lm + le)
        meets = meets & (least <= half) & (most >= -half)
    return meets


def _blocked(
    kind: int, local: LocalViews, view: Tensor, slot: Tensor, points: Tensor, lamp: Tensor
) -> Tensor:
    """(R, 64): 1 where much of a shape is in the way, less at its fringes."""
    rotation, origin, half = (x[view, slot] for x in (local.rotation, local.origin, local.half))

    def own(vector: Tensor, axis: int) -> Tensor:
        turned = (rotation[:, :, axis, None] * vector).sum(1)
        return (turned + origin[:, axis, None]) / half[:, axis, None]

    start = [own(points, axis) for axis in range(3)]
    step = [own(lamp, axis) - start[axis] + 1e-12 for axis in range(3)]
    entry, leave = SHAPES[kind](start, step)
    inside = (leave.clamp(max=1.0) - entry.clamp(min=0.0)).clamp(min=0.0)
    length = ((lamp - points) ** 2).sum(1).sqrt()
    softness = half.amin(-1)[:, None] * 0.8
    return (inside * length / softness).clamp(max=1.0)
