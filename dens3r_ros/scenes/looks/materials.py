# SPDX-License-Identifier: Apache-2.0
"""How surfaces look: families of patterns, colours and finishes, as rows of numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from dens3r_ros.scenes.looks.atlas import TILES
from dens3r_ros.scenes.random import RandomStream

COLOURS = slice(0, 9)
TILE, UV_SCALE, OFFSET, TURN = 9, slice(10, 13), slice(13, 15), slice(15, 17)
DETAIL_TILE, DETAIL_FREQUENCY, DETAIL, STAIN = 17, 18, 19, 20
SPECULAR, GLOSS, EMISSION = 21, 22, 23
COLUMNS = 24
"""Columns of a material row; UV_SCALE is in tiles per metre, 0 meaning one tile per face."""


@dataclass(frozen=True)
class Family:
    """What materials of a kind have in common; ranges are (low, high)."""

    patterns: tuple[str, ...]
    metres: tuple[float, float] = (0.8, 3.0)
    saturation: tuple[float, float] = (0.05, 0.6)
    value: tuple[float, float] = (0.25, 0.9)
    hue: tuple[float, float] = (0.0, 1.0)
    contrast: float = 0.5
    turns: bool = False
    fitted: bool = False
    gloss: float = 0.3
    emission: float = 0.0


_WARM = (0.02, 0.14)
FAMILIES = {
    "wall": Family(
        ("fractal", "grain", "bricks", "tiles", "stripes", "dots", "panels", "stones", "planks"),
        value=(0.4, 0.95),
        saturation=(0.0, 0.45),
        contrast=0.35,
    ),
    "floor": Family(
        ("planks", "tiles", "herringbone", "marble", "grain", "speckle", "plaid", "stones"),
        turns=True,
        saturation=(0.05, 0.5),
    ),
    "ceiling": Family(
        ("grain", "tiles", "fractal", "planks"), value=(0.6, 0.95), saturation=(0.0, 0.15)
    ),
    "wood": Family(("wood", "planks"), (0.5, 1.6), (0.3, 0.75), (0.2, 0.75), _WARM, 0.4),
    "fabric": Family(("plaid", "stripes", "dots", "grain", "fractal"), (0.3, 1.2), (0.1, 0.85)),
    "plain": Family(
        ("grain", "fractal", "marble", "speckle"), (0.5, 2.0), (0.0, 0.85), contrast=0.3, turns=True
    ),
    "any": Family(tuple(TILES), (0.25, 2.0), (0.0, 0.9), (0.15, 0.95), contrast=0.6, turns=True),
    "print": Family(
        ("poster", "picture", "sign", "text"),
        saturation=(0.2, 0.95),
        contrast=0.8,
        fitted=True,
    ),
    "shelf": Family(("shelves",), saturation=(0.2, 0.9), contrast=0.8, fitted=True),
    "door": Family(("panels",), saturation=(0.1, 0.6), contrast=0.3, fitted=True),
    "window": Family(("facade",), value=(0.5, 1.0), fitted=True, gloss=0.8, emission=0.6),
    "lamp": Family(("grain",), value=(0.9, 1.0), saturation=(0.0, 0.15), emission=3.0),
    "metal": Family(
        ("corrugated", "grain", "fractal"), (0.4, 1.5), (0.0, 0.3), contrast=0.4, gloss=0.9
    ),
    "facade": Family(
        ("facade", "facade", "bricks", "tiles", "corrugated", "stones", "grain"),
        (3.0, 9.0),
        value=(0.35, 0.9),
        contrast=0.4,
    ),
    "roof": Family(("shingles", "tiles", "corrugated"), (1.5, 4.0), (0.2, 0.7), (0.15, 0.6), _WARM),
    "ground": Family(
        ("fractal", "grain", "stones", "speckle", "marble"), (1.5, 6.0), (0.1, 0.5), (0.2, 0.7)
    ),
    "leaves": Family(("fractal", "grain"), (0.5, 1.5), (0.4, 0.8), (0.15, 0.6), (0.2, 0.4), 0.6),
    "road": Family(("grain", "speckle", "tiles"), (1.0, 4.0), (0.0, 0.1), (0.15, 0.5)),
}


_ROUGH = tuple(tile for name in ("fractal", "grain", "marble") for tile in TILES[name])


def hsv_to_rgb(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """(..., 3) from three (...) tensors; hue in turns."""
    steps = torch.tensor((5.0, 3.0, 1.0), device=hue.device)
    k = (steps + 6.0 * hue[..., None]) % 6.0
    reach = torch.minimum(k, 4.0 - k).clamp(0.0, 1.0)
    return value[..., None] * (1.0 - saturation[..., None] * reach)


@dataclass(frozen=True, eq=False)
class _Tables:
    """The families as arrays: `tiles` (F, T) padded, how `many` (F,), and `ranges` (F, R)."""

    number: dict[str, int]
    tiles: Tensor
    many: Tensor
    ranges: Tensor


@lru_cache(maxsize=4)
def _tables(device: torch.device) -> _Tables:
    tiles = [[tile for p in family.patterns for tile in TILES[p]] for family in FAMILIES.values()]
    longest = max(map(len, tiles))
    ranges = [
        (
            *family.hue,
            *family.saturation,
            *family.value,
            *(math.log(metre) for metre in family.metres),
            family.contrast,
            family.turns,
            family.fitted,
            family.gloss,
            family.emission,
        )
        for family in FAMILIES.values()
    ]
    return _Tables(
        number={name: i for i, name in enumerate(FAMILIES)},
        tiles=torch.tensor([t + [0] * (longest - len(t)) for t in tiles], device=device),
        many=torch.tensor([len(t) for t in tiles], device=device),
        ranges=torch.tensor(ranges, dtype=torch.float32, device=device),
    )


def _colours(draws: Sequence[Tensor], ranges: Sequence[Tensor]) -> list[Tensor]:
    """Three (..., 3) colours: a base, one that differs by the family's contrast, an accent."""
    hue_low, hue_high, least, most, dark, bright, _, _, contrast = ranges[:9]
    hue = hue_low + (hue_high - hue_low) * draws[0]
    saturation = least + (most - least) * draws[1] ** 2
    value = dark + (bright - dark) * draws[2]
    change, other_change = (contrast * (2.0 * draw - 1.0) for draw in draws[3:5])
    base = hsv_to_rgb(hue, saturation, value)
    second = hsv_to_rgb(
        hue + 0.5 * (hue_high - hue_low) * change,
        (saturation + 0.5 * other_change).clamp(0.0, 1.0),
        (value * (1.0 + change + 0.5 * other_change)).clamp(0.05, 1.0),
    )
    other = hsv_to_rgb(draws[5], saturation, 0.05 + 0.95 * draws[6])
    return [base, second, base + (other - base) * (1.3 * contrast).clamp(max=1.0)[..., None]]


