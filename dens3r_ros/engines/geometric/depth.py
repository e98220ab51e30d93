# SPDX-License-Identifier: Apache-2.0
"""Inverse depth of one view of a pair: measured where it can be, filled in where it cannot."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dens3r_ros.engines.geometric.edge_aware import EdgeAwareFilter, reduced_size
from dens3r_ros.geometry.flow import landing
from dens3r_ros.geometry.triangulation import Triangulated, triangulate

_FLOW_SIGMA = 0.35
_RETURN_SHARE = 0.7
_EPIPOLAR_SHARE = 0.5
_DOUBTFUL_PIXELS = 1.5
_OWN_SHARE = 0.3
_FILL_SIGMA = 0.02
_NEAREST = 5.0


@dataclass(frozen=True, eq=False)
class InverseDepth:
    """(H, W) float32: inverse depth in baselines, above zero, and its standard deviation."""

    value: np.ndarray
    sigma: np.ndarray


def inverse_depth(
    flow: np.ndarray,
    return_error: np.ndarray,
    cameras: tuple[np.ndarray, np.ndarray],
    T_other_view: np.ndarray,
    smoothing: EdgeAwareFilter,
) -> InverseDepth:
    """What the flow to the other view, its return error and the relative pose say of depth.

    cameras: this view's matrix and the other's.
    """
    measured = triangulate(*landing(flow), *cameras, T_other_view)
    weight = _weight(measured, return_error)
    value = np.where(weight > 0, measured.inverse_depth, 0)
    filled, variance = _filled(value, weight, smoothing)
    own = _OWN_SHARE * weight
    total = own + 1 / variance
    combined = (own * value + filled / variance) / total
    return InverseDepth(np.maximum(combined, 1e-6), 1 / np.sqrt(total))


def _weight(measured: Triangulated, return_error: np.ndarray) -> np.ndarray:
    """One over the variance of each measured inverse depth, zero where it is impossible."""
    off = cv2.magnitude(return_error, measured.epipolar)
    pixel_variance = (
        _FLOW_SIGMA**2
        + (_RETURN_SHARE * return_error) ** 2
        + (_EPIPOLAR_SHARE * measured.epipolar) ** 2
    ) * (1 + (off / _DOUBTFUL_PIXELS) ** 4)
    possible = (measured.inverse_depth > 0) & (measured.inverse_depth < _NEAREST)
    return np.where(possible, measured.pixels_per_unit**2 / pixel_variance, 0)


def _filled(
    value: np.ndarray, weight: np.ndarray, smoothing: EdgeAwareFilter
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean over what lies around without an edge between, and its variance."""
    height, width = value.shape
    moments = cv2.merge([weight, weight * value, weight * value * value])
    reduced = cv2.resize(moments, reduced_size((height, width)), interpolation=cv2.INTER_AREA)
    total, first, second = smoothing(reduced.transpose(2, 0, 1))
    total = np.maximum(total, 1e-9)
    mean = first / total
    spread = np.maximum(second / total - mean * mean, 0)
    variance = spread + 1 / total + (_FILL_SIGMA * mean) ** 2
    return cv2.resize(mean, (width, height)), cv2.resize(variance, (width, height))
