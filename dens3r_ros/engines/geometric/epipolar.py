# SPDX-License-Identifier: Apache-2.0
"""How far correspondences lie from where the motion between two views allows them to be."""

from __future__ import annotations

import numpy as np

from dens3r_ros.geometry.two_views.two_view_search import Likeliest

_TOLERANCE = 1.0
"""Pixels from the line that say nothing, beside those that the motion's own doubt brings."""


def strayed(landed: np.ndarray, motion: Likeliest) -> np.ndarray:
    """(H, W) float32 pixels by which the pixels of b, which lie at `landed` (H, W, 2) in a, are off
    their epipolar lines there, beyond what is to be expected."""
    view = motion.view
    x, y, z = view.T_b_a[:3, 3]
    E = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) @ view.T_b_a[:3, :3]
    F = (np.linalg.inv(view.K_b).T @ E @ np.linalg.inv(view.K_a)).astype(np.float32)
    height, width = landed.shape[:2]
    across, down = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    lines = across[None, :, None] * F[0] + down[:, None, None] * F[1] + F[2]
    off = np.abs((lines[..., :2] * landed).sum(-1) + lines[..., 2])
    off /= np.maximum(np.hypot(lines[..., 0], lines[..., 1]), np.float32(1e-12))
    expected = _TOLERANCE + np.deg2rad(motion.turn_sigma) * view.K_a[0, 0]
    return np.maximum(off - np.float32(expected), 0)
