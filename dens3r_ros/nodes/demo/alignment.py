# SPDX-License-Identifier: Apache-2.0
"""A trajectory held against the true one."""

from __future__ import annotations

import numpy as np

from dens3r_ros.geometry.registration import register_similarity


def aligned_error(poses: dict[int, np.ndarray], truth: dict[int, np.ndarray]) -> float | None:
    """RMSE of positions in truth's metres after the best similarity; None where there is none."""
    fitted = fitted_positions(poses, truth)
    if fitted is None:
        return None
    ours, true = fitted
    return float(np.sqrt(np.mean(np.sum((ours - true) ** 2, axis=1))))


def fitted_positions(
    poses: dict[int, np.ndarray], truth: dict[int, np.ndarray]
) -> tuple[np.ndarray, np.ndarray] | None:
    """(N, 3) positions of both at their common stamps, ours brought onto the true ones.

    None where fewer than three are common, or all lie on one line.
    """
    import torch

    stamps = sorted(poses.keys() & truth.keys())
    if len(stamps) < 3:
        return None
    ours = np.array([poses[s][:3, 3] for s in stamps])
    true = np.array([truth[s][:3, 3] for s in stamps])
    try:
        S = register_similarity(torch.from_numpy(ours), torch.from_numpy(true)).numpy()
    except ValueError:
        return None
    return ours @ S[:3, :3].T + S[:3, 3], true


def path_length(truth: dict[int, np.ndarray]) -> float:
    """Metres travelled."""
    positions = np.array([truth[s][:3, 3] for s in sorted(truth)])
    return float(np.linalg.norm(np.diff(positions, axis=0), axis=1).sum())
