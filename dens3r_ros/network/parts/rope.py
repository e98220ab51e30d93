# SPDX-License-Identifier: Apache-2.0
"""Rotary position embedding on a two-dimensional grid of patches."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, nn

Tables = tuple[Tensor, Tensor]
"""Cosine and signed sine for every channel of a head, each (N, 1, 1, head_dim).

The first half of the channels turns with y, the second with x; within a half, channel m and
channel m + head_dim / 4 make a pair.
"""


class RotaryEmbedding(nn.Module):
    """Makes the tables by which `rotate` turns queries and keys; it has no weights.

    Where `grid` is given, positions are stretched so that the long side of every image spans that
    of the training images (position interpolation).
    """

    def __init__(self, head_dim: int, base: float, grid: int | None) -> None:
        super().__init__()
        self.head_dim = head_dim
        self.base = base
        self.grid = grid

    def forward(self, size: tuple[int, int], device: torch.device) -> Tables:
        """Tables for all patches, row by row, of a grid of `size` (rows, columns)."""
        arguments = (self.head_dim, self.base, self.grid, size, device)
        if torch.compiler.is_compiling() or torch.jit.is_tracing():
            return _tables(*arguments)
        return _cached_tables(*arguments)


def token_tables(
    head_dim: int, base: float, grid: tuple[int, int], special: int, device: torch.device
) -> Tables:
    """Tables for a sequence of `special` tokens and then the patches of `grid`, row by row.

    Special tokens stand at (0, 0), the first patch at (1, 1).
    """
    arguments = (head_dim, base, grid, special, device)
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return _token_tables(*arguments)
    return _cached_token_tables(*arguments)


def tables_at(y: Tensor, x: Tensor, head_dim: int, base: float) -> Tables:
    """Tables for tokens at the positions (y, x), each (N,)."""
    axis_dim = head_dim // 2
    exponents = torch.arange(0, axis_dim, 2, device=y.device).float() / axis_dim
    frequencies = 1.0 / base**exponents
    angles_y, angles_x = y[:, None] * frequencies, x[:, None] * frequencies
    cosine = torch.cat((angles_y.cos(), angles_y.cos(), angles_x.cos(), angles_x.cos()), dim=-1)
    sine = torch.cat((-angles_y.sin(), angles_y.sin(), -angles_x.sin(), angles_x.sin()), dim=-1)
    return cosine[:, None, None], sine[:, None, None]


def rotate(x: Tensor, tables: Tables) -> Tensor:
    """Rotate channels of x (B, N, M, heads, head_dim) by the positions of its N patches."""
    cosine, sine = (table.to(x.dtype) for table in tables)
    y_low, y_high, x_low, x_high = x.chunk(4, dim=-1)
    partners = torch.cat((y_high, y_low, x_high, x_low), dim=-1)
    return torch.addcmul(x * cosine, partners, sine)


def _tables(
    head_dim: int, base: float, grid: int | None, size: tuple[int, int], device: torch.device
) -> Tables:
    factor = 1.0 if grid is None else grid / max(size)
    rows, columns = (torch.arange(n, device=device).float() * factor for n in size)
    return tables_at(rows.repeat_interleave(size[1]), columns.repeat(size[0]), head_dim, base)


def _token_tables(
    head_dim: int, base: float, grid: tuple[int, int], special: int, device: torch.device
) -> Tables:
    rows, columns = (torch.arange(1, side + 1, device=device).float() for side in grid)
    y = torch.cat((rows.new_zeros(special), rows.repeat_interleave(grid[1])))
    x = torch.cat((rows.new_zeros(special), columns.repeat(grid[0])))
    return tables_at(y, x, head_dim, base)


@lru_cache(maxsize=32)
def _cached_token_tables(
    head_dim: int, base: float, grid: tuple[int, int], special: int, device: torch.device
) -> Tables:
    # Tables first made in inference mode could not be used for training later.
    with torch.inference_mode(False), torch.no_grad():
        return _token_tables(head_dim, base, grid, special, device)


@lru_cache(maxsize=32)
def _cached_tables(
    head_dim: int, base: float, grid: int | None, size: tuple[int, int], device: torch.device
) -> Tables:
    # Tables first made in inference mode could not be used for training later.
    with torch.inference_mode(False), torch.no_grad():
        return _tables(head_dim, base, grid, size, device)
