# SPDX-License-Identifier: Apache-2.0
"""A batch of worlds: shapes, ground, lamps, sky, and where a camera may stand."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from torch import Tensor

from dens3r_ros.scenes.rays.primitives import Primitives
from dens3r_ros.scenes.rays.terrain import Terrain

LAMPS = 3
"""Lamps that shine on a surface."""


@dataclass(frozen=True, eq=False)
class Light:
    """G groups of L = LAMPS lamps per world, and what comes from everywhere.

    `position` (B, G, L, 3) metres; `colour` (B, G, L, 3); `falloff` (B, G, L) the distance at
    which half is left, in metres; `above` and `below` (B, 3) what reaches surfaces facing up and
    down; `sky` and `horizon` (B, 3) colours; `fog` (B,) per metre; `clouds` (B,) 0 to 1. The first
    lamp of a group throws shadows.
    """

    position: Tensor
    colour: Tensor
    falloff: Tensor
    above: Tensor
    below: Tensor
    sky: Tensor
    horizon: Tensor
    fog: Tensor
    clouds: Tensor

    def __getitem__(self, index: Tensor) -> Light:
        """The lights of the worlds that `index` names."""
        return replace(self, **{f.name: getattr(self, f.name)[index] for f in fields(self)})


@dataclass(frozen=True, eq=False)
class Stage:
    """Where cameras may be, (B, 3) low and high, and what they look at, (B, 3) low and high.

    Heights are above the terrain where there is one. `clearance` (B,) is what cameras keep from
    shapes, metres.
    """

    camera_low: Tensor
    camera_high: Tensor
    target_low: Tensor
    target_high: Tensor
    clearance: Tensor

    def __getitem__(self, index: Tensor) -> Stage:
        """The stages of the worlds that `index` names."""
        return replace(self, **{f.name: getattr(self, f.name)[index] for f in fields(self)})


@dataclass(frozen=True, eq=False)
class Worlds:
    """B worlds."""

    shapes: Primitives
    terrain: Terrain
    light: Light
    stage: Stage
