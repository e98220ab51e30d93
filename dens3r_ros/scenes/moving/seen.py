# SPDX-License-Identifier: Apache-2.0
"""Which pixels of a view show what moves, how fast it goes, and where it is later: exact truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.scenes.moving.cast import Movers


@dataclass(frozen=True, eq=False)
class SeenMotion:
    """`moving` (H, W) bool: the pixel shows an actor of which some part moves; `velocity` (H, W, 3)
    float32 metres a second of the surface, along the axes of the optical frame, 0 where still."""

    moving: np.ndarray
    velocity: np.ndarray


def still(size: tuple[int, int]) -> SeenMotion:
    """Of a view in which nothing moves."""
    return SeenMotion(np.zeros(size, bool), np.zeros((*size, 3), np.float32))


def seen_motion(
    movers: Movers, part: np.ndarray, points: np.ndarray, T: np.ndarray, seconds: float
) -> SeenMotion:
    """What moves in a view whose pixels show parts (H, W), -1 for the world, at world `points`
    (H, W, 3); `T` (4, 4) is T_world_camera."""
    seen = still((part.shape[0], part.shape[1]))
    own = part >= 0
    if not own.any():
        return seen
    fast = movers.velocity(points[own], part[own], seconds)
    moving = movers.moves(seconds)[part[own]]
    seen.moving[own] = moving
    seen.velocity[own] = np.where(moving[:, None], fast @ T[:3, :3], 0.0)
    return seen


def world_points(depth: np.ndarray, camera: Intrinsics, T: np.ndarray) -> np.ndarray:
    """(H, W, 3) float64 world points of a depth image."""
    v, u = np.mgrid[: depth.shape[0], : depth.shape[1]]
    rays = np.stack(
        ((u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones(u.shape)), -1
    )
    return (rays * depth[..., None]) @ T[:3, :3].T + T[:3, 3]


def pixels_of(points: np.ndarray, camera: Intrinsics, T: np.ndarray) -> np.ndarray:
    """(H, W, 2) float64 pixels at which world points lie in a view; NaN behind it."""
    own = (points - T[:3, 3]) @ T[:3, :3]
    ahead = own[..., 2] > 1e-3
    z = np.where(ahead, own[..., 2], np.nan)
    x = own[..., 0] / z * camera.fx + camera.cx
    return np.stack((x, own[..., 1] / z * camera.fy + camera.cy), -1)
