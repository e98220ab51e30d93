# SPDX-License-Identifier: Apache-2.0
"""Splats as an image, on the CPU; gradients reach every one of their numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.splats.drawing.compositing import composited
from dens3r_ros.splats.drawing.projection import projected
from dens3r_ros.splats.drawing.tiles import Grid, touches
from dens3r_ros.splats.gaussians import Gaussians, gaussians_of
from dens3r_ros.splats.splats import Splats

Renderer = Callable[[Gaussians, Intrinsics, np.ndarray], tuple[Tensor, Tensor]]
"""Takes splats, a camera and T_world_camera to the two results of `render`."""


def render(
    gaussians: Gaussians, camera: Intrinsics, T_world_camera: np.ndarray
) -> tuple[Tensor, Tensor]:
    """(H, W, 3) colours on black, 0 to 1 and above, and (H, W) light that passes everything."""
    inverse = np.linalg.inv(np.asarray(T_world_camera, np.float64))
    T_camera_world = torch.from_numpy(inverse).to(gaussians.means)
    ellipses = projected(gaussians, camera, T_camera_world)
    grid = Grid(camera.width, camera.height)
    touching = touches(ellipses.centres, ellipses.reaches, grid)
    colours, light = composited(ellipses, touching, grid)
    return grid.image(colours), grid.image(light[:, None])[..., 0]


def picture(splats: Splats, camera: Intrinsics, T_world_camera: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB of splats on black."""
    with torch.no_grad():
        colours, _ = render(gaussians_of(splats), camera, T_world_camera)
    return (colours.clamp(0, 1) * 255).round().byte().numpy()
