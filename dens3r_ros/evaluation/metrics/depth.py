# SPDX-License-Identifier: Apache-2.0
"""Errors of depth and points against the truth, after the scales are aligned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class DepthErrors:
    """abs_rel: mean of |z / z_true - 1|; rmse in the truth's unit; delta1-3: shares of pixels
    whose ratio to the truth, or the inverse, is below 1.25, 1.25^2, 1.25^3."""

    abs_rel: float
    rmse: float
    delta1: float
    delta2: float
    delta3: float


def median_scale(estimated: np.ndarray, true: np.ndarray) -> float:
    """The factor that takes estimates (N,) to the truth in the median."""
    return float(np.median(true / estimated))


def depth_errors(estimated: np.ndarray, true: np.ndarray) -> DepthErrors:
    """Of depths (N,), all above zero, already to scale."""
    ratio = np.maximum(estimated / true, true / estimated)
    return DepthErrors(
        abs_rel=float(np.mean(np.abs(estimated / true - 1))),
        rmse=float(np.sqrt(np.mean((estimated - true) ** 2))),
        delta1=float((ratio < 1.25).mean()),
        delta2=float((ratio < 1.25**2).mean()),
        delta3=float((ratio < 1.25**3).mean()),
    )


def point_error(estimated: np.ndarray, true: np.ndarray) -> float:
    """Median distance of points (N, 3), already to scale, relative to the truth's distance."""
    missed = np.linalg.norm(estimated - true, axis=1) / np.linalg.norm(true, axis=1)
    return float(np.median(missed))


def errors_by_confidence(error: np.ndarray, confidence: np.ndarray, parts: int = 10) -> np.ndarray:
    """(parts,) median errors of equal shares of pixels, the most confident first.

    Pixels of one confidence cannot be told apart: they are spread evenly over their shares.
    """
    order = np.argsort(-confidence, kind="stable")
    shuffled = _ties_shuffled(order, confidence)
    return np.array([np.median(part) for part in np.array_split(error[shuffled], parts)])


def _ties_shuffled(order: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    random = np.random.default_rng(0).random(len(order))
    return order[np.lexsort((random, -confidence[order]))]
