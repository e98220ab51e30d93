# SPDX-License-Identifier: Apache-2.0
"""Which pixel of a frame sees a point: projective matching on the frame's own rays."""

from __future__ import annotations

import numpy as np

from dens3r_ros.geometry.camera import Intrinsics


def sample(image: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """(N, 3) bilinear samples of an (h, w, 3) image at (N, 2) pixels (x, y), clamped inside."""
    limit = (image.shape[1] - 1.001, image.shape[0] - 1.001)
    corners, fx, fy = _corners(image, pixels.clip(0, limit).T)
    upper = corners[:, 0] + fx * (corners[:, 1] - corners[:, 0])
    lower = corners[:, 2] + fx * (corners[:, 3] - corners[:, 2])
    return (upper + fy * (lower - upper)).T


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


def median(values: np.ndarray) -> float:
    """The middle value, without what `np.median` spends on looking at its arguments."""
    upper = values.size // 2
    lower = (values.size - 1) // 2
    sorted_there = np.partition(values, (lower, upper), axis=None)
    return float(sorted_there[lower] + sorted_there[upper]) / 2


def weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """The value (N,) below and above which half of the weight (N,) lies."""
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(below, below[-1] / 2)])


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
    return np.einsum("i...,i...->...", vectors, vectors)


def _ray_error(
    pointmap: np.ndarray, directions: np.ndarray, pixels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(3, N) differences of the rays at (2, N) pixels inside from (3, N) directions, and their
    (2, 3, N) derivative by the pixel."""
    rays, fx, fy = _corners(pointmap, pixels)
    rays /= np.maximum(np.sqrt(_squared(rays)), 1e-12)
    along = rays[:, 1::2] - rays[:, ::2]
    edges = rays[:, ::2] + fx * along
    J = np.empty((2, *directions.shape))
    J[0] = along[:, 0] + fy * (along[:, 1] - along[:, 0])
    np.subtract(edges[:, 1], edges[:, 0], out=J[1])
    return edges[:, 0] + fy * J[1] - directions, J


def _newton_step(J: np.ndarray, error: np.ndarray, damping: np.ndarray) -> np.ndarray:
    """(2, N) damped Gauss-Newton steps."""
    (a, c), b = np.einsum("ain,ain->an", J, J) + damping, np.einsum("in,in->n", J[0], J[1])
    gx, gy = np.einsum("ain,in->an", J, error)
    determinant = np.maximum(a * c - b * b, 1e-20)
    return np.stack((b * gy - c * gx, b * gx - a * gy)) / determinant


def _corners(pointmap: np.ndarray, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(3, 4, N) float64 values around (2, N) pixels inside: upper left and right, lower left and
    right; and how far (N,) each pixel lies to the right and down."""
    height, width = pointmap.shape[:2]
    x, y = whole = pixels.astype(np.int64)
    fx, fy = pixels - whole
    where = np.empty((4, len(x)), np.int64)
    where[0] = y * width + x
    where[1] = where[0] + (x + 1 < width)
    where[2:] = where[:2] + width * (y + 1 < height)
    found = pointmap.reshape(-1, 3).take(where, axis=0)
    return np.ascontiguousarray(found.transpose(2, 0, 1), np.float64), fx, fy
