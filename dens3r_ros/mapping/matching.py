# SPDX-License-Identifier: Apache-2.0
"""Which pixel of a frame sees a point: projective matching on the frame's own rays."""

from __future__ import annotations

import numpy as np

from dens3r_ros.geometry.camera import Intrinsics


def sample(image: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """(N, C) bilinear samples of an (h, w, C) image at (N, 2) pixels (x, y), clamped inside."""
    corners, fraction = _corners(image, pixels)
    fx, fy = fraction[:, :1], fraction[:, 1:]
    upper = corners[0] * (1 - fx) + corners[1] * fx
    return upper * (1 - fy) + (corners[2] * (1 - fx) + corners[3] * fx) * fy


def sample_nearest(image: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """(N, ...) values of the nearest pixels, clamped inside."""
    height, width = image.shape[:2]
    x = np.rint(pixels[:, 0]).clip(0, width - 1).astype(int)
    y = np.rint(pixels[:, 1]).clip(0, height - 1).astype(int)
    return image[y, x]


def unit(vectors: np.ndarray) -> np.ndarray:
    """The same directions at length 1."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(length, 1e-12)


def project(points: np.ndarray, camera: Intrinsics) -> np.ndarray:
    """(N, 2) pixels of (N, 3) points; far outside where a point is not in front."""
    depth = points[:, 2:]
    ahead = depth > 1e-6
    focal = np.array([camera.fx, camera.fy])
    centre = np.array([camera.cx, camera.cy])
    return np.where(ahead, points[:, :2] / np.where(ahead, depth, 1) * focal + centre, -1e6)


def inside(pixels: np.ndarray, size: tuple[int, int], margin: float = 1.0) -> np.ndarray:
    """(N,) whether the pixels lie in an image of `size` (height, width)."""
    x, y = pixels.T
    return (x >= margin) & (y >= margin) & (x < size[1] - margin) & (y < size[0] - margin)


def match_rays(
    pointmap: np.ndarray, directions: np.ndarray, start: np.ndarray, iterations: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (N, 2) of `pointmap` (h, w, 3) whose rays meet the unit `directions` (N, 3).

    Levenberg-Marquardt on the squared ray difference from `start`; also (N,) the sine of the
    angle that remains.
    """
    limit = np.array([pointmap.shape[1] - 1.001, pointmap.shape[0] - 1.001])
    pixels = start.clip(0, limit)
    damping = np.full(len(pixels), 1e-8)
    error, J = _ray_error(pointmap, directions, pixels)
    cost = (error**2).sum(1)
    for _ in range(iterations):
        moved = (pixels + _newton_step(J, error, damping)).clip(0, limit)
        new_error, new_J = _ray_error(pointmap, directions, moved)
        new_cost = (new_error**2).sum(1)
        better = new_cost < cost
        damping = np.where(better, damping * 0.1, np.maximum(damping * 10, 1e-6))
        pixels = np.where(better[:, None], moved, pixels)
        error = np.where(better[:, None], new_error, error)
        J = np.where(better[:, None, None], new_J, J)
        settled = not better.any() or (cost - new_cost)[better].max() < 1e-10
        cost = np.where(better, new_cost, cost)
        if settled:
            break
    return pixels, np.sqrt(cost)


def _corners(image: np.ndarray, pixels: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    height, width = image.shape[:2]
    inside_pixels = pixels.clip(0, (width - 1.001, height - 1.001))
    whole = inside_pixels.astype(int)
    x, y = whole[:, 0], whole[:, 1]
    right, down = np.minimum(x + 1, width - 1), np.minimum(y + 1, height - 1)
    corners = [image[y, x], image[y, right], image[down, x], image[down, right]]
    return corners, inside_pixels - whole


def _ray_error(
    pointmap: np.ndarray, directions: np.ndarray, pixels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3) ray differences, and their (N, 3, 2) derivative by the pixel."""
    corners, fraction = _corners(pointmap, pixels)
    rays = [unit(corner.astype(np.float64)) for corner in corners]
    fx, fy = fraction[:, :1], fraction[:, 1:]
    upper = rays[0] * (1 - fx) + rays[1] * fx
    lower = rays[2] * (1 - fx) + rays[3] * fx
    by_x = (rays[1] - rays[0]) * (1 - fy) + (rays[3] - rays[2]) * fy
    return upper * (1 - fy) + lower * fy - directions, np.stack((by_x, lower - upper), -1)


def _newton_step(J: np.ndarray, error: np.ndarray, damping: np.ndarray) -> np.ndarray:
    """(N, 2) damped Gauss-Newton steps."""
    a = (J[:, :, 0] ** 2).sum(1) + damping
    b = (J[:, :, 0] * J[:, :, 1]).sum(1)
    c = (J[:, :, 1] ** 2).sum(1) + damping
    gx, gy = (J[:, :, 0] * error).sum(1), (J[:, :, 1] * error).sum(1)
    determinant = np.maximum(a * c - b * b, 1e-20)
    return np.stack((b * gy - c * gx, b * gx - a * gy), -1) / determinant[:, None]
