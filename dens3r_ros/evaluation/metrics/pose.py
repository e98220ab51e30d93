# SPDX-License-Identifier: Apache-2.0
"""Errors of relative poses."""

from __future__ import annotations

import numpy as np

from dens3r_ros.geometry.rotation import turn

NO_POSE = 180.0
"""Degrees of error of a pair without a pose."""


def rotation_error(R: np.ndarray, R_true: np.ndarray) -> float:
    """Degrees by which a rotation (3, 3) is off."""
    return float(np.degrees(turn(R.T @ R_true)))


def direction_error(t: np.ndarray, t_true: np.ndarray) -> float:
    """Degrees between two translations (3,), whatever their lengths."""
    lengths = np.linalg.norm(t) * np.linalg.norm(t_true)
    return _degrees(t @ t_true / lengths) if lengths > 0 else NO_POSE


def pose_auc(errors: np.ndarray, limit: float) -> float:
    """Area under the share of pairs with an error up to x degrees, x from 0 to `limit`, over it.

    errors: (N,), the larger of rotation and translation direction error of each pair.
    """
    errors = np.sort(errors)
    recall = np.arange(1, len(errors) + 1) / len(errors)
    kept = errors < limit
    x = np.concatenate([[0.0], errors[kept], [limit]])
    y = np.concatenate([[0.0], recall[kept], [kept.mean()]])
    return float(((y[1:] + y[:-1]) / 2 * np.diff(x)).sum() / limit)


def _degrees(cosine: float) -> float:
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
