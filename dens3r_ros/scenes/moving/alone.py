# SPDX-License-Identifier: Apache-2.0
"""Movers with nothing round them, to be put into pictures of somewhere else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.scenes.looks.lens import steady_lens
from dens3r_ros.scenes.looks.materials import COLUMNS
from dens3r_ros.scenes.moving.cast import Movers
from dens3r_ros.scenes.moving.seen import SeenMotion, seen_motion, world_points
from dens3r_ros.scenes.rays.render import render
from dens3r_ros.scenes.rays.terrain import Terrain
from dens3r_ros.scenes.rays.world import LAMPS, Light, Stage, Worlds
from dens3r_ros.scenes.sight import as_bytes, view_of

_HIGH = 2.5
"""Metres above the camera at which lamps hang."""
_BEHIND = 0.35
"""Brightness of what is behind, by which the picture is exposed."""


@dataclass(frozen=True, eq=False)
class SeenMovers:
    """`image` (H, W, 3) uint8; `depth` (H, W) float32 metres, 0 where no mover is; what moves."""

    image: np.ndarray
    depth: np.ndarray
    motion: SeenMotion


def movers_alone(
    movers: Movers, camera: Intrinsics, T_world_camera: np.ndarray, seconds: float, seed: int
) -> SeenMovers:
    """The movers at a time, lit by lamps above the camera; z of the world points up."""
    worlds = Worlds(
        movers.shapes(seconds), _no_ground(), _light(T_world_camera[:3, 3]), _no_stage()
    )
    with torch.no_grad():
        lens = steady_lens(seed, round(1000 * seconds))
        seen = render(worlds, view_of(camera, T_world_camera), lens)
    depth = seen.depth[0].numpy()
    part = np.where(depth > 0, seen.slot[0].numpy(), -1)
    points = world_points(depth, camera, T_world_camera)
    motion = seen_motion(movers, part, points, T_world_camera, seconds)
    return SeenMovers(as_bytes(seen.image[0]), depth, motion)


def _light(eye: np.ndarray) -> Light:
    above = torch.from_numpy(eye).float() + torch.tensor([0.0, 0.0, _HIGH])
    beside = torch.tensor([[0.5, 0.3, 0.0], [-2.0, 1.0, 0.0], [1.0, -2.0, 0.0]])
    grey = torch.full((1, 3), _BEHIND)
    return Light(
        position=(above + beside)[None, None],
        colour=torch.full((1, 1, LAMPS, 3), 0.8),
        falloff=torch.full((1, 1, LAMPS), 3.0),
        above=grey,
        below=grey,
        sky=grey,
        horizon=grey,
        fog=torch.zeros(1),
        clouds=torch.zeros(1),
    )


def _no_ground() -> Terrain:
    no = torch.zeros(1, dtype=torch.bool)
    return Terrain(
        torch.zeros(1, 4, 4), torch.zeros(1), torch.zeros(1, 2), no, torch.zeros(1, COLUMNS)
    )


def _no_stage() -> Stage:
    nowhere = torch.zeros(1, 3)
    return Stage(nowhere, nowhere, nowhere, nowhere, torch.zeros(1))