def material(stream: RandomStream, names: str | tuple[str, ...], count: int) -> Tensor:
    """(B, N, COLUMNS) rows, each drawn from one of the named families."""
    names = (names,) if isinstance(names, str) else names
    tables = _tables(stream.device)
    draws = stream.uniform(20, count).unbind(1)
    own = torch.tensor([tables.number[name] for name in names], device=stream.device)
    family = own[(draws[7] * len(names)).long()]
    ranges = tables.ranges[family].unbind(-1)
    low, high, _, turns, fitted, gloss, emission = ranges[6:]
    tile = tables.tiles[family, (draws[8] * tables.many[family]).long()].float()
    rough = torch.tensor(_ROUGH, device=stream.device)[(draws[9] * len(_ROUGH)).long()].float()
    scale = (-(low + (high - low) * draws[10])).exp() * (1.0 - fitted)
    angle = 6.2831853 * draws[11] * turns
    offset = [draw + fitted * (0.5 - draw) for draw in draws[12:14]]
    rows = (
        *(channel for colour in _colours(draws[:7], ranges) for channel in colour.unbind(-1)),
        tile,
        *(scale,) * 3,
        *offset,
        angle.cos(),
        angle.sin(),
        rough,
        2.1 + 3.6 * draws[14],
        0.7 * draws[15],
        0.5 * draws[16],
        gloss * (2.0 * draws[17] - 1.0).clamp(min=0.0),
        8.0 + 120.0 * draws[18] ** 2,
        emission * (0.5 + 0.5 * draws[19]),
    )
    return torch.stack(rows, -1)
