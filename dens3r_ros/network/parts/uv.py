# SPDX-License-Identifier: Apache-2.0
"""Where in the image the cells of a map lie, as numbers that convolutions can use."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

_BASE = 100.0


def uv_grid(size: tuple[int, int], aspect: float, device: torch.device) -> Tensor:
    """(rows, columns, 2): (u, v) of cell centres on a rectangle whose half diagonal is 1.

    `aspect` is width / height of the image, which need not be that of the map's `size` (rows,
    columns).
    """
    rows, columns = size
    diagonal = math.hypot(1.0, aspect)
    u = _centres(columns, aspect / diagonal, device)
    v = _centres(rows, 1.0 / diagonal, device)
    return torch.stack(torch.meshgrid(u, v, indexing="xy"), dim=-1)


def position_embedding(
    size: tuple[int, int], aspect: float, channels: int, device: torch.device
) -> Tensor:
    """(1, channels, rows, columns), channels-last: sines and cosines of u, then of v."""
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return _embedding(size, aspect, channels, device)
    return _cached_embedding(size, aspect, channels, device)


def _centres(count: int, reach: float, device: torch.device) -> Tensor:
    last = reach * (count - 1) / count
    return torch.linspace(-last, last, count, device=device)


def _embedding(size: tuple[int, int], aspect: float, channels: int, device: torch.device) -> Tensor:
    quarter = channels // 4
    frequencies = _BASE ** -(torch.arange(quarter, device=device).float() / quarter)
    angles = uv_grid(size, aspect, device)[..., None] * frequencies
    waves = torch.cat((angles.sin(), angles.cos()), dim=-1)
    return waves.flatten(2).permute(2, 0, 1)[None]


# Six for each size that a network sees, one of them of the size of the image.
@lru_cache(maxsize=12)
def _cached_embedding(
    size: tuple[int, int], aspect: float, channels: int, device: torch.device
) -> Tensor:
    with torch.inference_mode(False), torch.no_grad():
        return _embedding(size, aspect, channels, device)
