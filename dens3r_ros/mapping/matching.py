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
    x, y, z = (vectors[..., axis] for axis in range(3))
    return vectors / np.maximum(np.sqrt(x * x + y * y + z * z), 1e-12)[..., None]


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
    limit = np.array([[pointmap.shape[1] - 1.001], [pointmap.shape[0] - 1.001]])
    wanted = np.ascontiguousarray(directions.T)
    pixels = np.ascontiguousarray(start.T).clip(0, limit)
    damping = np.full(pixels.shape[1], 1e-8)
    error, J = _ray_error(pointmap, wanted, pixels)
    cost = _squared(error)
    for _ in range(iterations):
        moved = (pixels + _newton_step(J, error, damping)).clip(0, limit)
        new_error, new_J = _ray_error(pointmap, wanted, moved)
        new_cost = _squared(new_error)
        better = new_cost < cost
        damping = np.where(better, damping * 0.1, np.maximum(damping * 10, 1e-6))
        pixels = np.where(better, moved, pixels)
        error = np.where(better, new_error, error)
        J = np.where(better, new_J, J)
        settled = not better.any() or (cost - new_cost)[better].max() < 1e-10
        cost = np.where(better, new_cost, cost)
        if settled:
            break
    return pixels.T, np.sqrt(cost)


def _squared(vectors: np.ndarray) -> np.ndarray:
    """(...) squared lengths of (3, ...)."""
    return vectors[0] ** 2 + vectors[1] ** 2 + vectors[2] ** 2


def _ray_error(
    pointmap: np.ndarray, directions: np.ndarray, pixels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(3, N) differences of the rays at (2, N) pixels inside from (3, N) directions, and their
    (2, 3, N) derivative by the pixel."""
    height, width = pointmap.shape[:2]
    x, y = pixels.astype(np.int64)
    fx, fy = pixels[0] - x, pixels[1] - y
    right = (x + 1 < width).astype(np.int64)
    down = width * (y + 1 < height)
    first = y * width + x
    where = np.stack((first, first + right, first + down, first + down + right))
    points = pointmap.reshape(-1, 3)[where].transpose(2, 0, 1).astype(np.float64, order="C")
    rays = points / np.maximum(np.sqrt(_squared(points)), 1e-12)
    upper = rays[:, 0] + fx * (rays[:, 1] - rays[:, 0])
    lower = rays[:, 2] + fx * (rays[:, 3] - rays[:, 2])
    by_x = (rays[:, 1] - rays[:, 0]) * (1 - fy) + (rays[:, 3] - rays[:, 2]) * fy
    return upper + fy * (lower - upper) - directions, np.stack((by_x, lower - upper))


def _newton_step(J: np.ndarray, error: np.ndarray, damping: np.ndarray) -> np.ndarray:
    """(2, N) damped Gauss-Newton steps."""
    a, c = _squared(J[0]) + damping, _squared(J[1]) + damping
    b, gx, gy = ((p * q).sum(0) for p, q in ((J[0], J[1]), (J[0], error), (J[1], error)))
    determinant = np.maximum(a * c - b * b, 1e-20)
    return np.stack((b * gy - c * gx, b * gx - a * gy)) / determinant


def _corners(image: np.ndarray, pixels: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    height, width = image.shape[:2]
    inside_pixels = pixels.clip(0, (width - 1.001, height - 1.001))
    whole = inside_pixels.astype(int)
    x, y = whole[:, 0], whole[:, 1]
    right, down = np.minimum(x + 1, width - 1), np.minimum(y + 1, height - 1)
    corners = [image[y, x], image[y, right], image[down, x], image[down, right]]
    return corners, inside_pixels - whole
