# SPDX-License-Identifier: Apache-2.0
"""How far rotations turn."""

from __future__ import annotations

import numpy as np


def turn(R: np.ndarray) -> np.ndarray:
    """Radians, (...), by which rotation matrices (..., 3, 3) turn; 0 to pi."""
    cosine = (np.trace(R, axis1=-2, axis2=-1) - 1) / 2
    return np.arccos(np.clip(cosine, -1, 1))
