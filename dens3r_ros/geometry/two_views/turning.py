# SPDX-License-Identifier: Apache-2.0
"""The rotation between two views that suits most tracks, as if there were no parallax."""

from __future__ import annotations

import numpy as np

_ROUNDS = 5


def best_rotation(
    pixels_a: np.ndarray, pixels_b: np.ndarray, K_a: np.ndarray, K_b: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """R_b_a, and by how many pixels (N,) in b each track (N, 2) misses it."""
    rays_a, rays_b = _unit(pixels_a, K_a), _unit(pixels_b, K_b)
    weight = np.ones(len(rays_a))
    for _ in range(_ROUNDS):
        R_b_a = _rotation(rays_a, rays_b, weight)
        turned = rays_a @ R_b_a.T
        seen = turned @ K_b.T
        miss = np.linalg.norm(seen[:, :2] / seen[:, 2:] - pixels_b, axis=1)
        weight = 1 / (1 + miss**2)
    return R_b_a, np.where(turned[:, 2] > 0, miss, np.inf)


def _unit(pixels: np.ndarray, K: np.ndarray) -> np.ndarray:
    rays = np.column_stack([(pixels - K[:2, 2]) / np.diag(K)[:2], np.ones(len(pixels))])
    return rays / np.linalg.norm(rays, axis=1, keepdims=True)


def _rotation(rays_a: np.ndarray, rays_b: np.ndarray, weight: np.ndarray) -> np.ndarray:
    U, _, Vt = np.linalg.svd((rays_b * weight[:, None]).T @ rays_a)
    return U @ np.diag([1, 1, np.linalg.det(U @ Vt)]) @ Vt
