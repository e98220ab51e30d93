# SPDX-License-Identifier: Apache-2.0
"""A batch of worlds of mixed kinds, by seed."""

from __future__ import annotations

from dataclasses import fields
from typing import TypeVar

import torch
from torch import Tensor

from dens3r_ros.scenes.random import RandomStream
from dens3r_ros.scenes.rays.primitives import joined
from dens3r_ros.scenes.rays.terrain import Terrain
from dens3r_ros.scenes.rays.world import Light, Stage, Worlds
from dens3r_ros.scenes.worlds.compositions import build_compositions
from dens3r_ros.scenes.worlds.corridors import build_corridors
from dens3r_ros.scenes.worlds.outdoors import build_outdoors
from dens3r_ros.scenes.worlds.rooms import build_rooms
from dens3r_ros.scenes.worlds.stairs import build_stairs

_BUILD = {
    "rooms": build_rooms,
    "corridors": build_corridors,
    "stairs": build_stairs,
    "outdoors": build_outdoors,
    "compositions": build_compositions,
}
KINDS_OF_WORLDS = {
    "rooms": 0.32,
    "corridors": 0.14,
    "stairs": 0.1,
    "outdoors": 0.24,
    "compositions": 0.2,
}
"""Kinds of worlds with their usual weights."""

Part = TypeVar("Part", Terrain, Light, Stage)


def sample_worlds(stream: RandomStream, weights: dict[str, float]) -> Worlds:
    """One world per seed, of a kind drawn by weight."""
    unknown = set(weights) - set(_BUILD)
    if unknown:
        raise ValueError(f"unknown kinds of worlds {sorted(unknown)}; there are {sorted(_BUILD)}")
    share = torch.tensor(list(weights.values()), dtype=torch.float64, device=stream.device).cumsum(
        0
    )
    draw = stream.uniform().double() * share[-1]
    kind = torch.searchsorted(share, draw, right=True).clamp(max=len(share) - 1)
    parts, order = [], []
    for number, name in enumerate(weights):
        index = (kind == number).nonzero()[:, 0]
        if len(index):
            parts.append(_BUILD[name](stream[index]))
            order.append(index)
    back = torch.cat(order).argsort()
    return Worlds(
        shapes=joined([p.shapes for p in parts], back),
        terrain=_joined([p.terrain for p in parts], back),
        light=_joined([p.light for p in parts], back),
        stage=_joined([p.stage for p in parts], back),
    )


def _joined(parts: list[Part], order: Tensor) -> Part:
    kind = type(parts[0])
    arrays = {f.name: torch.cat([getattr(p, f.name) for p in parts]) for f in fields(kind)}
    return kind(**{name: array[order] for name, array in arrays.items()})
