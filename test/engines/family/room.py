# SPDX-License-Identifier: Apache-2.0
"""What a camera in a box sees, for engines whose networks have not learned to."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.rays import pixel_rays

HALF = np.array([3.0, 1.5, 4.0])
SIZE = (64, 64)
CAMERA = Intrinsics(55.0, 55.0, 31.5, 31.5, 64, 64)


def pose(n: int) -> np.ndarray:
    """T_room_camera (4, 4) of the n-th frame of a walk."""
    T = np.eye(4)
    T[:3, :3] = Rotation.from_euler("yx", [4.0 * n - 10, 1.5 * n], degrees=True).as_matrix()
    T[:3, 3] = (0.15 * n - 0.5, 0.05 * n, 0.1 * n - 1)
    return T


def points_in(T_frame_room: np.ndarray, T_room_camera: np.ndarray) -> torch.Tensor:
    """(1, H, W, 3) of what a camera sees of the walls, in another frame."""
    rays = pixel_rays(CAMERA).double().numpy() @ T_room_camera[:3, :3].T
    reach = (np.sign(rays) * HALF - T_room_camera[:3, 3]) / np.where(rays == 0, 1e-9, rays)
    points = T_room_camera[:3, 3] + rays * reach.min(-1, keepdims=True)
    moved = points @ T_frame_room[:3, :3].T + T_frame_room[:3, 3]
    return torch.from_numpy(moved).float()[None]


def frames(count: int, known: bool = True, camera: str = "camera") -> list[Frame]:
    """Frames of that walk, whose images show nothing."""
    random = np.random.default_rng(1)
    images = random.integers(0, 256, (count, *SIZE, 3), dtype=np.uint8)
    lens = CAMERA if known else None
    return [Frame(image, 10 * n, camera, lens) for n, image in enumerate(images)]
