# SPDX-License-Identifier: Apache-2.0
"""A trajectory brought to the truth by where its cameras stood and where they looked."""

from __future__ import annotations

import numpy as np

FEWEST = 3
"""Poses by which a trajectory can be lined up with another."""


def similarity_of_poses(found: np.ndarray, wanted: np.ndarray) -> np.ndarray | None:
    """S (4, 4) that takes poses (N, 4, 4) to others best, positions and directions counting
    alike, so that a straight way determines it too; None for fewer than three or on one spot."""
    if len(found) < FEWEST:
        return None
    middles = found[:, :3, 3].mean(0), wanted[:, :3, 3].mean(0)
    here, there = found[:, :3, 3] - middles[0], wanted[:, :3, 3] - middles[1]
    spread = np.linalg.norm(here) * np.linalg.norm(there)
    if spread < 1e-12:
        return None
    turned = np.einsum("nij,nkj->ik", wanted[:, :3, :3], found[:, :3, :3]) / len(found)
    U, _, Vt = np.linalg.svd(there.T @ here / spread + turned)
    rotation = U @ np.diag([1.0, 1.0, np.linalg.det(U @ Vt)]) @ Vt
    S = np.eye(4)
    S[:3, :3] = rotation * np.sum(there * (here @ rotation.T)) / np.sum(here**2)
    S[:3, 3] = middles[1] - S[:3, :3] @ middles[0]
    return S if np.linalg.det(S[:3, :3]) > 0 else None
