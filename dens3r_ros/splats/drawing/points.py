# SPDX-License-Identifier: Apache-2.0
"""A coloured cloud as viewers of points draw it, to compare splats with."""

from __future__ import annotations

import numpy as np

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.splats.drawing.projection import NEAR
from dens3r_ros.splats.harmonics import CONSTANT
from dens3r_ros.splats.splats import Splats

_WIDEST = 9
"""Pixels that a point may cover, each way."""


def points_picture(splats: Splats, camera: Intrinsics, T_world_camera: np.ndarray) -> np.ndarray:
    """(H, W, 3) float32 on black: each splat's centre in its colour, the nearest in front, as a
    square as wide as what it stands for, a pixel at least."""
    T = np.linalg.inv(T_world_camera)
    points = splats.means @ T[:3, :3].T + T[:3, 3]
    near = points[:, 2] > NEAR
    x, y, z = points[near].T
    shades = (0.5 + CONSTANT * splats.harmonics[near, 0]).clip(0, 1).astype(np.float32)
    wide = 2 * np.exp(splats.log_scales[near].astype(np.float64)[:, 1]) * camera.fx / z
    sides = np.rint(wide).clip(1, _WIDEST).astype(int)
    u, v = camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy
    picture = np.zeros((camera.height * camera.width, 3), np.float32)
    depth = np.full(camera.height * camera.width, np.inf)
    for side in np.unique(sides):
        chosen = sides == side
        left, top = (np.rint(p[chosen] - (side - 1) / 2).astype(int) for p in (u, v))
        for across in range(side):
            for down in range(side):
                pixel = (left + across, top + down)
                _draw(picture, depth, camera, pixel, z[chosen], shades[chosen])
    return picture.reshape(camera.height, camera.width, 3)


def _draw(
    picture: np.ndarray,
    depth: np.ndarray,
    camera: Intrinsics,
    pixel: tuple[np.ndarray, np.ndarray],
    z: np.ndarray,
    shades: np.ndarray,
) -> None:
    """One pixel of every point, where nothing nearer is yet."""
    x, y = pixel
    kept = (x >= 0) & (y >= 0) & (x < camera.width) & (y < camera.height)
    place, z, shades = (y * camera.width + x)[kept], z[kept], shades[kept]
    # The nearest of each pixel comes last, and so stays.
    order = np.argsort(-z, kind="stable")
    place, z, shades = place[order], z[order], shades[order]
    nearer = z < depth[place]
    picture[place[nearer]] = shades[nearer]
    depth[place[nearer]] = z[nearer]
