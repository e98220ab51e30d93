# SPDX-License-Identifier: Apache-2.0
"""How surfaces look: families of patterns, colours and finishes, as rows of numbers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dens3r_ros.scenes.atlas import TILES
from dens3r_ros.scenes.random import Stream

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


def hsv_to_rgb(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """(..., 3) from three (...) tensors; hue in turns."""
    steps = torch.tensor((5.0, 3.0, 1.0), device=hue.device)
    k = (steps + 6.0 * hue[..., None]) % 6.0
    reach = torch.minimum(k, 4.0 - k).clamp(0.0, 1.0)
    return value[..., None] * (1.0 - saturation[..., None] * reach)


def _span(stream: Stream, count: int, limits: tuple[float, float]) -> Tensor:
    return stream.uniform(count, low=limits[0], high=limits[1])


def _colours(stream: Stream, family: Family, count: int) -> Tensor:
    """(B, N, 9): a base colour, one that differs by the family's contrast, and an accent."""
    hue, saturation = _span(stream, count, family.hue), _span(stream, count, family.saturation)
    value = _span(stream, count, family.value)
    base = hsv_to_rgb(hue, saturation, value)
    change = family.contrast * stream.uniform(2, count, low=-1.0, high=1.0)
    narrow = family.hue[1] - family.hue[0]
    second = hsv_to_rgb(
        hue + 0.5 * narrow * change[:, 0],
        (saturation + 0.5 * change[:, 1]).clamp(0.0, 1.0),
        (value * (1.0 + change[:, 0] + 0.5 * change[:, 1])).clamp(0.05, 1.0),
    )
    other = hsv_to_rgb(stream.uniform(count), saturation, stream.uniform(count, low=0.05, high=1.0))
    accent = base + (other - base) * min(1.0, 1.3 * family.contrast)
    return torch.cat((base, second, accent), -1)


def material(stream: Stream, name: str, count: int) -> Tensor:
    """(B, N, COLUMNS) rows of a family, drawn at random."""
    family = FAMILIES[name]
    choices = torch.tensor([tile for p in family.patterns for tile in TILES[p]])
    rough = torch.tensor([tile for p in ("fractal", "grain", "marble") for tile in TILES[p]])
    device = stream.device

    def pick(tiles: Tensor) -> Tensor:
        return tiles.to(device)[stream.below(len(tiles), count)].float()[..., None]

    low, high = family.metres
    scale = 1.0 / stream.log_uniform(count, 1, low=low, high=high)
    angle = stream.uniform(count, 1, high=6.2831853) * float(family.turns)
    offset = stream.uniform(count, 2) * float(not family.fitted) + 0.5 * float(family.fitted)
    gloss = stream.uniform(count, 1)
    rows = (
        _colours(stream, family, count),
        pick(choices),
        (scale * float(not family.fitted)).expand(-1, -1, 3),
        offset,
        angle.cos(),
        angle.sin(),
        pick(rough),
        stream.uniform(count, 1, low=2.1, high=5.7),
        stream.uniform(count, 1, high=0.7),
        stream.uniform(count, 1, high=0.5),
        family.gloss * stream.uniform(count, 1) * stream.chance(0.5, count, 1),
        8.0 + 120.0 * gloss * gloss,
        family.emission * stream.uniform(count, 1, low=0.5, high=1.0),
    )
    return torch.cat(rows, -1)


def mixed(stream: Stream, names: tuple[str, ...], count: int) -> Tensor:
    """(B, N, COLUMNS) rows, each of a family drawn from `names`."""
    rows = torch.stack([material(stream, name, count) for name in names])
    choice = stream.below(len(names), count)
    return torch.gather(rows, 0, choice[None, ..., None].expand(1, -1, -1, COLUMNS))[0]
