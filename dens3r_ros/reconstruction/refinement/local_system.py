# SPDX-License-Identifier: Apache-2.0
"""What one keyframe's tracks say of poses and lens, once depth and single frames are eliminated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.reconstruction.refinement.residuals import errors, projected

_FAR = 2.0
"""Pixels of error, in expected ones, from which on a track counts less and less."""
_DEPTH_PRIOR = 0.3
"""Standard deviation of the logarithm of a depth as mapping left it: loose, for pixels without
parallax."""


@dataclass(frozen=True, eq=False)
class Local:
    """Normal equations of one keyframe's tracks.

    Unknowns: the keyframe's and its frames' motions, 6 each in their order, and the lens. E (N, U),
    h (N,), g_depth (N,) tie the inverse depths to them; H (U, U), g (U,) are without the depths.
    """

    H: np.ndarray
    g: np.ndarray
    E: np.ndarray
    h: np.ndarray
    g_depth: np.ndarray
    cost: float


def robust(off: np.ndarray, weights: np.ndarray, ahead: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights (F, N) with far ones let go, after Cauchy; and the cost."""
    square = weights * (off**2).sum(-1) / _FAR**2
    square = np.where(ahead, square, 1e4)
    cost = float(_FAR**2 * np.log1p(square)[weights > 0].sum()) / 2
    return np.where(ahead, weights / (1 + square), 0), cost


def local_system(
    rays: np.ndarray,
    inverse: np.ndarray,
    expected: np.ndarray,
    T_frames_keyframe: np.ndarray,
    seen: np.ndarray,
    weights: np.ndarray,
    camera: Intrinsics,
    damping: float,
) -> Local:
    """Linearise; `expected` (N,) inverse depth, 0 where nothing is."""
    found = projected(rays, inverse, T_frames_keyframe, seen, camera)
    w, cost = robust(found.off, weights, found.ahead)
    frames, count = w.shape
    unknowns = 6 * (frames + 1) + 1
    H, g = np.zeros((unknowns, unknowns)), np.zeros(unknowns)
    E = np.zeros((count, unknowns))
    Jk, Jf, Jc = found.by_keyframe, found.by_frame, found.by_focal[..., None]
    for f in range(frames):
        rows = np.concatenate((Jk[f], Jf[f], Jc[f]), -1).reshape(2 * count, 13)
        weighed = rows * np.repeat(w[f], 2)[:, None]
        at = np.r_[0:6, 6 * (f + 1) : 6 * (f + 2), unknowns - 1]
        H[np.ix_(at, at)] += weighed.T @ rows
        g[at] += weighed.T @ found.off[f].reshape(-1)
        pulled = weighed.reshape(count, 2, 13) * found.by_inverse[f][..., None]
        E[:, at] += pulled.sum(1)
    h = (w[..., None] * found.by_inverse**2).sum((0, 2))
    g_depth = (w[..., None] * found.by_inverse * found.off).sum((0, 2))
    scale = np.where(expected > 0, expected, np.maximum(inverse, 1e-9))
    prior = np.where(expected > 0, 1.0, 1e-2) / (_DEPTH_PRIOR * scale) ** 2
    h, g_depth = h + prior, g_depth + prior * (inverse - scale)
    h = h * (1 + damping)
    cost += float(0.5 * (prior * (inverse - scale) ** 2).sum())
    H -= (E / h[:, None]).T @ E
    g -= E.T @ (g_depth / h)
    return Local(H, g, E.astype(np.float32), h, g_depth, cost)


def local_cost(
    rays: np.ndarray,
    inverse: np.ndarray,
    expected: np.ndarray,
    T_frames_keyframe: np.ndarray,
    seen: np.ndarray,
    weights: np.ndarray,
    camera: Intrinsics,
) -> float:
    """The cost alone."""
    off, _, ahead = errors(rays, inverse, T_frames_keyframe, seen, camera)
    scale = np.where(expected > 0, expected, np.maximum(inverse, 1e-9))
    prior = np.where(expected > 0, 1.0, 1e-2) / (_DEPTH_PRIOR * scale) ** 2
    return robust(off, weights, ahead)[1] + float(0.5 * (prior * (inverse - scale) ** 2).sum())
