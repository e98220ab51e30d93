# SPDX-License-Identifier: Apache-2.0
"""Which ellipses touch which tiles of an image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

SIDE = 8
"""Pixels of a tile, each way."""


@dataclass(frozen=True, eq=False)
class Grid:
    """The tiles of an image, row by row; those at its right and lower edge may stick out."""

    width: int
    height: int

    @property
    def columns(self) -> int:
        """Tiles in a row."""
        return -(-self.width // SIDE)

    @property
    def rows(self) -> int:
        """Tiles in a column."""
        return -(-self.height // SIDE)

    def __len__(self) -> int:
        return self.columns * self.rows

    def image(self, tiles: Tensor) -> Tensor:
        """(height, width, C) image of tiles (len, C, SIDE * SIDE)."""
        planes = tiles.reshape(self.rows, self.columns, -1, SIDE, SIDE).permute(0, 3, 1, 4, 2)
        whole = planes.reshape(self.rows * SIDE, self.columns * SIDE, -1)
        return whole[: self.height, : self.width]


@dataclass(frozen=True, eq=False)
class Touches:
    """Pairs of a tile and an ellipse that reaches it, by tile, and in each the nearest first.

    ellipses (P,), tiles (P,): indices; starts (len(grid) + 1,): where each tile's pairs begin
    """

    ellipses: Tensor
    tiles: Tensor
    starts: Tensor


def touches(centres: Tensor, reaches: Tensor, grid: Grid) -> Touches:
    """All pairs, of ellipses (M, 2) that come the nearest first."""
    with torch.no_grad():
        last = centres.new_tensor([grid.columns - 1, grid.rows - 1])
        low = ((centres - reaches).ceil() / SIDE).floor()
        high = ((centres + reaches).floor() / SIDE).floor()
        inside = ((high >= 0) & (low <= last)).all(-1)
        low = torch.minimum(low.clamp(min=0), last).long()
        high = torch.minimum(high.clamp(min=0), last).long()
        sides = torch.where(inside[:, None], (high - low + 1).clamp(min=0), 0)
        counts = sides[:, 0] * sides[:, 1]
        ellipses = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
        nth = torch.arange(len(ellipses), device=counts.device)
        nth = nth - (counts.cumsum(0) - counts)[ellipses]
        wide = sides[ellipses, 0]
        column, row = low[ellipses, 0] + nth % wide, low[ellipses, 1] + nth // wide
        tiles, order = (row * grid.columns + column).int().sort(stable=True)
        tiles = tiles.long()
        starts = torch.searchsorted(tiles, torch.arange(len(grid) + 1, device=tiles.device))
        return Touches(ellipses[order], tiles, starts)
