# SPDX-License-Identifier: Apache-2.0
"""All texture tiles with their mip levels in one table, so that a texture is one look-up.

Every tile is box-filtered down to one texel, and a look-up reads the level whose texels are as
large as the pixel's footprint: detail too fine for the picture fades instead of flickering.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from dens3r_ros.scenes.looks import patterns, prints
from dens3r_ros.scenes.looks.patterns import SIZE, Random

_DRAWN = (
    *((getattr(patterns, name), 3) for name in ("fractal", "grain", "marble", "stones", "bricks")),
    *((getattr(patterns, name), 3) for name in ("tiles", "planks", "wood", "stripes", "dots")),
    *((getattr(patterns, name), 2) for name in ("speckle", "plaid", "corrugated", "shingles")),
    (patterns.herringbone, 2),
    (prints.text, 3),
    (prints.sign, 4),
    (prints.poster, 8),
    (prints.picture, 4),
    (prints.shelves, 3),
    (prints.facade, 4),
    (prints.panels, 3),
)
LEVELS = SIZE.bit_length()
TILE_TEXELS = (4 * SIZE * SIZE - 1) // 3

_starts = np.cumsum([0] + [count for _, count in _DRAWN])
TILES = {draw.__name__: range(_starts[i], _starts[i + 1]) for i, (draw, _) in enumerate(_DRAWN)}
"""Which tiles of the table a pattern has, by its name."""


def _pyramid(tile: np.ndarray) -> np.ndarray:
    """(T, 3): the levels of a tile, finest first, row by row."""
    levels = [tile]
    while len(levels[-1]) > 1:
        fine = levels[-1]
        levels.append(
            0.25 * (fine[::2, ::2] + fine[1::2, ::2] + fine[::2, 1::2] + fine[1::2, 1::2])
        )
    return np.concatenate([level.reshape(-1, 3) for level in levels])


@lru_cache(maxsize=1)
def _table() -> Tensor:
    drawn = [
        _pyramid(draw(Random(1000 * kind + variant)))
        for kind, (draw, variants) in enumerate(_DRAWN)
        for variant in range(variants)
    ]
    return torch.from_numpy(np.ascontiguousarray(np.concatenate(drawn).T))


@lru_cache(maxsize=4)
def atlas(device: torch.device) -> Tensor:
    """(3, T) float32 texels of every tile and level; the same numbers on every machine."""
    return _table().to(device)


def look_up(table: Tensor, tile: Tensor, u: Tensor, v: Tensor, footprint: Tensor) -> Tensor:
    """(C, N) bilinear samples at (u, v), in tiles, where a pixel covers `footprint` tiles."""
    level = (footprint.clamp(min=1e-6) * SIZE).log2_().round_().clamp_(0, LEVELS - 1).int()
    size = torch.full_like(level, SIZE) >> level
    texels = size.float()
    x, y = u * texels - 0.5, v * texels - 0.5
    x0, y0 = x.floor(), y.floor()
    fx, fy = x - x0, y - y0
    wrap = size - 1
    left, top = x0.int() & wrap, y0.int() & wrap
    right, bottom = (left + 1) & wrap, (top + 1) & wrap
    start = tile.int() * TILE_TEXELS + (4 * (SIZE * SIZE - size * size)) // 3
    upper, lower = start + top * size, start + bottom * size
    corners = torch.stack((upper + left, upper + right, lower + left, lower + right))
    a, b, c, d = table.index_select(1, corners.view(-1)).view(len(table), 4, -1).unbind(1)
    high = a + (b - a) * fx
    low = c + (d - c) * fx
    return high + (low - high) * fy
