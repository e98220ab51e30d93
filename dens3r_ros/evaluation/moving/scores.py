# SPDX-License-Identifier: Apache-2.0
"""How well one mask of what moves agrees with the truth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dens3r_ros.evaluation.moving.truth import TrueMotion

LEAST_SHARE = 0.001
"""Frames in which less of the view moves say nothing about J and F."""
_BOUND = 0.008
"""How far boundaries may lie apart, as a share of the image's diagonal."""


@dataclass(frozen=True)
class MaskScore:
    """j: intersection over union, f: of boundaries, both NaN where hardly anything moves;
    static_lost: share of still pixels called moving."""

    j: float
    f: float
    static_lost: float


def mask_score(found: np.ndarray, truth: TrueMotion) -> MaskScore:
    """`found` (H, W) bool against the truth; what moves but hardly did counts neither way in J."""
    still = ~truth.moving
    lost = float((found & still).sum() / max(still.sum(), 1))
    if truth.far.mean() < LEAST_SHARE:
        return MaskScore(float("nan"), float("nan"), lost)
    counted = still | truth.far
    right, either = found & truth.far, (found & counted) | truth.far
    return MaskScore(float(right.sum() / either.sum()), boundary_f(found, truth.moving), lost)


def boundary_f(found: np.ndarray, truth: np.ndarray) -> float:
    """Harmonic mean of precision and recall of two masks' boundaries."""
    reach = max(1, round(_BOUND * float(np.hypot(*truth.shape))))
    side = 2 * reach + 1
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    own, wanted = _boundary(found), _boundary(truth)
    if not own.any() or not wanted.any():
        return float(own.any() == wanted.any())
    precision = (own & (cv2.dilate(wanted.astype(np.uint8), disk) > 0)).sum() / own.sum()
    recall = (wanted & (cv2.dilate(own.astype(np.uint8), disk) > 0)).sum() / wanted.sum()
    return float(2 * precision * recall / max(precision + recall, 1e-9))


def _boundary(mask: np.ndarray) -> np.ndarray:
    """(H, W) bool: pixels of the mask beside others."""
    inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1)
    return mask & (inner == 0)
