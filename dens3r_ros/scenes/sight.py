# SPDX-License-Identifier: Apache-2.0
"""What one camera has in sight of a building."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.scenes.rays.raycast import Views, visible_boxes
from dens3r_ros.scenes.rays.world import Worlds
from dens3r_ros.scenes.worlds.building import Building


def view_of(camera: Intrinsics, T_world_camera: np.ndarray) -> Views:
    """The view of a camera at (4, 4)."""
    return Views(
        torch.zeros(1, dtype=torch.int64),
        torch.from_numpy(camera.K)[None],
        torch.from_numpy(T_world_camera)[None],
        camera.height,
        camera.width,
    )


def in_sight(building: Building, views: Views) -> Worlds:
    """The world without the rooms that the camera is neither in nor sees the door of."""
    worlds = building.worlds
    if not len(building.doors):
        return worlds
    position = views.T_world_camera[0, :3, 3].float()
    inside = ((position >= building.inside[:, 0]) & (position <= building.inside[:, 1])).all(-1)
    shown = inside | visible_boxes(building.doors, views)
    shown = torch.cat((torch.ones(1, dtype=torch.bool), shown))
    shapes = worlds.shapes
    return replace(worlds, shapes=shapes.kept(shown[shapes.group[0]] & shapes.active[0]))


def as_bytes(image: torch.Tensor) -> np.ndarray:
    """(H, W, 3) uint8 of (3, H, W), -1 to 1."""
    whole = ((image + 1.0) * 127.5).round().to(torch.uint8)
    return whole.permute(1, 2, 0).contiguous().numpy()
