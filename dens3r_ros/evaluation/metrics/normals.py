# SPDX-License-Identifier: Apache-2.0
"""Angles between normals."""

from __future__ import annotations

import numpy as np


def normal_angles(estimated: np.ndarray, true: np.ndarray) -> np.ndarray:
    """(N,) degrees between unit vectors (N, 3)."""
    return np.degrees(np.arccos(np.clip((estimated * true).sum(-1), -1, 1)))
