# SPDX-License-Identifier: Apache-2.0
"""How much what is seen counts where something may move."""

from __future__ import annotations

import cv2
import numpy as np

MOVES = 0.5
"""Probability from which on a pixel is said to move."""
_GONE = 0.9
"""The same from which on it counts for nothing."""
_MUCH = 0.03
"""Share of a view that moves from which on there is less to see of what stands still."""
_STEP = 4
"""Pixels between those that are looked up in another view."""


def stillness(motion: np.ndarray) -> np.ndarray:
    """Weights of what moves with these probabilities: 1 where it does not, 0 where it surely does,
    in between in proportion."""
    return np.clip((_GONE - motion) / np.float32(_GONE - MOVES), 0, 1)


def stillness_at(motion: np.ndarray | None, pixels: np.ndarray) -> np.ndarray:
    """(N,) float32 weights of pixels (N, 2) of a view with that motion (h, w), those outside as the
    nearest inside; 1 where nothing is told."""
    if motion is None or not len(pixels):
        return np.ones(len(pixels), np.float32)
    x, y = (
        np.clip(np.rint(pixels[:, axis]), 0, motion.shape[1 - axis] - 1).astype(int)
        for axis in (0, 1)
    )
    return stillness(motion[y, x]).astype(np.float32)


def weighed(confidence: np.ndarray, motion: np.ndarray | None) -> np.ndarray:
    """(h, w) confidence, 1 (none) to infinity, of what moves with these probabilities (h, w)."""
    return confidence if motion is None else 1 + (confidence - 1) * stillness(motion)


def standing(confidence: np.ndarray, motion: np.ndarray | None) -> np.ndarray:
    """(h, w) confidence to be shown: none (1) of what is said to move."""
    return confidence if motion is None else np.where(motion > MOVES, np.float32(1), confidence)


def share_moving(motion: np.ndarray | None) -> float:
    """Of a view; 0 where nothing is told."""
    return 0.0 if motion is None else float((motion > MOVES).mean())


def much_moves(*motion: np.ndarray | None) -> bool:
    """Whether in any of these views (h, w) so much moves that what stands still is scarce."""
    return any(share_moving(one) > _MUCH for one in motion)


def seen_from(motion: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(h, w) motion of a view at the places (h, w) where another view's pixels lie in it, looked up
    at one in so many; 0 outside."""
    thin = cv2.remap(
        motion,
        np.ascontiguousarray(x[::_STEP, ::_STEP], np.float32),
        np.ascontiguousarray(y[::_STEP, ::_STEP], np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
    )
    return cv2.resize(thin, x.shape[::-1], interpolation=cv2.INTER_LINEAR)


def joined(one: np.ndarray | None, other: np.ndarray | None) -> np.ndarray | None:
    """What moves by either."""
    if one is None or other is None:
        return other if one is None else one
    return np.maximum(one, other)
