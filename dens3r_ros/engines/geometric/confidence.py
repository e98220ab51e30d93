# SPDX-License-Identifier: Apache-2.0
"""From expected errors to confidence: 1 is none, and what exceeds 1 weighs as inverse variance."""

from __future__ import annotations

import numpy as np

_DEPTH_ERROR = 0.07
_PIXEL_ERROR = 1.5
_LEAST_ERROR = 0.005
_LEAST_PIXELS = 0.3


def depth_confidence(relative_error: np.ndarray) -> np.ndarray:
    """(H, W) float32 from expected relative depth errors: 1.5 at 10%, about 13 at 2%."""
    return _inverse_square(relative_error, _DEPTH_ERROR, _LEAST_ERROR)


def pixel_confidence(error: np.ndarray) -> np.ndarray:
    """(H, W) float32 from expected errors of correspondences in pixels: 2 at 1.5 pixels."""
    return _inverse_square(error, _PIXEL_ERROR, _LEAST_PIXELS)


def _inverse_square(error: np.ndarray, unit: float, least: float) -> np.ndarray:
    excess = np.square(np.float32(unit) / np.maximum(error, np.float32(least)))
    return np.where(excess > 0.01, 1 + excess, 1).astype(np.float32)
