# SPDX-License-Identifier: Apache-2.0
"""Single points followed from one image to another, to a fraction of a pixel."""

from __future__ import annotations

import cv2
import numpy as np

_ROUNDS = 15
_ENOUGH = 0.02
"""Pixels of a step below which a point is where it belongs."""


def followed(
    grey: np.ndarray,
    other: np.ndarray,
    pixels: np.ndarray,
    start: np.ndarray,
    window: int,
    levels: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Where (N, 2) pixels of an image (H, W) uint8 lie in another, float32, looked for from
    `start` on over so many halvings and in squares `window` wide; and which (N,) were found."""
    there, status, _ = cv2.calcOpticalFlowPyrLK(
        grey,
        other,
        pixels.astype(np.float32).copy(),
        start.astype(np.float32).copy(),
        winSize=(window, window),
        maxLevel=levels,
        criteria=(cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _ROUNDS, _ENOUGH),
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    return there, status[:, 0].astype(bool)
