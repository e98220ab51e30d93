# SPDX-License-Identifier: Apache-2.0
"""Where frames should see a keyframe's pixels, and how that changes with poses, depth and lens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dens3r_ros.geometry.camera import Intrinsics

_NEAREST = 0.02
"""Share of a ray's length in front of a camera below which a point counts as behind it."""


@dataclass(frozen=True, eq=False)
class Projected:
    """Errors (F, N, 2) in pixels, and their derivatives by a small motion of the keyframe and of
    the frame, each in its own optical frame, translation first (F, N, 2, 6), by inverse depth
    (F, N, 2) and by the logarithm of the focal length (F, N, 2); ahead (F, N) bool."""

    off: np.ndarray
    by_keyframe: np.ndarray
    by_frame: np.ndarray
    by_inverse: np.ndarray
    by_focal: np.ndarray
    ahead: np.ndarray


def errors(
    rays: np.ndarray,
    inverse: np.ndarray,
    T_frames_keyframe: np.ndarray,
    seen: np.ndarray,
    camera: Intrinsics,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors (F, N, 2) in pixels, scaled points (F, N, 3) in the frames, and which are ahead.

    rays (N, 3) with z = 1; inverse (N,) depth; T_frames_keyframe (F, 4, 4); seen (F, N, 2).
    """
    R, t = T_frames_keyframe[:, :3, :3], T_frames_keyframe[:, :3, 3]
    points = rays @ R.transpose(0, 2, 1) + inverse[None, :, None] * t[:, None, :]
    ahead = points[..., 2] > _NEAREST
    depth = np.where(ahead, points[..., 2], 1.0)
    off = np.empty(seen.shape)
    off[..., 0] = camera.fx * points[..., 0] / depth + camera.cx - seen[..., 0]
    off[..., 1] = camera.fy * points[..., 1] / depth + camera.cy - seen[..., 1]
    return off, points, ahead


def projected(
    rays: np.ndarray,
    inverse: np.ndarray,
    T_frames_keyframe: np.ndarray,
    seen: np.ndarray,
    camera: Intrinsics,
) -> Projected:
    """Errors with their derivatives; see `errors`."""
    off, points, ahead = errors(rays, inverse, T_frames_keyframe, seen, camera)
    R, t = T_frames_keyframe[:, :3, :3], T_frames_keyframe[:, :3, 3]
    by_point = _by_point(points, ahead, camera)
    by_frame = np.empty((*off.shape, 6))
    by_frame[..., :3] = -by_point * inverse[None, :, None, None]
    by_frame[..., 3:] = _crossed(points[:, :, None], by_point, -1)
    turned = by_point @ R[:, None]
    by_keyframe = np.empty_like(by_frame)
    by_keyframe[..., :3] = turned * inverse[None, :, None, None]
    by_keyframe[..., 3:] = _crossed(rays[None, :, None], turned, 1)
    by_inverse = np.einsum("fnij,fj->fni", by_point, t)
    # The focal length bends the keyframe's rays and stretches the frame's image.
    bent = -np.einsum("fnij,nj->fni", turned[..., :2], rays[:, :2])
    stretched = by_point[..., 0:2] @ points[..., 0:2, None]
    return Projected(off, by_keyframe, by_frame, by_inverse, bent + stretched[..., 0], ahead)


def _by_point(points: np.ndarray, ahead: np.ndarray, camera: Intrinsics) -> np.ndarray:
    """(F, N, 2, 3) derivative of the pixel by the scaled point."""
    nearness = np.where(ahead, 1 / np.where(ahead, points[..., 2], 1.0), 0.0)
    J = np.zeros((*points.shape[:2], 2, 3))
    J[..., 0, 0], J[..., 1, 1] = camera.fx * nearness, camera.fy * nearness
    J[..., 0, 2] = -camera.fx * points[..., 0] * nearness**2
    J[..., 1, 2] = -camera.fy * points[..., 1] * nearness**2
    return J


def _crossed(points: np.ndarray, by_point: np.ndarray, sign: int) -> np.ndarray:
    """by_point times the derivative of (sign) w x point by w: rows J . (w x p) = (p x J) . w."""
    return sign * np.cross(np.broadcast_to(points, by_point.shape), by_point)


def rays_of(pixels: np.ndarray, camera: Intrinsics) -> np.ndarray:
    """(N, 3) rays with z = 1 through (N, 2) pixels."""
    x = (pixels[:, 0] - camera.cx) / camera.fx
    y = (pixels[:, 1] - camera.cy) / camera.fy
    return np.stack((x, y, np.ones(len(pixels))), 1)
