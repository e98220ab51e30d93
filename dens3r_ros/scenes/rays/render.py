# SPDX-License-Identifier: Apache-2.0
"""Views of worlds: pictures and exact geometry."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dens3r_ros.scenes.looks.lens import LensEffects, photograph
from dens3r_ros.scenes.rays.raycast import Views
from dens3r_ros.scenes.rays.shade import radiance
from dens3r_ros.scenes.rays.surface import Surface, see
from dens3r_ros.scenes.rays.world import Worlds


@dataclass(frozen=True, eq=False)
class Rendering:
    """V views: `image` (V, 3, H, W) in [-1, 1]; `depth` (V, H, W) metres, 0 where there is sky;
    `normals` (V, H, W, 3) in the optical frame, facing the camera; `slot` (V, H, W) the shape."""

    image: Tensor
    depth: Tensor
    normals: Tensor
    slot: Tensor


def render(worlds: Worlds, views: Views, lens: LensEffects) -> Rendering:
    """Cast, shade and photograph."""
    surface: Surface = see(worlds, views)
    image = photograph(radiance(worlds, views, surface), lens)
    valid = surface.slot >= 0
    normals = surface.normals.view(3, *surface.depth.shape).permute(1, 2, 3, 0)
    return Rendering(
        image=image,
        depth=torch.where(valid, surface.depth, 0.0),
        normals=torch.where(valid[..., None], normals, 0.0).contiguous(),
        slot=surface.slot,
    )
