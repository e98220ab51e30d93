# SPDX-License-Identifier: Apache-2.0
"""Worlds of one or a few known shapes, and cameras that look at them."""

from __future__ import annotations

import torch
from torch import Tensor

from dens3r_ros.scenes.cameras import look_at
from dens3r_ros.scenes.looks.materials import COLUMNS
from dens3r_ros.scenes.rays.primitives import Builder, Primitives
from dens3r_ros.scenes.rays.raycast import Views
from dens3r_ros.scenes.rays.terrain import Terrain, flat_terrain
from dens3r_ros.scenes.rays.world import LAMPS, Light, Stage, Worlds

CPU = torch.device("cpu")


def shapes(*parts: tuple[int, tuple, tuple, Tensor | None]) -> Primitives:
    """One world of (kind, centre, half, rotation) shapes."""
    builder = Builder(1, CPU)
    for kind, centre, half, rotation in parts:
        builder.add(
            kind,
            torch.tensor([[centre]], dtype=torch.float32),
            torch.tensor([[half]], dtype=torch.float32),
            torch.zeros(1, 1, COLUMNS),
            None if rotation is None else rotation[None, None],
        )
    return builder.finish()


def world(primitives: Primitives, terrain: Terrain | None = None) -> Worlds:
    """That world, lit by one lamp far above."""
    zero = torch.zeros(1, 3)
    light = Light(
        position=torch.tensor([0.0, 0.0, 1e4]).expand(1, 1, LAMPS, 3),
        colour=torch.tensor([1.0, 0.0, 0.0])[:, None].expand(1, 1, LAMPS, 3),
        falloff=torch.full((1, 1, LAMPS), 1e9),
        above=zero + 0.1,
        below=zero + 0.1,
        sky=zero,
        horizon=zero,
        fog=zero[:, 0],
        clouds=zero[:, 0],
    )
    stage = Stage(zero, zero, zero, zero, zero[:, 0])
    return Worlds(primitives, terrain or flat_terrain(1, CPU), light, stage)


def camera(
    position: tuple[float, float, float],
    target: tuple[float, float, float],
    size: tuple[int, int] = (41, 57),
    focal: float = 50.0,
    roll: float = 0.0,
) -> Views:
    """One view of `size` (height, width)."""
    height, width = size
    K = torch.tensor([[focal, 0, 0.5 * (width - 1)], [0, focal, 0.5 * (height - 1)], [0, 0, 1]])
    T = look_at(torch.tensor([position]), torch.tensor([target]), torch.tensor([roll]))
    return Views(torch.zeros(1, dtype=torch.int64), K.double()[None], T, height, width)


def world_rays(views: Views) -> tuple[Tensor, Tensor]:
    """Origin (3,) and (H, W, 3) rays of depth 1, in world axes, float64."""
    T = views.T_world_camera[0]
    return T[:3, 3], torch.einsum("ij,jhw->hwi", T[:3, :3], views.rays()[0].double())
